"""A worker that stood still wakes up: its next call comes late (FAILURES I3, I11).

Meanwhile another one has gone on with the operation, or has given it up. An app writes
whenever it can, and what was acknowledged is in the database that stays.
"""

from collections.abc import Callable
from datetime import timedelta

from django.db.models.functions import Now

from instances import errors
from instances.models import DockerHost, Operation, ServiceInstance
from instances.operations import hosts, move, restore
from instances.operations.execution import run
from instances.operations.reconcile import reconcile
from tests.fakes import (
    AFTER,
    BEFORE,
    Crash,
    Refused,
    check_invariants,
    claim,
    drain,
    expire_leases,
)
from tests.fakes.faults import Late
from tests.instances.base import ACTOR
from tests.instances.moves import Moves
from tests.instances.operations.test_restore import RestoreTestCase
from tests.instances.operations.test_swap import NEW, Upgrades


def go_on() -> None:
    """The lease has run out, and another worker does what is to do."""
    expire_leases()
    drain()


def give_up() -> None:
    """As go_on(), but the time for the operation is over."""
    overdue = Now() - timedelta(seconds=1)
    Operation.objects.unfinished().update(deadline_at=overdue)
    go_on()


class LateUpgrades(Upgrades):
    def setUp(self) -> None:
        super().setUp()
        self.host.memory_mb, self.host.port_max = 10**6, 25000
        self.host.save()
        self.plan.backup_on_upgrade = False
        self.plan.save()
        self.written: int | None = None
        strike = self.faults.strike

        def writing(moment: str, call: str) -> None:
            strike(moment, call)
            self.write()

        self.faults.strike = writing

    def write(self) -> None:
        """At each call, until the test looks at what is there."""
        if self.written is None:
            return
        try:
            session = self.log_in(self.binding)
            session.write(self.binding.instance.database)
            self.written += 1
            session.close()
        except Refused:
            pass

    def begin(self, guid: str) -> Operation:
        operation = claim(self.accept_upgrade(self.outdated(guid)))
        self.written = 1
        return operation

    def calls(self) -> list[str]:
        operation, before = self.begin("rehearsal"), len(self.faults.calls)
        run(operation)
        calls = self.faults.calls[before:]
        self.assert_all_is_there(operation)
        return calls

    def assert_all_is_there(self, operation: Operation) -> ServiceInstance:
        """At once, and not only when a reconciliation comes by."""
        instance = ServiceInstance.objects.get(pk=operation.instance_id)
        self.faults.clear()
        written, self.written = self.written, None
        assert self.world.container_of(instance).state == "running"
        assert self.log_in(self.binding).count(instance.database) == written
        reconcile(self.host)
        assert self.log_in(self.binding).count(instance.database) == written
        assert self.world.users_of(instance) == [self.binding.username]
        check_invariants(self.world)
        return instance


class LateCallTest(LateUpgrades):
    def late(self, meanwhile: Callable[[], None]) -> None:
        for nth, call in enumerate(self.calls(), 1):
            for moment in (BEFORE, AFTER):
                with self.subTest(call, nth=nth, moment=moment):
                    operation = self.begin(f"i-{nth}-{moment}")
                    self.faults.on(None, meanwhile, nth=nth, moment=moment)
                    run(operation)
                    self.assert_all_is_there(operation)

    def test_another_has_gone_on(self):
        self.late(go_on)

    def test_another_has_given_up(self):
        """The old one is not stopped again, nor is a started one thrown away."""
        self.late(give_up)

    def test_what_another_is_at_is_left_to_it(self):
        """The next reconciliation starts the old container, and that is soon."""
        operation, woken = self.begin("i-1"), []
        self.faults.on("stop", Late(Crash()))
        try:
            run(operation)
        except Crash:
            expire_leases()

        def wake() -> None:
            """The late stop; then the late worker finds that it has lost the lease."""
            DockerHost.objects.update(reconcile_after=Now() + timedelta(hours=1))
            self.faults.deliver()
            run(operation)
            self.host.refresh_from_db()
            woken.append(self.host.reconcile_after)

        self.faults.on("start", wake, moment=AFTER)
        give_up()
        assert woken == [None]
        reconcile(self.host)
        reconcile(self.host, is_full=True)  # The mark goes once it can be asked.
        self.assert_all_is_there(operation)


