"""Bodies, ids and methods of every odd kind: refused, never a fault of ours."""

import json
from unittest import mock

from instances.models import Operation, ServiceInstance
from tests.fakes import drain
from tests.osbapi.base import BODY, IDS, PlatformTestCase

INSTANCE = "/v2/service_instances/i-1?accepts_incomplete=true"
LAST_OPERATION = "/v2/service_instances/i-1/last_operation"
BINDING = "/v2/service_instances/i-1/service_bindings/b-1"


class BodyTest(PlatformTestCase):
    """S37, OSB-CHECKLIST 2, 3."""

    def status(self, raw: bytes, content_type: str = "application/json") -> int:
        answer = self.call("PUT", INSTANCE, raw=raw, content_type=content_type)
        return answer.status_code

    def body(self, **fields: object) -> bytes:
        return json.dumps({**BODY, **fields}).encode()

    def test_what_is_no_json_object_is_400(self):
        for raw in (
            *(b"", b" ", b"{", b"nonsense", b"[]", b"null", b"1", b'"text"', b"\0"),
            *(b"{} {}", b"{'a': 1}", b'{"a": 1,}', b"\xff\xfe", b'{"a": "\xff"}'),
        ):
            with self.subTest(raw):
                assert self.status(raw) == 400
        assert not ServiceInstance.objects.exists()

    def test_numbers_that_json_does_not_have_are_400(self):
        for text in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000):
            raw = self.body(context={"a": "HERE"}).replace(b'"HERE"', text.encode())
            with self.subTest(text[:10]):
                assert self.status(raw) == 400

    def test_deep_nesting_is_400(self):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            depth = 100_000
            raw = f"{opening * depth}1{closing * depth}".encode()
            assert self.status(raw) == 400

    def test_no_depth_of_nesting_is_a_fault_of_ours(self):
        """Between what the parser takes and what the database takes."""
        for depth in (*range(10, 900, 200), *range(800, 1010, 10)):
            deep = "[" * depth + "]" * depth
            raw = self.body(context={"a": "HERE"}).replace(b'"HERE"', deep.encode())
            path = f"/v2/service_instances/i-{depth}?accepts_incomplete=true"
            with self.subTest(depth=depth):
                assert self.call("PUT", path, raw=raw).status_code in (202, 400)

    def test_more_than_a_mebibyte_is_413(self):
        assert self.status(self.body(context={"a": "x" * 2**21})) == 413

    def test_another_content_type_is_400(self):
        for kind in (
            *("text/plain", "application/xml", "application/x-www-form-urlencoded"),
            *("multipart/form-data; boundary=x", "nonsense"),
        ):
            with self.subTest(kind):
                assert self.status(self.body(), kind) == 400

    def test_json_with_a_charset_or_without_a_type_is_read(self):
        """OSB-CHECKLIST 2."""
        for kind in ("application/json; charset=utf-8", "Application/JSON", ""):
            with self.subTest(kind):
                assert self.status(self.body(), kind) == 202

    def test_unknown_fields_are_ignored(self):
        """OSB-CHECKLIST 3."""
        raw = self.body(
            unknown={"a": [1]}, context={"unknown": 1}, maintenance_info={"x": 1}
        )
        assert self.status(raw) == 202

    def test_a_field_of_another_type_is_400_and_named(self):
        for name in ("service_id", "plan_id", "organization_guid", "space_guid"):
            for value in (1, True, None, [], {}, 1.5):
                answer = self.call("PUT", INSTANCE, {**BODY, name: value})
                with self.subTest(name, value=value):
                    assert answer.status_code == 400
                    assert name in answer.json()["description"]

    def test_an_object_of_another_type_is_400_and_named(self):
        """OSB-CHECKLIST 66, 21.8: a 500 has been seen elsewhere."""
        for name in ("parameters", "context"):
            for value in ("text", 1, [], True, [{}]):
                answer = self.call("PUT", INSTANCE, {**BODY, name: value})
                with self.subTest(name, value=value):
                    assert answer.status_code == 400
                    assert name in answer.json()["description"]

    def test_an_object_of_a_bind_of_another_type_is_400_and_named(self):
        for name in ("parameters", "bind_resource", "app_guid"):
            answer = self.call("PUT", BINDING, {**IDS, name: [1]})
            assert answer.status_code == 400
            assert name in answer.json()["description"]

    def test_a_null_object_counts_as_absent(self):
        """OSB-CHECKLIST 66."""
        for name in ("parameters", "context"):
            assert self.call("PUT", INSTANCE, {**BODY, name: None}).status_code == 202

    def test_null_objects_of_a_bind_count_as_absent(self):
        self.ready()
        nothing = dict.fromkeys(("parameters", "bind_resource", "app_guid", "context"))
        assert self.call("PUT", BINDING, {**IDS, **nothing}).status_code == 201

    def test_text_that_no_database_takes_is_no_fault_of_ours(self):
        """S32: lone surrogates, NUL, control characters, very long."""
        for number, text in enumerate(("\ud800", "a\0b", "\x1b[31m", "x" * 10_000)):
            for name in ("organization_guid", "space_guid", "plan_id", "service_id"):
                guid = f"i-{number}-{name}"
                path = f"/v2/service_instances/{guid}?accepts_incomplete=true"
                with self.subTest(name, text=text[:8]):
                    answer = self.call("PUT", path, {**BODY, name: text})
                    assert answer.status_code in (202, 400)

    def test_odd_text_in_the_context_is_no_fault_of_ours(self):
        """S32."""
        for number, text in enumerate(("\ud800", "a\0b", "\x1b[31m", "x" * 10_000)):
            for name in ("instance_name", "organization_guid", "anything"):
                path = f"/v2/service_instances/{number}-{name}?accepts_incomplete=true"
                body = {**IDS, "context": {name: text}}
                with self.subTest(name, text=text[:8]):
                    assert self.call("PUT", path, body).status_code in (202, 400)


