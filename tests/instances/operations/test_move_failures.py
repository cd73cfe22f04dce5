"""Moves that fail, wherever that is: the old container serves on."""

from instances import errors
from instances.models import (
    DockerHost,
    Operation,
    ServiceInstance,
)
from instances.operations import move, update
from instances.operations.execution import run
from instances.operations.reconcile import reconcile
from tests.fakes import AFTER, check_invariants, claim, drain, expire_leases
from tests.instances.base import ACTOR
from tests.instances.moves import Moves


class FailureTest(Moves):
    """Whatever fails, the old one serves with its data and users."""

    def failed(self, instance: ServiceInstance) -> str:
        former = instance.container
        operation = move.accept(instance, actor=ACTOR, is_safe=False)
        drain()
        operation.refresh_from_db()
        assert operation.state == "failed"
        # At once, not when a reconciliation comes by.
        assert self.world.container_of(instance).state == "running"
        self.world.at(self.other.url).is_down = False
        self.reconcile()
        self.assert_as_before(instance, former)
        return operation.detail

    def test_the_host_has_no_room_any_more(self):
        instance = self.filled()
        full = {"memory_mb": 1}
        self.faults.on(
            "create", lambda: DockerHost.objects.filter(name="two").update(**full)
        )
        self.faults.on("create", errors.HostUnreachable(detail="cut"), nth=1)
        assert "two: 0 of 1 MiB free" in self.failed(instance)
        assert "stop" not in self.faults.calls

    def test_the_disk_there_is_full(self):
        """F52."""
        instance = self.filled()
        self.world.at(self.other.url).free_bytes = 0
        assert "host two has 0 MiB" in self.failed(instance)
        assert "stop" not in self.faults.calls

    def test_the_other_host_dies_at_each_call(self):
        """F32, F79: also after the old one was stopped."""
        calls = ("create", "stop", "write_archive", "start", "inventory")
        for call in (*calls, "create_user"):
            with self.subTest(call):
                instance = self.filled(f"i-{call}")
                there = self.world.at(self.other.url)
                nth = 2 if call == "inventory" else 1

                def die(there=there) -> None:
                    there.is_down = True
                    for container in there.containers.values():
                        container.state = "exited"

                self.faults.on(call, die, nth=nth)
                self.failed(instance)
                self.accept_deprovision(instance)
                drain()

    def test_the_data_does_not_come_along(self):
        instance = self.filled()
        self.world.at(self.other.url).deaf_images.add(self.plan.image)
        assert "not in it" in self.failed(instance)

    def test_tables_are_missing_there(self):
        instance = self.filled()

        def lose() -> None:
            for row in self.world.at(self.other.url).containers.values():
                row.databases.pop(instance.database)

        self.faults.on("inventory", lose, nth=2)
        assert "counted" in self.failed(instance)

    def test_a_server_that_exits_there(self):
        instance = self.filled()
        self.world.at(self.other.url).failing_images[self.plan.image] = 1
        assert "exit code 1" in self.failed(instance)

    def test_a_backup_that_cannot_be_taken_stops_nothing(self):
        instance = self.filled()
        for _ in range(4):
            self.faults.on("commit", errors.HostRefused(detail="no space left"))
        former = instance.container
        operation = move.accept(instance, actor=ACTOR)
        drain()
        operation.refresh_from_db()
        assert operation.state == "failed" and "stop" not in self.faults.calls
        self.assert_as_before(instance, former)

    def test_the_old_host_dies_once_the_data_is_there(self):
        """F43: the old container is a debt that is paid when its host returns."""
        instance = self.filled()

        def die() -> None:
            self.world.machine.is_down = True

        self.faults.on("remove_witness", die)
        operation = move.accept(instance, actor=ACTOR, is_safe=False)
        drain()
        operation.refresh_from_db()
        instance.refresh_from_db()
        assert operation.state == "succeeded", operation.detail
        assert instance.container.host == self.other
        assert self.rows(self.binding) == 1
        assert len(self.world.machine.containers) == 1
        self.world.machine.is_down = False
        self.reconcile()
        assert self.world.machine.containers == {}
        check_invariants(self.world)

    def test_a_deprovision_meanwhile_leaves_nothing(self):
        """F103."""
        for call in ("create", "stop", "write_archive", "start", "remove_witness"):
            with self.subTest(call):
                instance = self.filled(f"i-{call}")
                self.faults.on(call, lambda row=instance: self.accept_deprovision(row))
                move.accept(instance, actor=ACTOR, is_safe=False)
                drain()
                self.reconcile()
                self.assert_nothing_is_left()

    def test_a_reconciliation_that_has_read_the_rows_before_starts_nothing(self):
        """I3: apps with the old address would write into what was copied."""
        instance = self.filled()
        row = instance.container

        def stop() -> None:
            row.move("kept", only_from=("in_use",))
            self.world.machine.containers[row.name].state = "exited"

        self.faults.on("list", stop)
        reconcile(self.host)
        assert self.world.machine.containers[row.name].state == "exited"

    def test_a_late_attempt_does_not_start_the_old_one_beside_another(self):
        """I3: whoever has taken over has stopped it to copy it."""
        operation = move.accept(self.filled(), actor=ACTOR, is_safe=False)
        late, former = claim(operation), operation.instance.container
        state = []

        def take_over() -> None:
            expire_leases()
            assert Operation.objects.get(pk=operation.pk).claim("another worker")

        def look() -> None:
            state.append(self.world.machine.containers[former.name].state)

        self.faults.on("stop", take_over, moment=AFTER)
        run(late)
        look()
        assert state == ["exited"]
        expire_leases()
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded", operation.detail
        assert self.rows(self.binding) == 1

    def test_its_memory_stays_reserved_until_it_is_not_needed(self):
        """A failed move must find the room that it has left."""
        instance, free = self.filled(), []
        host = self.host
        self.faults.on("write_archive", lambda: free.append(host.free_memory_mb()))
        before = host.free_memory_mb()
        self.moved(instance)
        assert free == [before]
        assert host.free_memory_mb() == before + instance.container.memory_mb

    def test_an_upgrade_after_a_failed_move(self):
        """I2: the port of what the move has left behind is not the instance's."""
        instance = self.filled()
        self.faults.on("start", lambda: self.go_down())
        move.accept(instance, actor=ACTOR, is_safe=False)
        drain()
        port = instance.container.port
        self.world.machine.images.add("brokersite/mariadb:10.12")
        self.plan.image, self.plan.maintenance_version = "brokersite/mariadb:10.12", "2"
        self.plan.save()
        update.accept(
            guid=instance.guid,
            offering_id=self.plan.offering_id,
            plan_id="",
            wanted={},
            context={},
            maintenance_version="2",
            actor=ACTOR,
        )
        drain()
        self.world.at(self.other.url).is_down = False
        self.reconcile()
        instance.refresh_from_db()
        assert instance.container.image == "brokersite/mariadb:10.12"
        assert instance.container.port == port
        check_invariants(self.world)

    def go_down(self) -> None:
        self.world.at(self.other.url).is_down = True
