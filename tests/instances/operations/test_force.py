"""A forced deprovision: it ends with the host down, and pays when that returns."""

import pytest

from instances import errors
from instances.models import (
    AuditEvent,
    Container,
    Operation,
    PortLease,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import force
from instances.operations.execution import run
from instances.operations.levels import Level
from instances.operations.reconcile import reconcile
from tests.fakes import check_invariants, claim, drain
from tests.instances.base import ACTOR, DomainTestCase
from tests.instances.crashing import CrashTestCase


class ForceTestCase(DomainTestCase):
    def setUp(self):
        super().setUp()
        self.instance = self.provisioned()
        self.binding = self.bound(self.instance)
        self.row = self.instance.container

    def lose(self):
        self.world.machine.is_down = True
        self.host.note_contact("it does not answer")

    def ask(self, level):
        return force.accept(self.instance, level, actor=ACTOR, reason="gone for good")

    def states(self):
        self.instance.refresh_from_db()
        self.row.refresh_from_db()
        return self.instance.state, self.row.state


class Force(ForceTestCase):
    def test_with_the_host_up_it_removes_everything(self):
        self.ask(Level.FORCE)
        drain()
        self.assert_nothing_is_left()
        assert not AuditEvent.objects.filter(action="left behind").exists()

    def test_with_the_host_down_the_container_becomes_a_debt(self):
        """F109, I2: its port stays taken, so that nobody else gets it."""
        self.lose()
        operation, _ = self.ask(Level.FORCE)
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded"
        assert self.states() == ("gone", "retiring")
        assert self.row.port is not None
        binding = ServiceBinding.objects.get()
        assert (binding.state, binding.credentials) == ("gone", {})
        debt = AuditEvent.objects.get(action="left behind")
        assert debt.changes["container"] == self.row.name
        assert debt.changes["host"] == self.host.name

    def test_the_debt_is_paid_when_the_host_returns(self):
        """F43, I5."""
        self.lose()
        self.ask(Level.FORCE)
        drain()
        self.world.machine.is_down = False
        for _ in range(2):
            reconcile(self.host)
        self.assert_nothing_is_left()
        assert not PortLease.objects.filter(container__isnull=False).exists()

    def test_one_that_waits_is_raised_and_keeps_its_id(self):
        """A platform may be polling for it."""
        ordinary = self.accept_deprovision(self.instance)
        self.lose()
        run(claim(ordinary))
        assert self.states()[0] == "deprovisioning"
        operation, is_new = self.ask(Level.FORCE)
        assert (operation.pk, is_new) == (ordinary.pk, True)
        drain()
        assert self.states() == ("gone", "retiring")

    def test_it_is_raised_while_the_host_is_waited_for(self):
        operation = claim(self.accept_deprovision(self.instance))

        def fall():
            self.ask(Level.FORCE)
            self.lose()
            raise errors.HostUnreachable(detail="it went away")

        self.faults.on("remove", fall, nth=1, moment="before")
        run(operation)
        assert self.states() == ("gone", "retiring")

    def test_what_the_broker_cannot_even_ask_for_is_left_too(self):
        """No key opens the host's certificate any more."""
        self.faults.on("remove", errors.Unreadable(detail="no key"))
        self.ask(Level.FORCE)
        drain()
        assert self.states() == ("gone", "retiring")

    def test_again_changes_nothing(self):
        self.lose()
        self.ask(Level.FORCE)
        _, is_new = self.ask(Level.FORCE)
        assert not is_new
        assert Operation.objects.filter(kind="deprovision").count() == 1
        assert AuditEvent.objects.filter(action="deprovision: force").count() == 1

    def test_the_id_is_free_again(self):
        self.lose()
        self.ask(Level.FORCE)
        drain()
        assert ServiceInstance.objects.find_live(self.instance.guid) is None


class Forget(ForceTestCase):
    def test_a_host_that_answers_is_refused(self):
        with pytest.raises(errors.InvalidRequest, match="force is enough"):
            self.ask(Level.FORGET)
        assert not Operation.objects.filter(kind="deprovision").exists()

    def test_only_rows_change(self):
        self.lose()
        self.ask(Level.FORGET)
        calls = len(self.faults.calls)
        drain()
        assert self.faults.calls[calls:] == []
        assert self.states() == ("gone", "gone")
        assert self.row.port is None

    def test_what_comes_back_all_the_same_is_removed(self):
        """F43: a lost host returns."""
        self.lose()
        self.ask(Level.FORGET)
        drain()
        self.world.machine.is_down = False
        reconcile(self.host)
        assert self.world.containers() == []


class Preview(ForceTestCase):
    def test_says_what_goes_and_what_the_platform_believes(self):
        found = force.preview(self.instance)
        assert any(self.row.name in text for text in found.removed)
        assert found.left == []
        said = " ".join(found.platform)
        assert self.instance.guid in said
        assert "1 bindings" in said

    def test_says_what_cannot_go_and_why(self):
        self.lose()
        found = force.preview(self.instance)
        assert "it does not answer" in found.left[0]
        assert "the data will be gone" in found.backups[0]


class Crashes(CrashTestCase):
    """F22: a debt is recorded once, whenever the worker dies."""

    def begin(self, guid):
        instance = self.provisioned(guid)
        operation, _ = force.accept(instance, Level.FORCE, actor=ACTOR, reason="x")
        return claim(operation)

    def test_a_forced_one_leaves_nothing(self):
        for guid in self.crashes(self.begin):
            assert ServiceInstance.objects.find_live(guid) is None
            assert not Container.objects.exclude(state="gone").exists()
            check_invariants(self.world)
