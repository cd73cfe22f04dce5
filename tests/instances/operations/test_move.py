"""Move: the container is on another host, and nothing that was written is missing."""

import pickle

import pytest

from instances import errors
from instances.models import (
    Container,
    DockerHost,
    Kind,
    Operation,
    PortLease,
    ServiceBinding,
    ServiceInstance,
)
from instances.operations import move, rotate_secret, run_state
from instances.operations.execution import run
from instances.operations.work import Work
from tests.fakes import Refused, check_invariants, claim, drain
from tests.fakes.commits import FakeImage
from tests.instances.base import ACTOR
from tests.instances.moves import Moves


class MoveTest(Moves):
    def test_data_users_and_limits_are_on_the_other_host(self):
        """I1, I2, I3."""
        instance = self.filled()
        former, verifier = instance.container, self.world.container_of(instance).spec
        operation = self.moved(instance)
        assert operation.state == "succeeded", operation.detail
        assert instance.container.host == self.other
        assert instance.container.admin_secret == former.admin_secret
        made = self.world.container_of(instance).spec
        assert made.environment == verifier.environment
        assert (made.memory_mb, made.cpus) == (verifier.memory_mb, verifier.cpus)
        assert self.rows(self.binding) == 1
        assert self.world.machine.containers == {}
        assert PortLease.objects.get(container__isnull=True).host == self.host
        check_invariants(self.world)

    def test_a_rotated_secret_moves_with_what_the_data_knows(self):
        """An image takes data under another verifier for a backup's."""
        instance = self.filled()
        made_with = self.world.container_of(instance).spec.environment
        rotate_secret.accept(instance, actor=ACTOR)
        drain()
        instance.refresh_from_db()
        secret = Container.objects.get(instance=instance).admin_secret
        assert self.moved(instance).state == "succeeded"
        assert self.world.container_of(instance).spec.environment == made_with
        assert instance.container.admin_secret == secret
        assert self.rows(self.binding) == 1

    def test_one_that_an_operator_has_stopped_stays_where_it_is(self):
        instance = self.filled()
        run_state.accept(instance, Kind.STOP, actor=ACTOR)
        drain()
        instance.refresh_from_db()
        with pytest.raises(errors.InvalidRequest, match="An operator has stopped"):
            move.accept(instance, actor=ACTOR)

    def test_the_binding_tells_the_new_address_and_is_known_to_be_stale(self):
        """I4: GET binding tells the truth; the platform has to be told to ask."""
        instance = self.filled()
        old = dict(self.binding.credentials)
        self.moved(instance)
        self.binding.refresh_from_db()
        new = self.binding.credentials
        assert new["host"] == self.other.database_host != old["host"]
        assert f"{new['host']}:{new['port']}" in new["uri"]
        assert (new["username"], new["password"]) == (old["username"], old["password"])
        assert list(ServiceBinding.objects.stale()) == [self.binding]

    def test_the_operation_says_why_there_and_the_steps(self):
        operation = self.moved(self.filled())
        (chosen,) = [row for row in operation.steps if "moving to two" in row["text"]]
        assert "MiB free" in chosen["why"]

    def test_writes_until_the_stop_are_there(self):
        """I3: an app writes at every call that the broker makes."""
        instance, written = self.filled(), 1

        def write() -> None:
            nonlocal written
            try:
                self.log_in(self.binding).write(instance.database)
                written += 1
            except Refused:
                pass

        names = ("create", "leave_witness", "inventory", "stop", "read_archive")
        for name in (*names, "write_archive", "start"):
            self.faults.on(name, write)
        assert self.moved(instance).state == "succeeded"
        assert written > 4
        assert self.rows(self.binding) == written

    def test_bindings_ended_meanwhile_do_not_come_along(self):
        """I5, I6: the unbind was recorded, and its user not dropped yet."""
        instance = self.filled()
        ended = self.bound(instance, "b-ended")
        self.accept_unbind(instance, "b-ended", owner="")
        # The first call fails: the user is in the data that moves.
        self.faults.on("drop_user", errors.EngineUnreachable(detail="cut"))
        self.moved(instance)
        with pytest.raises(Refused):
            self.log_in(ended)
        assert self.world.users_of(instance) == [self.binding.username]

    def test_a_bind_that_is_under_way_is_waited_for(self):
        """I4: it may have read the old address."""
        instance = self.filled()
        binding, operation = self.accept_bind(instance, "b-slow")
        moving = move.accept(instance, actor=ACTOR, is_safe=False)
        check, calls = Work.check, []

        def end(work: Work) -> None:
            check(work)
            if work.operation.pk == moving.pk and not calls:
                calls.append(1)
                run(operation)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Work, "check", end)
            run(claim(moving))
        assert calls
        assert self.rows(binding) == 1
        assert binding.credentials["host"] == self.other.database_host

    def test_the_same_address_and_port_are_kept_where_the_hosts_share_one(self):
        """I2: nobody has to bind anew."""
        self.other.database_host = self.host.database_host
        self.other.save()
        instance = self.filled()
        port = instance.container.port
        # The other one has the address in reality, too: packets are sent on to it.
        self.other.publish_address = self.host.publish_address
        self.other.save()
        self.moved(instance)
        assert (instance.container.host, instance.container.port) == (self.other, port)
        assert not ServiceBinding.objects.stale().exists()
        assert self.rows(self.binding) == 1

    def test_there_and_back_again(self):
        instance = self.filled()
        self.moved(instance)
        assert self.moved(instance, self.host).state == "succeeded"
        assert instance.container.host == self.host
        assert self.rows(self.binding) == 1
        check_invariants(self.world)

    def test_a_backup_comes_first(self):
        instance = self.filled()
        operation = move.accept(instance, actor=ACTOR)
        drain()
        backup = operation.backups.get()
        assert (backup.state, backup.trigger) == ("committed", "move")
        assert backup.host == self.host

    def test_the_image_comes_along_if_it_is_not_there(self):
        """F47: an image that no plan names any more cannot be prestaged."""
        instance = self.filled()
        image = instance.container.image
        there = self.world.at(self.other.url)
        there.images.clear()
        empty = FakeImage(pickle.dumps(({}, {})), {})
        self.world.machine.backups[image] = empty
        operation = self.moved(instance)
        assert operation.state == "succeeded", operation.detail
        assert there.has(image)
        assert self.rows(self.binding) == 1

    def test_a_stranger_on_the_port_there_costs_another_one(self):
        """F54."""
        instance = self.filled()
        taken = (self.other.publish_address, self.other.port_min)
        self.world.machine.strangers.add(taken)
        self.world.at(self.other.url).strangers.add(taken)
        assert self.moved(instance).state == "succeeded"
        assert instance.container.port == self.other.port_min + 1
        assert self.rows(self.binding) == 1


