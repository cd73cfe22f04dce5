from instances.models import ServiceBinding, ServiceOffering, ServicePlan
from tests.fakes import drain
from tests.osbapi.base import IDS, PlatformTestCase


class BindTest(PlatformTestCase):
    """OSB-CHECKLIST 109-117."""

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.ready()

    def error(self, answer: object, status: int) -> str:
        assert answer.status_code == status, answer.json()
        return f"{answer.json()['error']}: {answer.json()['description']}"

    def test_it_is_201_with_credentials_that_work(self):
        """OSB-CHECKLIST 113, 145 (I4)."""
        answer = self.bind()
        assert answer.status_code == 201
        credentials = answer.json()["credentials"]
        session = self.world.engine.log_in(
            credentials["host"],
            credentials["port"],
            username=credentials["username"],
            password=credentials["password"],
        )
        session.write(credentials["database"])

    def test_it_is_never_asynchronous(self):
        """CLOUD-CONTROLLER §9."""
        assert "operation" not in self.bind().json()

    def test_nothing_undeclared_is_in_the_answer(self):
        """OSB-CHECKLIST 117: each obliges to a `requires` of the offering."""
        undeclared = {"syslog_drain_url", "route_service_url", "volume_mounts"}
        assert not set(self.bind().json()) & undeclared

    def test_a_repeat_is_200_with_the_same_body(self):
        """OSB-CHECKLIST 113, 21.7: byte for byte (F69)."""
        first, second = self.bind(), self.bind()
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.content == second.content

    def test_other_attributes_under_the_same_id_are_409(self):
        """OSB-CHECKLIST 114."""
        self.bind()
        for changes in (
            {"parameters": {"a": 1}},
            {"app_guid": "app-1"},
            {"bind_resource": {"app_guid": "app-1"}},
        ):
            assert self.bind(**changes).status_code == 409

    def test_the_same_id_in_another_instance_is_another_binding(self):
        """OSB-CHECKLIST 114."""
        self.ready("i-2")
        first, second = self.bind(), self.bind(instance="i-2")
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() != second.json()

    def test_missing_ids_are_400_and_named(self):
        """OSB-CHECKLIST 110."""
        for name in IDS:
            for value in (None, ""):
                assert name in self.error(self.bind(**{name: value}), 400)

    def test_wrong_ids_are_400_and_named(self):
        """OSB-CHECKLIST 110."""
        for name in IDS:
            assert name in self.error(self.bind(**{name: "wrong"}), 400)

    def test_parameters_are_400(self):
        """OSB-CHECKLIST 112."""
        assert "role" in self.error(self.bind(parameters={"role": "dba"}), 400)
        assert not ServiceBinding.objects.exists()

    def test_an_unknown_instance_is_404(self):
        """OSB-CHECKLIST 116."""
        assert self.bind(instance="unknown").status_code == 404

    def test_an_instance_that_is_being_provisioned_is_422(self):
        """OSB-CHECKLIST 116 (F70)."""
        self.put("i-2")
        answer = self.bind(instance="i-2")
        assert self.error(answer, 422).startswith("ConcurrencyError: ")

    def test_an_instance_that_is_being_deleted_is_422(self):
        """OSB-CHECKLIST 116."""
        self.delete()
        assert self.error(self.bind(), 422).startswith("ConcurrencyError: ")

    def test_a_failed_instance_is_400(self):
        """OSB-CHECKLIST 116."""
        self.world.machine.images.clear()
        self.put("i-2")
        drain()
        assert self.bind(instance="i-2").status_code == 400

    def test_an_offering_without_bindings_is_400(self):
        """OSB-CHECKLIST 109."""
        ServiceOffering.objects.update(bindable=False)
        assert self.bind().status_code == 400

    def test_an_app_is_not_needed(self):
        """OSB-CHECKLIST 111: a service key has none."""
        answer = self.bind(bind_resource={"credential_client_id": "cc"})
        assert answer.status_code == 201

    def test_the_app_is_kept_wherever_it_is_said(self):
        """OSB-CHECKLIST 111."""
        self.bind("b-1", app_guid="app-1")
        self.bind("b-2", bind_resource={"app_guid": "app-1"})
        assert set(ServiceBinding.objects.values_list("app_guid", flat=True)) == {
            "app-1"
        }

    def test_what_cloud_controller_sends_is_taken(self):
        """CLOUD-CONTROLLER §1."""
        answer = self.bind(
            app_guid="app-1",
            bind_resource={
                "app_guid": "app-1",
                "space_guid": "s-1",
                "app_annotations": {"example.com/key": "value"},
            },
            context={"platform": "cloudfoundry", "organization_guid": "o-1"},
        )
        assert answer.status_code == 201
        assert ServiceBinding.objects.get().app_name == ""

    def test_an_annotation_may_name_the_app(self):
        """Kept as the name that operators look for (CLOUD-CONTROLLER §1)."""
        resource = {"app_guid": "app-1"}
        for number, (annotations, name) in enumerate(
            (
                ({"example.com/name": "shop", "z/name": "other"}, "shop"),
                ({"example.com/name": "x" * 300}, "x" * 255),
                ({"example.com/name": ["shop"]}, ""),
                ([], ""),
            )
        ):
            resource["app_annotations"] = annotations
            assert self.bind(f"b-{number}", bind_resource=resource).status_code == 201
            assert ServiceBinding.objects.get(guid=f"b-{number}").app_name == name

    def test_an_app_guid_of_any_length_is_no_fault_of_ours(self):
        """OSB-CHECKLIST 7: MySQL refuses what does not fit the column."""
        answer = self.bind(bind_resource={"app_guid": "x" * 300})
        assert answer.status_code in (201, 400)
        assert all(len(b.app_guid) <= 255 for b in ServiceBinding.objects.all())

    def test_a_withdrawn_plan_is_bound(self):
        """OSB-CHECKLIST 39 (F21)."""
        ServicePlan.objects.update(active=False)
        assert self.bind().status_code == 201

    def test_a_silent_engine_is_500_and_leaves_no_ghost(self):
        """OSB-CHECKLIST 7, F3, I6."""
        self.world.engine.is_down = True
        answer = self.bind()
        assert "does not answer" in self.error(answer, 500)
        self.world.engine.is_down = False
        drain()
        assert self.world.users_of(self.instance) == []
        assert self.bind().status_code == 201

    def test_credentials_are_not_to_be_stored_by_proxies(self):
        """S23."""
        assert self.bind()["Cache-Control"] == "no-store"


