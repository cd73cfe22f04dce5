"""Duties of every request and answer that no other test is about."""

from collections.abc import Iterator
from typing import Any

from instances.models import ServiceBinding, ServiceInstance, Tombstone
from tests.fakes import OFFERING_ID, drain
from tests.osbapi.base import BODY, IDS, PlatformTestCase

INSTANCE = "/v2/service_instances/i-1"
BINDING = f"{INSTANCE}/service_bindings/b-1"
FIELDS = {
    *("services", "operation", "metadata", "state", "description"),
    *("service_id", "plan_id", "parameters", "maintenance_info"),
    *("credentials", "endpoints", "error", "instance_usable", "update_repeatable"),
}
"""Those of the specification's answers that this broker uses."""


def texts(value: Any) -> Iterator[str]:
    """Every string in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


class AnswerTest(PlatformTestCase):
    """Of one instance and one binding, from the first request to the last."""

    def answers(self) -> Iterator[Any]:
        body = {**BODY, "parameters": {"max_connections": 30}}
        yield self.call("PUT", self.path("i-1", True), body)
        yield self.poll()
        drain()
        yield self.poll()
        yield self.get("/v2/catalog")
        yield self.get(INSTANCE)
        yield self.bind()
        yield self.get(BINDING)
        yield self.get(f"{BINDING}/last_operation")
        yield self.call("PATCH", INSTANCE, {"service_id": OFFERING_ID})
        yield self.put(space_guid="other")
        yield self.bind(plan_id="other")
        yield self.unbind()
        yield self.unbind()
        yield self.delete()
        yield self.get(INSTANCE)

    def test_they_have_the_specifications_fields_only(self):
        """OSB-CHECKLIST 4."""
        for answer in self.answers():
            assert set(answer.json()) <= FIELDS

    def test_no_string_in_them_is_empty(self):
        """OSB-CHECKLIST 5, 34, 80."""
        for answer in self.answers():
            assert all(text.strip() for text in texts(answer.json()))

    def test_they_are_json(self):
        """OSB-CHECKLIST 2, 21.6."""
        for answer in self.answers():
            assert answer["Content-Type"] == "application/json"

    def test_none_is_meant_to_be_waited_for_by_a_date(self):
        """OSB-CHECKLIST 82."""
        for answer in self.answers():
            assert answer.headers.get("Retry-After", "0").isdigit()


class ErrorTest(PlatformTestCase):
    def refusals(self) -> Iterator[tuple[int, Any]]:
        """Of every operation but the update."""
        yield 400, self.put(plan_id="other")
        yield 409, self.put("i-1", space_guid="other")
        yield 404, self.poll("unknown")
        yield 404, self.get(BINDING)
        yield 400, self.bind(plan_id="other")
        yield 400, self.unbind(service_id="x")
        yield 410, self.unbind()
        yield 400, self.delete(service_id="x")
        yield 410, self.delete("unknown")

    def test_each_has_a_word_and_a_sentence(self):
        """OSB-CHECKLIST 6, 34, 37."""
        self.ready()
        for status, answer in self.refusals():
            document = answer.json()
            assert answer.status_code == status, document
            assert document["error"][0].isupper() and document["error"].isalpha()
            assert document["description"].endswith(".")

    def test_none_has_the_flags_of_updates(self):
        """OSB-CHECKLIST 35."""
        self.ready()
        for _, answer in self.refusals():
            assert set(answer.json()) == {"error", "description"}

    def test_refusals_change_nothing(self):
        """OSB-CHECKLIST 7."""
        instance = self.ready()
        rows = list(ServiceInstance.objects.values())
        list(self.refusals())
        assert list(ServiceInstance.objects.values()) == rows
        assert not ServiceBinding.objects.exists()
        assert len(self.world.containers()) == 1
        assert self.world.users_of(instance) == []

    def test_a_concurrency_error_is_in_the_specifications_words(self):
        """OSB-CHECKLIST 36, 143."""
        self.ready()
        self.delete()
        assert self.bind().json() == {
            "error": "ConcurrencyError",
            "description": "Another operation for this Service Instance is in "
            "progress.",
        }

    def test_a_maintenance_conflict_is_in_the_specifications_words(self):
        """OSB-CHECKLIST 36."""
        assert self.put(maintenance_info={"version": "9.9.9"}).json() == {
            "error": "MaintenanceInfoConflict",
            "description": "The maintenance information for the requested Service "
            "Plan has changed.",
        }

    def test_a_wrong_login_gets_the_usual_object(self):
        """OSB-CHECKLIST 27."""
        answer = self.get("/v2/catalog", headers={"Authorization": None})
        assert set(answer.json()) == {"error", "description"}


class OrderTest(PlatformTestCase):
    """OSB-CHECKLIST 16, 21.2, 75: what is looked at before what."""

    def status(self, path: str, body: Any, **headers: str | None) -> int:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.call("PUT", path, body, headers=named).status_code

    def test_login_version_body_and_then_the_id(self):
        self.ready()
        path, wrong = self.path("i-1", True), {**BODY, "plan_id": 1}
        nothing = {"Authorization": None, "X_Broker_API_Version": None}
        assert self.status(path, wrong, **nothing) == 401
        assert self.status(path, wrong, X_Broker_API_Version=None) == 412
        assert self.status(path, wrong) == 400
        assert self.status(path, {**BODY, "space_guid": "other"}) == 409
        assert self.status(path, BODY) == 200

    def test_a_known_id_counts_before_the_maintenance_version(self):
        self.ready()
        maintenance = {"maintenance_info": {"version": "9.9.9"}}
        assert self.put(space_guid="other", **maintenance).status_code == 409
        assert self.put("i-2", **maintenance).status_code == 422


class UnknownFieldTest(PlatformTestCase):
    """OSB-CHECKLIST 3."""

    def test_they_are_ignored_in_a_bind(self):
        self.ready()
        odd = {"unknown": [{}]}
        answer = self.bind(bind_resource=odd, context=odd, **odd)
        assert answer.status_code == 201

    def test_they_are_ignored_in_an_update(self):
        self.ready()
        odd = {"unknown": [{}]}
        body = {"service_id": OFFERING_ID, "previous_values": odd, "context": odd}
        body |= {"maintenance_info": odd, **odd}
        assert self.call("PATCH", INSTANCE, body).status_code == 200


class ExactIdTest(PlatformTestCase):
    """OSB-CHECKLIST 29: neither case nor spaces nor trailing zeros are ignored."""

    def test_instances_and_bindings_are_told_apart_to_the_letter(self):
        self.ready("i-A")
        self.bind("b-A", instance="i-A")
        for other in ("i-a", "i-A ", " i-A", "i-Á"):
            assert self.poll(other).status_code == 404
            assert self.delete(other).status_code == 410
        for other in ("b-a", "b-A ", "b-Á"):
            assert self.unbind(other, instance="i-A").status_code == 410
            self.forget_deletions()
            assert self.bind(other, instance="i-A").status_code == 201
        self.forget_deletions()
        self.ready("i-a")
        assert ServiceInstance.objects.count() == 2

    def forget_deletions(self) -> None:
        """As if they were long ago: see test_late.py."""
        Tombstone.objects.all().delete()


class ContextTest(PlatformTestCase):
    """OSB-CHECKLIST 150, 151, 152, 153, 154: nothing in it is relied on."""

    def test_unknown_platforms_and_odd_contexts_are_served(self):
        for number, context in enumerate(
            (
                None,
                {},
                {"platform": "unheard-of"},
                {"platform": "cloudfoundry"},
                {"platform": "cloudfoundry", "instance_annotations": {"a.b/c": "d"}},
                {"platform": "kubernetes", "namespace": "n", "clusterid": "c"},
                {"platform": 1, "organization_name": [], "instance_name": {"a": 1}},
            )
        ):
            with self.subTest(context):
                assert self.put(f"i-{number}", context=context).status_code == 202

    def test_an_app_in_another_space_is_bound(self):
        """A shared instance."""
        self.ready()
        resource = {"app_guid": "app", "space_guid": "other", "app_annotations": {}}
        assert self.bind(bind_resource=resource).status_code == 201

    def test_a_route_is_bound_as_anything_else(self):
        """The offering requires no route_forwarding, so no URL is answered."""
        self.ready()
        answer = self.bind(bind_resource={"route": "www.example.org"})
        assert "route_service_url" not in answer.json()


class SynchronousTest(PlatformTestCase):
    def test_binds_need_no_accepts_incomplete(self):
        """OSB-CHECKLIST 144, 148."""
        self.ready()
        assert self.call("PUT", BINDING, IDS).status_code == 201
        again = self.call("PUT", f"{BINDING}?accepts_incomplete=false", IDS)
        assert again.status_code == 200

    def test_everything_else_needs_none_either(self):
        """OSB-CHECKLIST 36, 73, 144: only another image does (test_update.py)."""
        assert self.put(is_async=False).status_code == 201
        body = {"service_id": OFFERING_ID, "parameters": {"max_connections": 30}}
        assert self.call("PATCH", INSTANCE, body).status_code == 200
        assert self.delete(is_async=False).status_code == 200
