from instances.models import Operation, ServiceBinding, ServicePlan
from tests.fakes import drain
from tests.osbapi.base import IDS, PlatformTestCase


class DeprovisionTest(PlatformTestCase):
    """OSB-CHECKLIST 135-142."""

    def test_accepted_is_202_with_an_operation(self):
        self.ready()
        answer = self.delete()
        assert answer.status_code == 202 and answer.json()["operation"]

    def test_a_repeat_is_202_with_the_same_operation(self):
        """OSB-CHECKLIST 138 (F14)."""
        self.ready()
        first, second = self.delete(), self.delete()
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json() == second.json()

    def test_without_accepts_incomplete_it_is_200_when_all_is_gone(self):
        """OSB-CHECKLIST 138: a JSON object, not 204."""
        self.ready()
        answer = self.delete(is_async=False)
        assert (answer.status_code, answer.json()) == (200, {})
        assert self.world.containers() == []

    def test_an_unknown_instance_is_410(self):
        """OSB-CHECKLIST 138, 156."""
        assert self.delete("unknown").status_code == 410

    def test_an_instance_that_is_gone_is_410(self):
        self.ready()
        self.delete(is_async=False)
        assert self.delete().status_code == 410
        assert self.delete(is_async=False).status_code == 410

    def test_missing_ids_are_400_and_named(self):
        """OSB-CHECKLIST 135."""
        self.ready()
        for name in IDS:
            query = {key: value for key, value in IDS.items() if key != name}
            for given in (query, {**query, name: ""}):
                answer = self.delete(**given)
                assert answer.status_code == 400
                assert name in answer.json()["description"]

    def test_wrong_ids_are_400_and_change_nothing(self):
        """OSB-CHECKLIST 138 (F21)."""
        self.ready()
        for name in IDS:
            assert self.delete(**{**IDS, name: "wrong"}).status_code == 400
        assert self.poll().json()["state"] == "succeeded"
        assert self.bind().status_code == 201

    def test_while_it_is_provisioned_it_is_accepted(self):
        """OSB-CHECKLIST 139 (F12, F4): Cloud Controller does so after a time-out."""
        self.put()
        assert self.delete().status_code == 202
        drain()
        self.assert_gone()

    def assert_gone(self) -> None:
        assert self.world.containers() == []
        assert self.delete().status_code == 410

    def test_without_an_identity_or_a_poll_it_ends(self):
        """OSB-CHECKLIST 156 (F6)."""
        self.ready()
        self.delete()
        drain()
        self.assert_gone()

    def test_bindings_are_no_obstacle(self):
        """OSB-CHECKLIST 137 (F13)."""
        self.ready()
        self.bind()
        self.delete()
        drain()
        assert ServiceBinding.objects.get().state == "gone"
        assert self.unbind().status_code == 410

    def test_a_failed_instance_is_deleted(self):
        """OSB-CHECKLIST 77."""
        self.world.machine.images.clear()
        self.put()
        drain()
        assert self.delete(is_async=False).status_code == 200

    def test_a_withdrawn_plan_is_no_obstacle(self):
        """OSB-CHECKLIST 39 (F21)."""
        self.ready()
        ServicePlan.objects.update(active=False)
        assert self.delete(is_async=False).status_code == 200

    def test_one_that_runs_is_422_without_accepts_incomplete(self):
        self.ready()
        self.delete()
        answer = self.delete(is_async=False)
        assert answer.status_code == 422
        assert answer.json()["error"] == "ConcurrencyError"

    def test_a_dead_host_is_500_and_the_deletion_goes_on(self):
        """OSB-CHECKLIST 142 (F108): whether or not the platform asks again."""
        self.ready()
        self.world.machine.is_down = True
        assert self.delete(is_async=False).status_code == 500
        assert self.delete().status_code == 202
        self.world.machine.is_down = False
        drain()
        self.assert_gone()

    def test_it_reads_no_body(self):
        """CLOUD-CONTROLLER §1: a DELETE has none."""
        self.ready()
        path = self.path("i-1", True, **IDS)
        answer = self.call("DELETE", path, raw=b"{nonsense", content_type="text/x")
        assert answer.status_code == 202

    def test_one_deletion_is_recorded(self):
        self.ready()
        for _ in range(3):
            self.delete()
        assert Operation.objects.filter(kind="deprovision").count() == 1
