"""Creations that were served late: after their deletion was (FAILURES F5, F72, I10)."""

from datetime import timedelta
from typing import Any
from unittest import mock

from django.test import TestCase
from django.utils import timezone

from instances.models import Operation, ServiceBinding, ServiceInstance, Tombstone
from instances.models.service_binding import ServiceBindingQuerySet
from instances.models.service_offering import ServicePlanQuerySet
from tests.fakes import PLAN_ID, drain
from tests.osbapi.base import BODY, IDS, PlatformTestCase


def sent(**ago: float) -> dict[str, str]:
    """The header of Cloud Foundry's router for a request of so long ago."""
    at = timezone.now() - timedelta(**ago)
    return {"X-Request-Start": str(int(at.timestamp() * 1000))}


class LateTestCase(PlatformTestCase):
    def put_sent(self, guid: str = "i-1", **ago: float) -> Any:
        path = self.path(guid, is_async=True)
        return self.call("PUT", path, BODY, headers=sent(**ago))

    def bind_sent(self, guid: str = "b-1", **ago: float) -> Any:
        path = self.binding_path(guid, "i-1")
        return self.call("PUT", path, IDS, headers=sent(**ago))

    def assert_refused(self, answer: Any) -> None:
        """409: Cloud Controller deletes nothing after it, and nothing is there."""
        assert answer.status_code == 409, answer.content
        assert answer.json()["error"] == "Conflict"


class LateProvisionTest(LateTestCase):
    def test_one_that_is_older_than_its_deletion_is_refused(self):
        """F5."""
        assert self.delete().status_code == 410
        answer = self.put_sent(seconds=61)
        self.assert_refused(answer)
        assert "use another id" in answer.json()["description"]
        assert not ServiceInstance.objects.exists()
        assert not Operation.objects.exists()

    def test_so_is_one_that_does_not_say_how_old_it_is(self):
        self.delete()
        self.assert_refused(self.put())
        for text in ("", "soon", "-5", "1.5e12", "9" * 15, "1" * 5000, "t=17"):
            headers = {"X-Request-Start": text}
            path = self.path("i-1", is_async=True)
            self.assert_refused(self.call("PUT", path, BODY, headers=headers))

    def test_so_is_one_whose_age_cannot_be_believed(self):
        """One clock is wrong: it proves nothing, and it refuses nothing else."""
        self.delete()
        for ago in ({"days": 2}, {"minutes": -5}, {"days": 9000}):
            self.assert_refused(self.put_sent(**ago))
            assert self.put_sent(f"other-{ago}", **ago).status_code == 202

    def test_one_that_is_newer_is_served(self):
        """Other platforms may use an id again."""
        self.delete()
        assert self.put_sent(seconds=-1).status_code == 202

    def test_other_ids_and_letters_are_served(self):
        self.delete()
        assert self.put_sent("i-2", seconds=61).status_code == 202
        assert self.put("I-1").status_code == 202

    def test_a_deletion_counts_from_its_last_repeat(self):
        self.delete()
        Tombstone.objects.update(at=timezone.now() - timedelta(minutes=9))
        self.delete()
        assert Tombstone.objects.count() == 1
        self.assert_refused(self.put_sent(seconds=5))

    def test_after_ten_minutes_the_id_is_free(self):
        self.delete()
        Tombstone.objects.update(at=timezone.now() - timedelta(minutes=10, seconds=1))
        assert self.put().status_code == 202

    def test_and_what_is_older_is_refused_by_its_age(self):
        """No tombstone is needed for it: nobody waits as long."""
        self.assert_refused(self.put_sent(minutes=10, seconds=1))
        assert self.put_sent(minutes=9).status_code == 202

    def test_one_that_was_deleted_is_not_made_again(self):
        """I10: the platform's request was delivered twice."""
        self.ready()
        self.delete()
        drain()
        self.assert_refused(self.put_sent(seconds=61))
        assert not Tombstone.objects.exists()

    def test_a_deleted_id_is_free_as_ever(self):
        self.ready()
        self.delete()
        drain()
        assert self.delete().status_code == 410
        assert self.put().status_code == 202

    def test_a_repeat_of_one_that_is_there_is_answered(self):
        self.ready()
        assert self.put_sent(seconds=61).status_code == 200

    def test_one_that_is_recorded_just_then_is_deleted(self):
        """Whichever is recorded first is seen by the other."""
        lock = ServicePlanQuerySet.lock
        came: list[str] = []

        def lock_late(plans: ServicePlanQuerySet, pk: str) -> None:
            if not came:
                came.append(pk)
                assert self.put().status_code == 202
            lock(plans, pk)

        with mock.patch.object(ServicePlanQuerySet, "lock", lock_late):
            assert self.delete().status_code == 202
        drain()
        assert came == [PLAN_ID]
        assert ServiceInstance.objects.get().state == "gone"
        assert not Tombstone.objects.exists()

    def test_a_deletion_that_is_refused_leaves_nothing(self):
        self.delete(service_id="x")
        assert not Tombstone.objects.exists()


class LateBindTest(LateTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ready()

    def test_one_that_is_older_than_its_deletion_is_refused(self):
        """F72."""
        assert self.unbind().status_code == 410
        self.assert_refused(self.bind_sent(seconds=61))
        self.assert_refused(self.bind())
        assert not ServiceBinding.objects.exists()

    def test_others_are_served(self):
        self.unbind()
        assert self.bind_sent(seconds=-1).status_code == 201
        assert self.bind_sent("b-2", seconds=61).status_code == 201

    def test_one_that_was_deleted_is_not_made_again(self):
        """I5, I10."""
        assert self.bind().status_code == 201
        assert self.unbind().status_code == 200
        self.assert_refused(self.bind_sent(seconds=61))
        assert self.bind_sent("B-1", seconds=61).status_code == 201
        assert self.bind().status_code == 201

    def test_of_an_instance_that_is_not_there_yet(self):
        assert self.unbind(instance="i-2").status_code == 410
        self.ready("i-2")
        path = self.binding_path("b-1", "i-2")
        self.assert_refused(self.call("PUT", path, IDS, headers=sent(seconds=61)))

    def test_one_that_is_recorded_just_then_is_deleted(self):
        find = ServiceBindingQuerySet.find_live
        came: list[int] = []

        def find_late(
            rows: ServiceBindingQuerySet, instance: ServiceInstance, guid: str
        ) -> ServiceBinding | None:
            found = find(rows, instance, guid)
            if not came:
                came.append(1)
                assert self.bind().status_code == 201
            return found

        with mock.patch.object(ServiceBindingQuerySet, "find_live", find_late):
            assert self.unbind().status_code == 200
        assert ServiceBinding.objects.get().state == "gone"
        assert not Tombstone.objects.exists()


class PruneTest(TestCase):
    def test_only_what_is_old_goes(self):
        Tombstone.objects.bury("old")
        Tombstone.objects.update(at=timezone.now() - timedelta(minutes=11))
        Tombstone.objects.bury("i" * 500, "b" * 500)
        Tombstone.objects.prune()
        assert len(Tombstone.objects.get().key) == 64