class IdTest(PlatformTestCase):
    """OSB-CHECKLIST 28-33, S32: any string is an id."""

    def test_any_string_lives_through_the_whole_cycle(self):
        for guid in (
            *(
                "a",
                ".",
                "..",
                "-",
                "~",
                "a b",
                " ",
                "ü",
                "数据库",
                "🙂",
                "%2e",
                "a%20b",
            ),
            *("a;b", "a'b", '"', "`", "<script>", "__proto__", "x" * 300, "x" * 500),
            *("last_operation", "service_bindings", "$(id)", "x?y#z"),
            *("a/b", "/", "../../catalog", "x/last_operation"),
        ):
            with self.subTest(guid):
                self.live(guid)
        assert self.world.containers() == []

    def live(self, guid: str) -> None:
        assert self.put(guid).status_code == 202
        drain()
        assert ServiceInstance.objects.get_live(guid).guid == guid
        assert self.poll(guid).json()["state"] == "succeeded"
        assert self.bind(guid, instance=guid).status_code == 201
        assert self.unbind(guid, instance=guid).status_code == 200
        assert self.delete(guid, is_async=False).status_code == 200

    def test_control_characters_are_400(self):
        """OSB-CHECKLIST 33."""
        for text in ("a\nb", "a\0b", "\x1b[31m", "a\x7f", "\r\n", "\t"):
            with self.subTest(text):
                assert self.put(text).status_code == 400
                assert self.delete(text).status_code == 400
                assert self.poll(text).status_code == 400
                assert self.bind(text).status_code == 400
                assert self.unbind("b", instance=text).status_code == 400
        assert not Operation.objects.exists()

    def test_more_than_500_characters_are_400(self):
        assert self.put("x" * 501).status_code == 400
        assert self.bind("x" * 501).status_code == 400

    def test_bytes_that_are_no_utf_8_are_no_fault_of_ours(self):
        path = "/v2/service_instances/%ff%fe?accepts_incomplete=true"
        assert self.call("PUT", path, BODY).status_code in (202, 400)

    def test_names_of_containers_do_not_show_the_id(self):
        """S32."""
        self.put("canary")
        drain()
        container = self.world.containers()[0]
        assert "canary" not in str(container.spec)


class RouteTest(PlatformTestCase):
    """S41."""

    def test_other_methods_are_405_with_those_that_are_allowed(self):
        """OSB-CHECKLIST 21.6."""
        for path, allowed, refused in (
            ("/v2/catalog", {"GET"}, {"PUT", "POST", "PATCH", "DELETE"}),
            ("/v2/service_instances/i-1", {"PUT", "DELETE"}, {"POST"}),
            (BINDING, {"PUT", "DELETE"}, {"POST", "PATCH"}),
            (LAST_OPERATION, {"GET"}, {"PUT", "POST", "PATCH", "DELETE"}),
        ):
            for method in refused:
                with self.subTest(f"{method} {path}"):
                    answer = self.call(method, path)
                    assert answer.status_code == 405
                    named = set(answer["Allow"].replace(",", " ").split())
                    assert allowed <= named and method not in named

    def test_other_paths_are_404(self):
        for path in (
            *("/v2/", "/v2/nonsense", "/v2/catalog/", "/v2/service_instances"),
            *("/v2/service_instances/", "/v2/service_instances/i/nonsense"),
            *(BINDING + "/nonsense", BINDING + "/", "/v2/a/b/c/d"),
        ):
            with self.subTest(path):
                assert self.get(path).status_code == 404

    def test_no_slash_is_added_by_a_redirect(self):
        """OSB-CHECKLIST 10: a redirected PUT loses its body."""
        assert self.call("PUT", "/v2/service_instances/i-1/", BODY).status_code == 404

    def test_a_method_cannot_be_overridden(self):
        """S41."""
        self.ready()
        headers = {"X-HTTP-Method-Override": "DELETE"}
        answer = self.call("PUT", INSTANCE, BODY, headers=headers)
        assert answer.status_code == 200

    def test_an_unexpected_error_is_500_without_its_inside(self):
        """S42."""
        for target in ("provision.accept", "deprovision.accept", "bind.accept"):
            self.enterContext(
                mock.patch(
                    f"instances.operations.{target}", side_effect=KeyError("inside")
                )
            )
        # One that a deletion finds.
        ServiceInstance.new(guid="i-1", context={}, plan=self.plan).save()
        with self.assertLogs("osbapi.errors", "ERROR"):
            for answer in (self.put("i-2"), self.delete(), self.bind()):
                assert answer.status_code == 500
                assert "inside" not in answer.content.decode()