class RefusalTest(Moves):
    def refusal(self, instance: ServiceInstance, host: DockerHost | None = None) -> str:
        with pytest.raises(errors.BrokerError) as caught:
            move.accept(instance, host=host, actor=ACTOR)
        assert not Operation.objects.unfinished().exists()
        return f"{caught.value} {caught.value.detail}"

    def test_places_that_cannot_be(self):
        instance = self.filled()
        assert "it is there already" in self.refusal(instance, self.host)
        for fields, words in (
            ({"state": "cordoned"}, "Cordoned"),
            ({"state": "draining"}, "Draining"),
            ({"problem": "down"}, "did not answer"),
            ({"other_engine_id": "x"}, "another Docker Engine"),
            ({"memory_mb": 1}, "MiB free"),
            ({"port_max": self.other.port_min, "port_min": 20001}, "no free port"),
        ):
            fields = {"problem": "", "other_engine_id": "", "state": "active", **fields}
            with self.subTest(words):
                if words == "no free port":
                    PortLease.objects.create(
                        host=self.other,
                        number=20000,
                        resting_until="2999-01-01T00:00Z",
                    )
                    fields = {"port_min": 20000, "port_max": 20000, "memory_mb": 9999}
                    fields |= {"problem": "", "other_engine_id": "", "state": "active"}
                DockerHost.objects.filter(pk=self.other.pk).update(**fields)
                assert words in self.refusal(instance, self.other)
                assert words in self.refusal(instance)

    def test_labels_that_the_plan_asks_for(self):
        instance = self.filled()
        self.plan.host_labels = "ssd"
        self.plan.save()
        assert "has no label ssd" in self.refusal(instance, self.other)

    def test_instances_that_cannot_be(self):
        instance = self.filled()
        Container.objects.update(disk_state="stopped")
        instance.container.refresh_from_db()
        assert "disk is full" in self.refusal(instance)
        Container.objects.update(disk_state="fine")
        for state, words in (
            ("deprovisioning", "deprovisioning"),
            ("failed", "no dat"),
        ):
            ServiceInstance.objects.update(state=state)
            assert words in self.refusal(instance)

    def test_a_host_of_its_own_that_does_not_answer(self):
        """F42, F44: its data cannot be fetched."""
        instance = self.filled()
        for fields in ({"problem": "down"}, {"other_engine_id": "x", "problem": ""}):
            DockerHost.objects.filter(pk=self.host.pk).update(**fields)
            assert "one does not answer" in self.refusal(instance)

    def test_twice_at_once(self):
        """F104."""
        instance = self.filled()
        move.accept(instance, actor=ACTOR)
        with pytest.raises(errors.ConcurrencyError):
            move.accept(instance, actor=ACTOR)