class UnbindTest(PlatformTestCase):
    """OSB-CHECKLIST 129-134."""

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.ready()
        self.bind()

    def test_it_is_200_with_an_empty_object_and_the_user_is_gone(self):
        """OSB-CHECKLIST 131 (I5)."""
        answer = self.unbind()
        assert (answer.status_code, answer.json()) == (200, {})
        assert self.world.users_of(self.instance) == []

    def test_a_repeat_is_410(self):
        """OSB-CHECKLIST 131."""
        self.unbind()
        assert self.unbind().status_code == 410

    def test_an_unknown_binding_is_410(self):
        """OSB-CHECKLIST 131 (F72)."""
        assert self.unbind("unknown").status_code == 410

    def test_an_unknown_instance_is_410(self):
        """OSB-CHECKLIST 133."""
        assert self.unbind(instance="unknown").status_code == 410

    def test_a_binding_of_another_instance_is_410(self):
        self.ready("i-2")
        assert self.unbind(instance="i-2").status_code == 410
        assert len(self.world.users_of(self.instance)) == 1

    def test_missing_ids_are_400_and_named(self):
        """OSB-CHECKLIST 129."""
        for name in IDS:
            query = {key: value for key, value in IDS.items() if key != name}
            answer = self.unbind(**query)
            assert answer.status_code == 400
            assert name in answer.json()["description"]

    def test_wrong_ids_are_400_and_change_nothing(self):
        """OSB-CHECKLIST 133."""
        for name in IDS:
            assert self.unbind(**{**IDS, name: "wrong"}).status_code == 400
        assert len(self.world.users_of(self.instance)) == 1

    def test_while_the_instance_is_being_deleted_it_is_422(self):
        self.delete()
        answer = self.unbind()
        assert answer.status_code == 422
        assert answer.json()["error"] == "ConcurrencyError"

    def test_a_silent_engine_is_500_and_a_repeat_tries_at_once(self):
        """OSB-CHECKLIST 134 (F71): never 200 while the credentials could live again."""
        self.world.engine.is_down = True
        assert self.unbind().status_code == 500
        self.world.engine.is_down = False
        assert self.unbind().status_code == 200
        assert self.world.users_of(self.instance) == []

    def test_a_container_that_is_gone_took_the_user_with_it(self):
        """OSB-CHECKLIST 134 (F49)."""
        self.world.machine.containers.clear()
        assert self.unbind().status_code == 200

    def test_without_accepts_incomplete_it_is_the_same(self):
        """CLOUD-CONTROLLER §1: DeleteOrphanedKey does not send it."""
        path = "/v2/service_instances/i-1/service_bindings/b-1"
        path += "?service_id=offering-1&plan_id=plan-1"
        assert self.call("DELETE", path).status_code == 200

    def test_it_reads_no_body(self):
        path = self.binding_path("b-1", "i-1", **IDS)
        answer = self.call("DELETE", path, raw=b"[", content_type="application/json")
        assert answer.status_code == 200

    def test_the_id_can_be_used_again(self):
        self.unbind()
        assert self.bind().status_code == 201
