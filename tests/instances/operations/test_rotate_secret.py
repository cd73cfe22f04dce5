"""The administrator's secret: another one, and never none that is known."""

from dataclasses import replace

import pytest

from instances import errors
from instances.models import Container, Kind, Operation
from instances.operations import hosts, rotate_secret, update
from instances.operations.execution import run
from tests.fakes import OFFERING_ID, claim, drain
from tests.instances.base import ACTOR, DomainTestCase
from tests.instances.crashing import CrashTestCase

NEW = "brokersite/mariadb:10.12"


class RotateTestCase(DomainTestCase):
    def setUp(self):
        super().setUp()
        self.instance = self.provisioned()
        self.binding = self.bound(self.instance)
        self.former = self.row().admin_secret

    def row(self):
        return Container.objects.select_related("host", "lease").get(
            instance=self.instance
        )

    def ask(self):
        return rotate_secret.accept(self.instance, actor=ACTOR, reason="a test")

    def rotated(self):
        self.ask()
        drain()
        return self.row()


class Rotate(RotateTestCase):
    def test_new_one_holds_and_the_old_one_does_not(self):
        row = self.rotated()
        assert row.admin_secret != self.former
        assert row.next_secret == ""
        self.world.engine.check(hosts.endpoint(row))
        old = replace(hosts.endpoint(row), admin_secret=self.former)
        with pytest.raises(errors.EngineUnreachable):
            self.world.engine.check(old)

    def test_apps_notice_nothing(self):
        session = self.log_in(self.binding)
        self.rotated()
        session.write(self.instance.database)
        assert self.log_in(self.binding)

    def test_it_is_there_before_the_database_gets_it(self):
        """F74: nothing that a database may have is only in a process's memory."""
        self.ask()
        assert self.row().next_secret not in ("", self.former)

    def test_no_secret_is_in_the_operation_or_the_audit(self):
        self.rotated()
        operation = Operation.objects.get(kind=Kind.ROTATE_SECRET)
        said = repr((operation.request, operation.steps, operation.detail))
        said += repr([event.changes for event in self.instance.audit.all()])
        assert self.row().admin_secret not in said

    def test_second_click_changes_nothing(self):
        self.ask()
        coming = self.row().next_secret
        with pytest.raises(errors.ConcurrencyError):
            self.ask()
        assert self.row().next_secret == coming

    def test_an_upgrade_afterwards_keeps_data_users_and_secret(self):
        """The image takes data under another administrator for a backup's."""
        self.world.machine.images.add(NEW)
        secret = self.rotated().admin_secret
        type(self.plan).objects.update(image=NEW)
        update.accept(
            guid=self.instance.guid,
            offering_id=OFFERING_ID,
            plan_id="",
            wanted={},
            context={},
            maintenance_version="",
            actor=ACTOR,
            as_planned=True,
        )
        drain()
        row = self.row()
        assert (row.image, row.admin_secret) == (NEW, secret)
        environment = self.world.engine.environment(self.former)
        self.instance.refresh_from_db()
        assert self.world.container_of(self.instance).spec.environment == environment
        assert self.log_in(self.binding)

    def test_second_rotation_remembers_the_first_secret(self):
        self.rotated()
        row = self.rotated()
        assert row.first_secret == self.former
        self.world.engine.check(hosts.endpoint(row))


class GivenUp(RotateTestCase):
    def fail_after_the_change(self):
        """The database has it, and does not answer any more."""
        operation = claim(self.ask())
        engine, change = self.world.engine, self.world.engine.set_admin_secret

        def change_and_fall(endpoint, secret):
            change(endpoint, secret)
            engine.is_down = True
            raise errors.EngineUnreachable(detail="down")

        engine.set_admin_secret = change_and_fall
        run(operation)
        drain()
        del engine.set_admin_secret
        operation.refresh_from_db()
        assert operation.state == "failed"
        engine.is_down = False

    def test_both_are_kept_and_the_host_settles_it(self):
        self.fail_after_the_change()
        assert self.row().next_secret
        for _ in range(2):
            rotate_secret.settle(self.host)
            row = self.row()
            assert row.next_secret == ""
            self.world.engine.check(hosts.endpoint(row))

    def test_another_rotation_goes_on_with_the_same_one(self):
        self.fail_after_the_change()
        coming = self.row().next_secret
        assert self.rotated().admin_secret == coming

    def test_one_that_is_under_way_is_left_alone(self):
        self.ask()
        rotate_secret.settle(self.host)
        assert self.row().next_secret


class Crashes(CrashTestCase):
    """F22, F74: whatever moment it dies at, the row's secret is the database's."""

    def begin(self, guid):
        return claim(rotate_secret.accept(self.provisioned(guid), actor=ACTOR))

    def test_a_rotation_ends_with_one_that_holds(self):
        for guid in self.crashes(self.begin):
            operation = Operation.objects.get(kind="rotate_secret", instance__guid=guid)
            assert operation.state == "succeeded", operation.detail
            row = operation.instance.container
            assert row.next_secret == ""
            assert row.first_secret not in ("", row.admin_secret)
            self.world.engine.check(hosts.endpoint(row))
