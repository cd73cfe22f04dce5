"""What a platform is told of limits of disk space, and of instances in all."""

from instances.models import Broker, Container, ServicePlan
from instances.operations import disk
from tests.fakes import OFFERING_ID, drain, make_plan
from tests.osbapi.base import PlatformTestCase

MIB = 2**20


class LimitInAllTest(PlatformTestCase):
    """CLOUD-CONTROLLER 4: a refusal is 400, which deletes nothing."""

    def setUp(self) -> None:
        super().setUp()
        make_plan("plan-2")
        Broker.objects.update_or_create(id=1, defaults={"instance_limit": 2})

    def test_it_counts_all_plans_and_is_named(self):
        assert self.put("i-1").status_code == 202
        assert self.put("i-2", plan_id="plan-2").status_code == 202
        answer = self.put("i-3")
        assert answer.status_code == 400
        assert "limited to 2 service instances in all" in answer.json()["description"]

    def test_a_repeat_is_none_more(self):
        assert self.put("i-1").status_code == 202
        assert self.put("i-2").status_code == 202
        assert self.put("i-2").status_code == 202

    def test_one_that_is_gone_makes_room(self):
        self.put("i-1")
        self.put("i-2")
        drain()
        self.delete("i-2")
        assert self.put("i-3").status_code == 400
        drain()
        assert self.put("i-3").status_code == 202

    def test_none_at_all_is_a_limit_too(self):
        Broker.objects.update(instance_limit=0)
        assert self.put().status_code == 400

    def test_another_plan_is_no_further_instance(self):
        Broker.objects.update(instance_limit=1)
        self.ready()
        body = {"service_id": OFFERING_ID, "plan_id": "plan-2"}
        path = "/v2/service_instances/i-1?accepts_incomplete=true"
        assert self.call("PATCH", path, body).status_code == 202


class DiskTest(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        ServicePlan.objects.update(disk_mb=100, when_disk_full="stop")
        self.instance = self.ready()
        self.bind()
        self.world.container_of(self.instance).size = 150 * MIB
        disk.measure(self.instance.container.host)
        assert Container.objects.get().disk_state == "stopped"

    def patch(self, **fields: object):
        path = "/v2/service_instances/i-1?accepts_incomplete=true"
        return self.call("PATCH", path, {"service_id": OFFERING_ID, **fields})

    def test_a_bind_of_a_stopped_database_is_400_with_the_reason(self):
        answer = self.bind("b-2")
        assert answer.status_code == 400
        assert "disk limit of 100 MiB is used up" in answer.json()["description"]

    def test_a_plan_that_it_fills_too_is_422(self):
        """OSB-CHECKLIST 105."""
        make_plan("plan-2", disk_mb=150)
        answer = self.patch(plan_id="plan-2")
        assert answer.status_code == 422
        assert "150 MiB" in answer.json()["description"]

    def test_a_larger_plan_starts_it_and_binds_go_on(self):
        make_plan("plan-2", disk_mb=1000)
        assert self.patch(plan_id="plan-2").status_code == 202
        drain()
        assert self.bind("b-2", plan_id="plan-2").status_code == 201

    def test_it_can_be_renamed_and_deleted(self):
        assert self.patch(context={"instance_name": "new"}).status_code == 200
        assert self.delete().status_code == 202
        drain()
        assert not self.world.containers()
