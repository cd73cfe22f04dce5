"""Parameters that do not go together: refused at once, not by the worker."""

from typing import Any

from instances.models import Operation, ServiceInstance
from tests.fakes import OFFERING_ID, drain
from tests.osbapi.base import PlatformTestCase

ODD = {"charset": "utf8mb4", "collation": "latin1_bin"}


class TogetherTest(PlatformTestCase):
    """OSB-CHECKLIST 66, 72, 99."""

    def patch(self, **parameters: Any) -> Any:
        body = {"service_id": OFFERING_ID, "parameters": parameters}
        return self.call("PATCH", self.path("i-1", True), body)

    def assert_names_both(self, answer: Any, *words: str) -> None:
        assert answer.status_code == 400
        said = answer.json()["description"]
        assert all(word in said for word in words), said

    def test_a_collation_of_another_charset_is_400_and_both_are_named(self):
        answer = self.put(parameters=ODD)
        self.assert_names_both(answer, "utf8mb4", "latin1_bin")
        assert not ServiceInstance.objects.exists()

    def test_an_update_is_held_against_what_is_there(self):
        self.put(parameters={"charset": "utf8mb4"})
        drain()
        answer = self.patch(collation="latin1_bin")
        self.assert_names_both(answer, "utf8mb4", "latin1_bin")
        assert not Operation.objects.filter(kind="update").exists()

    def test_a_charset_alone_does_not_fit_the_former_collation(self):
        self.put(parameters={"collation": "latin1_bin"})
        drain()
        self.assert_names_both(self.patch(charset="ascii"), "ascii", "latin1_bin")

    def test_both_together_are_an_update(self):
        self.put(parameters={"charset": "utf8mb4", "collation": "utf8mb4_bin"})
        drain()
        wanted = {"charset": "latin1", "collation": "latin1_bin"}
        assert self.patch(**wanted).status_code == 202
        drain()
        answer = self.get("/v2/service_instances/i-1").json()
        assert answer["parameters"] == wanted

    def test_what_looks_like_a_number_to_python_is_400(self):
        """The worker's check is stricter than it seems: none gets there."""
        for value in (True, 20.0, "20", None, [20]):
            answer = self.put(parameters={"max_connections": value})
            assert answer.status_code == 400, value