class LateStartTest(LateUpgrades):
    """The old one is started by who has read that it runs, and stood still since."""

    def started_late(self, nth: int, moment: str) -> str:
        """The call that the start came before, or after."""
        operation = self.begin(f"i-{nth}-{moment}")
        former = operation.instance.container
        docker, calls = hosts.connect(self.host), []

        def start() -> None:
            calls.append(self.faults.calls[-1])
            try:
                docker.start(former.name)
            except errors.BrokerError:
                calls.append("refused")

        self.faults.on(None, start, nth=nth, moment=moment)
        run(operation)
        drain()
        instance = self.assert_all_is_there(operation)
        assert instance.container.image == NEW
        return calls[0]

    def test_nothing_that_is_written_into_it_then_is_missing(self):
        calls = self.calls()
        until = calls.index("start") + 1
        for nth in range(1, until + 1):
            for moment in (BEFORE, AFTER):
                with self.subTest(calls[nth - 1], nth=nth, moment=moment):
                    assert self.started_late(nth, moment) == calls[nth - 1]


class GiveUpTest(LateUpgrades):
    def crashed_once_it_was_started(self) -> Operation:
        operation = self.begin("i-1")
        self.faults.on("start", Crash(), moment=AFTER)
        try:
            run(operation)
        except Crash:
            before = self.written
        self.write()
        assert self.written == before + 1, "an app uses the new container"
        return operation

    def test_a_host_that_does_not_answer_is_waited_for(self):
        """Nobody can say which of the two has what apps have written."""
        operation = self.crashed_once_it_was_started()
        Operation.objects.update(attempts=4)
        self.faults.on("discard", errors.HostUnreachable(detail="cut"))
        expire_leases()
        run(claim(operation, "another worker"))
        operation.refresh_from_db()
        assert operation.state == "queued"
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded"
        self.assert_all_is_there(operation)

    def test_but_not_for_ever(self):
        """I8: its time is over."""
        operation = self.crashed_once_it_was_started()
        self.faults.on("discard", errors.HostUnreachable(detail="cut"))
        give_up()
        operation.refresh_from_db()
        assert operation.state == "failed"
        assert self.world.container_of(operation.instance).state == "running"

    def test_an_operator_who_asks_for_its_end_is_too_late(self):
        operation = self.crashed_once_it_was_started()
        Operation.objects.update(cancel_asked=True)
        go_on()
        operation.refresh_from_db()
        assert operation.state == "succeeded"
        self.assert_all_is_there(operation)

    def test_one_that_cannot_be_gone_on_with_keeps_the_old_one_down_no_longer(self):
        operation = self.begin("i-1")
        self.world.machine.failing_images[NEW] = 1
        self.faults.on("start", Crash(), moment=AFTER)
        try:
            run(operation)
        except Crash:
            give_up()
        operation.refresh_from_db()
        assert operation.state == "failed"
        instance = self.assert_all_is_there(operation)
        assert instance.container.image == self.old_image


class LateRestoreTest(RestoreTestCase):
    def test_given_up_once_the_bindings_are_let_in(self):
        """I11: what apps have written into the restored database stays."""
        instance = self.filled()
        backup = self.changed_since(instance)
        operation = claim(restore.accept(backup, actor=ACTOR, is_safe=False))
        late = operation.instance.container

        def write_and_give_up() -> None:
            self.log_in(self.binding).write(instance.database)
            give_up()

        self.faults.on("create_user", write_and_give_up, moment=AFTER)
        run(operation)
        instance.refresh_from_db()
        assert instance.container != late
        assert self.rows(instance) == 2
        reconcile(self.host)
        check_invariants(self.world)

    def test_a_late_stop_is_made_good_at_once(self):
        instance = self.filled()
        backup = self.changed_since(instance)
        operation = claim(restore.accept(backup, actor=ACTOR, is_safe=False))
        self.faults.on("stop", give_up)
        run(operation)
        assert self.world.container_of(instance).state == "running"
        assert self.rows(instance) == 2


class LateMoveTest(Moves):
    def test_the_old_one_is_started_after_it_was_copied(self):
        """I3: apps with the old address write into it; no port keeps it down."""
        instance = self.filled()
        former = instance.container
        docker = hosts.connect(self.host)

        def start() -> None:
            docker.start(former.name)
            self.log_in(self.binding).write(instance.database)

        self.faults.on("start", start, moment=AFTER)
        operation = move.accept(instance, actor=ACTOR, is_safe=False)
        drain()
        operation.refresh_from_db()
        assert "was started after" in operation.detail
        instance.refresh_from_db()
        assert instance.container == former
        assert self.rows(self.binding) == 2
        self.reconcile()
        check_invariants(self.world)
