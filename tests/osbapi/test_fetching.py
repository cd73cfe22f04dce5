"""GET of instances and bindings, the endpoints, rotation, limits and odd ids."""

from urllib.parse import quote

from instances.models import ServiceBinding, ServiceInstance, ServicePlan
from tests.fakes import drain
from tests.osbapi.base import BODY, IDS, PASSWORD, USERNAME, PlatformTestCase, basic

INSTANCE = "/v2/service_instances/i-1"
BINDING = f"{INSTANCE}/service_bindings/b-1"


class ReadyTestCase(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        assert self.call("PUT", f"{INSTANCE}?accepts_incomplete=true", BODY)
        drain()


class GetInstanceTest(ReadyTestCase):
    """OSB-CHECKLIST 90-93."""

    def test_a_ready_one_is_200_with_its_ids(self):
        answer = self.call("GET", INSTANCE)
        assert answer.status_code == 200
        assert answer.json().items() >= IDS.items()

    def test_one_in_progress_or_unknown_is_404(self):
        self.call("PUT", "/v2/service_instances/i-2?accepts_incomplete=true", BODY)
        for guid in ("i-2", "unknown"):
            assert self.call("GET", f"/v2/service_instances/{guid}").status_code == 404

    def test_wrong_hints_are_400_and_right_ones_are_not(self):
        for hint, status in (("plan-x", 400), (IDS["plan_id"], 200)):
            answer = self.call("GET", f"{INSTANCE}?plan_id={hint}")
            assert answer.status_code == status


class GetBindingTest(ReadyTestCase):
    """OSB-CHECKLIST 124-127."""

    def test_it_is_the_same_document_as_at_the_bind(self):
        bound = self.call("PUT", BINDING, IDS)
        fetched = self.call("GET", BINDING)
        assert (fetched.status_code, fetched.json()) == (200, bound.json())

    def test_an_unknown_one_is_404(self):
        assert self.call("GET", BINDING).status_code == 404

    def test_one_of_another_instance_is_404(self):
        self.call("PUT", BINDING, IDS)
        self.call("PUT", "/v2/service_instances/i-2?accepts_incomplete=true", BODY)
        drain()
        path = "/v2/service_instances/i-2/service_bindings/b-1"
        assert self.call("GET", path).status_code == 404

    def test_endpoints_have_ports_as_strings(self):
        """OSB-CHECKLIST 117."""
        document = self.call("PUT", BINDING, IDS).json()
        credentials = document["credentials"]
        host, port = credentials["host"], str(credentials["port"])
        assert document["endpoints"] == [{"host": host, "ports": [port]}]

    def test_last_operation_of_a_binding_is_succeeded(self):
        """OSB-CHECKLIST 128."""
        self.call("PUT", BINDING, IDS)
        answer = self.call("GET", f"{BINDING}/last_operation")
        assert (answer.status_code, answer.json()) == (200, {"state": "succeeded"})

    def test_last_operation_of_an_unknown_binding_is_404(self):
        assert self.call("GET", f"{BINDING}/last_operation").status_code == 404


class RotationTest(ReadyTestCase):
    """OSB-CHECKLIST 119-123."""

    def rotate(self, guid: str = "b-2", predecessor: str = "b-1", **fields: str):
        path = f"{INSTANCE}/service_bindings/{guid}"
        return self.call("PUT", path, {"predecessor_binding_id": predecessor, **fields})

    def test_the_predecessor_alone_is_enough(self):
        first = self.call("PUT", BINDING, {**IDS, "app_guid": "app"}).json()
        answer = self.rotate()
        assert answer.status_code == 201
        assert answer.json()["credentials"] != first["credentials"]
        assert ServiceBinding.objects.get(guid="b-2").app_guid == "app"

    def test_both_live_until_each_is_deleted(self):
        """F74."""
        self.call("PUT", BINDING, IDS)
        self.rotate()
        instance = ServiceInstance.objects.get()
        assert len(self.world.users_of(instance)) == 2
        path = "&".join(f"{name}={value}" for name, value in IDS.items())
        assert self.call("DELETE", f"{BINDING}?{path}").status_code == 200
        assert len(self.world.users_of(instance)) == 1
        assert self.rotate().status_code in (200, 400)

    def test_a_repeat_is_200_with_the_same_credentials(self):
        self.call("PUT", BINDING, IDS)
        first, again = self.rotate(), self.rotate()
        assert again.status_code == 200 and again.json() == first.json()

    def test_another_predecessor_under_the_same_id_is_409(self):
        self.call("PUT", BINDING, IDS)
        self.call("PUT", f"{INSTANCE}/service_bindings/b-3", IDS)
        self.rotate()
        assert self.rotate(predecessor="b-3").status_code == 409

    def test_an_unknown_predecessor_is_400_naming_the_field(self):
        answer = self.rotate(predecessor="nothing")
        assert answer.status_code == 400
        assert "predecessor_binding_id" in answer.json()["description"]


class MaintenanceTest(PlatformTestCase):
    """OSB-CHECKLIST 67."""

    def provision(self, version: str):
        wish = {**BODY, "maintenance_info": {"version": version, "description": "x"}}
        path = f"{INSTANCE}?accepts_incomplete=true"
        return self.call("PUT", path, wish)

    def test_a_version_of_a_plan_without_one_is_422(self):
        answer = self.provision("1.0.0")
        assert answer.status_code == 422
        assert answer.json()["error"] == "MaintenanceInfoConflict"
        assert not ServiceInstance.objects.exists()

    def test_only_the_plans_own_version_is_taken(self):
        ServicePlan.objects.update(maintenance_version="1.2.3")
        assert self.provision("1.2.4").status_code == 422
        assert self.provision("1.2.3").status_code == 202
        drain()
        fetched = self.call("GET", INSTANCE).json()
        assert fetched["maintenance_info"] == {"version": "1.2.3"}

    def test_a_repeat_is_not_a_conflict_when_the_version_has_moved_on(self):
        """OSB-CHECKLIST 75: the platform repeats, it does not decide again."""
        ServicePlan.objects.update(maintenance_version="1.2.3")
        self.provision("1.2.3")
        ServicePlan.objects.update(maintenance_version="2.0.0")
        assert self.provision("1.2.3").status_code == 202


class LimitTest(PlatformTestCase):
    """CLOUD-CONTROLLER 4: a refusal is 400, which deletes nothing."""

    def provision(self, guid: str, organization: str = "o-1"):
        path = f"/v2/service_instances/{guid}?accepts_incomplete=true"
        return self.call("PUT", path, {**BODY, "organization_guid": organization})

    def test_the_plans_limit_is_named(self):
        ServicePlan.objects.update(instance_limit=1)
        assert self.provision("i-1").status_code == 202
        answer = self.provision("i-2")
        assert answer.status_code == 400
        assert "limited to 1 service instances" in answer.json()["description"]

    def test_an_organizations_limit_does_not_hit_others(self):
        ServicePlan.objects.update(organization_limit=1)
        assert self.provision("i-1", "o-1").status_code == 202
        assert self.provision("i-2", "o-1").status_code == 400
        assert self.provision("i-3", "o-2").status_code == 202


class OddIdTest(PlatformTestCase):
    """OSB-CHECKLIST 28, S32: any string is an id, decoded once."""

    def test_encoded_slashes_and_percents_stay_in_the_id(self):
        for guid in ("a/b", "a/last_operation", "a%2Fb", "100%", "..", "ü ñ", "?&#"):
            path = f"/v2/service_instances/{quote(guid, safe='')}"
            raw = f"{path}?accepts_incomplete=true"
            answer = self.call("PUT", raw, BODY)
            assert answer.status_code == 202, guid
            assert ServiceInstance.objects.filter(guid=guid).count() == 1
            answer = self.call(
                "GET", f"{path}/last_operation", RAW_URI=f"{path}/last_operation"
            )
            assert answer.json()["state"] == "in progress"


class ConditionalCatalogTest(PlatformTestCase):
    """OSB-CHECKLIST 40."""

    def test_a_known_catalog_is_304_and_a_changed_one_is_sent(self):
        etag = self.call("GET", "/v2/catalog").headers["ETag"]
        login = {"Authorization": basic(USERNAME, PASSWORD)}
        sent = {**login, "X-Broker-API-Version": "2.17", "If-None-Match": etag}
        answer = self.client.get("/v2/catalog", headers=sent)
        assert (answer.status_code, answer.content) == (304, b"")
        ServicePlan.objects.update(description="changed")
        assert self.client.get("/v2/catalog", headers=sent).status_code == 200
