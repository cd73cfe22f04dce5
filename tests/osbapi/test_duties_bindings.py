"""Duties about service bindings that no other test is about."""

from typing import Any

from instances.models import ServiceBinding, ServiceOffering
from instances.operations.execution import run
from tests.osbapi.base import IDS, PlatformTestCase

INSTANCE = "/v2/service_instances/i-1"
BINDING = f"{INSTANCE}/service_bindings/b-1"


class BindingTestCase(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.ready()

    def rotate(self, guid: str = "b-2", instance: str = "i-1", **fields: Any) -> Any:
        body = {"predecessor_binding_id": "b-1", **fields}
        return self.call("PUT", self.binding_path(guid, instance), body)

    def works(self, answer: Any) -> bool:
        """Whether an app could write with what was answered."""
        credentials = answer.json()["credentials"]
        login = {name: credentials[name] for name in ("username", "password")}
        users = self.world.users_of(self.instance)
        if login["username"] not in users:
            return False
        host, port = credentials["host"], credentials["port"]
        self.world.engine.log_in(host, port, **login).write(credentials["database"])
        return True


class BindDutyTest(BindingTestCase):
    def test_each_binding_has_a_login_of_its_own(self):
        """OSB-CHECKLIST 117."""
        first, second = self.bind("b-1"), self.bind("b-2")
        for name in ("username", "password"):
            assert (
                first.json()["credentials"][name] != second.json()["credentials"][name]
            )
        self.unbind("b-1")
        assert not self.works(first) and self.works(second)

    def test_no_expiry_is_claimed(self):
        """OSB-CHECKLIST 117, 123: unless the plan says so."""
        assert "metadata" not in self.bind().json()

    def test_nothing_is_bound_where_nothing_is_bindable(self):
        """OSB-CHECKLIST 109: nor by rotation."""
        self.bind()
        ServiceOffering.objects.update(bindable=False)
        assert self.bind("b-3").status_code == 400
        assert self.rotate().status_code == 400

    def test_a_context_is_taken_and_not_compared(self):
        """OSB-CHECKLIST 112, 113."""
        assert self.bind(context={"platform": "cloudfoundry"}).status_code == 201
        assert self.bind(context={"platform": "kubernetes"}).status_code == 200

    def test_a_repeat_says_the_same_when_the_parameters_are_the_same(self):
        """OSB-CHECKLIST 113, 114."""
        given = {"parameters": {"read_only": True}}
        first, again = self.bind(**given), self.bind(**given)
        assert (first.status_code, again.status_code) == (201, 200)
        assert self.bind(parameters={"read_only": False}).status_code == 409


class FetchBindingDutyTest(BindingTestCase):
    def test_it_is_said_with_its_parameters(self):
        """OSB-CHECKLIST 48, 124, 125, 21.7."""
        bound = self.bind(parameters={"read_only": True}).json()
        fetched = self.get(BINDING)
        assert fetched.status_code == 200
        assert fetched.json() == {**bound, "parameters": {"read_only": True}}

    def test_one_that_is_being_created_is_404(self):
        """OSB-CHECKLIST 126."""
        self.accept_bind(self.instance)
        assert self.get(BINDING).status_code == 404

    def test_one_that_has_failed_or_is_gone_is_404(self):
        """OSB-CHECKLIST 126."""
        self.world.engine.is_down = True
        assert self.bind().status_code >= 500
        assert self.get(BINDING).status_code == 404
        self.world.engine.is_down = False
        self.bind("b-2")
        self.unbind("b-2")
        assert self.get(f"{INSTANCE}/service_bindings/b-2").status_code == 404

    def test_hints_may_be_left_out_and_not_be_wrong(self):
        """OSB-CHECKLIST 127, 128."""
        self.bind()
        for path in (BINDING, f"{BINDING}/last_operation"):
            assert self.get(path).status_code == 200
            for name in IDS:
                assert self.get(f"{path}?{name}={IDS[name]}").status_code == 200
                assert self.get(f"{path}?{name}=wrong").status_code == 400

    def test_its_last_operation_has_no_flags(self):
        """OSB-CHECKLIST 35, 128."""
        self.world.engine.is_down = True
        self.bind()
        document = self.get(f"{BINDING}/last_operation").json()
        assert set(document) <= {"state", "description"}


class UnbindDutyTest(BindingTestCase):
    def test_a_bind_that_runs_is_halted(self):
        """OSB-CHECKLIST 132: its user does not come back."""
        _, operation = self.accept_bind(self.instance)
        assert self.unbind().status_code == 200
        run(operation)
        assert self.world.users_of(self.instance) == []
        document = self.get(f"{BINDING}/last_operation?operation={operation.pk.hex}")
        assert document.json()["state"] == "failed"

    def test_a_user_that_is_gone_already_is_no_obstacle(self):
        """OSB-CHECKLIST 130, 134."""
        self.bind()
        self.world.container_of(self.instance).users.clear()
        assert self.unbind().status_code == 200

    def test_no_credentials_are_kept(self):
        """OSB-CHECKLIST 130."""
        self.bind()
        self.unbind()
        assert not ServiceBinding.objects.get().credentials


class RotationDutyTest(BindingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.first = self.bind(parameters={"read_only": False})

    def test_what_the_predecessor_was_given_is_taken_over(self):
        """OSB-CHECKLIST 120."""
        assert self.rotate().status_code == 201
        successor = ServiceBinding.objects.get(guid="b-2")
        assert successor.parameters == {"read_only": False}

    def test_each_outlives_the_other(self):
        """OSB-CHECKLIST 121."""
        second, third = self.rotate("b-2"), self.rotate("b-3")
        assert self.works(self.first) and self.works(second)
        self.unbind("b-2")
        assert self.works(self.first) and self.works(third)
        self.unbind("b-1")
        assert self.works(third)

    def test_a_predecessor_elsewhere_or_gone_is_400(self):
        """OSB-CHECKLIST 119."""
        self.ready("i-2")
        assert self.rotate(instance="i-2").status_code == 400
        self.unbind("b-1")
        assert self.rotate().status_code == 400

    def test_a_repeat_is_200_when_the_predecessor_is_gone_meanwhile(self):
        """OSB-CHECKLIST 122: what was done stays done."""
        second = self.rotate()
        self.unbind("b-1")
        again = self.rotate()
        assert (again.status_code, again.json()) == (200, second.json())

    def test_wrong_ids_beside_the_predecessor_are_400(self):
        """OSB-CHECKLIST 110, 120."""
        for name in IDS:
            assert self.rotate(**{name: "wrong"}).status_code == 400
