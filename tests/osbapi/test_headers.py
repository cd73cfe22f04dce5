"""Version, request identity and originating identity."""

import base64
import json

from instances.models import AuditEvent, Operation, ServiceInstance
from tests.osbapi.base import PlatformTestCase

VERSION = "X-Broker-API-Version"
IDENTITY = "X-Broker-API-Request-Identity"
ORIGIN = "X-Broker-API-Originating-Identity"


class VersionTest(PlatformTestCase):
    """OSB-CHECKLIST 11-16, 21.1, S31."""

    def status(self, version: str | None, path: str = "/v2/catalog") -> int:
        return self.get(path, headers={VERSION: version}).status_code

    def test_every_2_x_is_served(self):
        for version in ("2.0", "2.11", "2.13", "2.15", "2.17", "2.99", " 2.17 "):
            with self.subTest(version):
                assert self.status(version) == 200

    def test_anything_else_is_412(self):
        for version in (
            *(None, "", " ", "2", "2.", ".2", "2.x", "v2.17", "2.17.1", "2,17"),
            *("3.0", "1.9", "-2.17", "22.17", "nonsense", "2." + "9" * 5000, "²·¹⁷"),
        ):
            with self.subTest(version):
                assert self.status(version) == 412

    def test_the_answer_names_a_version_to_use(self):
        answer = self.get("/v2/catalog", headers={VERSION: "3.0"})
        assert "2.17" in answer.json()["description"]

    def test_it_is_asked_for_on_every_route(self):
        for path in ("/v2/service_instances/i/last_operation", "/v2/nonsense"):
            assert self.status(None, path) == 412

    def test_the_header_s_letter_case_does_not_matter(self):
        headers = {VERSION: None, "x-broker-api-version": "2.15"}
        assert self.get("/v2/catalog", headers=headers).status_code == 200

    def test_the_login_comes_first(self):
        headers = {VERSION: None, "Authorization": None}
        assert self.get("/v2/catalog", headers=headers).status_code == 401


class RequestIdentityTest(PlatformTestCase):
    """OSB-CHECKLIST 22, 23."""

    def echo(self, text: str, **headers: str | None) -> str | None:
        headers = {IDENTITY: text, **headers}
        return self.get("/v2/catalog", headers=headers).headers.get(IDENTITY)

    def test_it_is_echoed(self):
        assert self.echo("e26cee84") == "e26cee84"

    def test_it_is_echoed_in_errors_too(self):
        for headers in ({VERSION: "3.0"}, {"Authorization": None}):
            answer = self.get("/v2/catalog", headers={IDENTITY: "id", **headers})
            assert answer.status_code >= 400
            assert answer[IDENTITY] == "id"

    def test_it_is_echoed_where_there_is_no_such_path(self):
        answer = self.get("/v2/nonsense", headers={IDENTITY: "id"})
        assert answer[IDENTITY] == "id"

    def test_control_characters_are_stripped(self):
        """S50."""
        assert self.echo("a\x1b[31mb\x00c\u00e9") == "a[31mbc"

    def test_its_length_is_limited(self):
        assert len(self.echo("x" * 10_000)) == 255

    def test_without_it_there_is_none(self):
        assert IDENTITY not in self.get("/v2/catalog").headers

    def test_it_is_kept_with_the_operation(self):
        self.call(
            "PUT",
            self.path("i-1", True),
            {"service_id": "offering-1", "plan_id": "plan-1", "context": {"a": 1}},
            headers={IDENTITY: "id-1"},
        )
        assert Operation.objects.get().request_id == "id-1"
        assert AuditEvent.objects.get().request_id == "id-1"


class OriginatingIdentityTest(PlatformTestCase):
    """OSB-CHECKLIST 17-21, S40: for the audit only, never required."""

    def actor(self, header: str | None) -> str:
        body = {"service_id": "offering-1", "plan_id": "plan-1", "context": {"a": 1}}
        answer = self.call(
            "PUT", self.path("i-1", True), body, headers={ORIGIN: header}
        )
        assert answer.status_code == 202
        return AuditEvent.objects.get().actor_name

    def encoded(self, value: object) -> str:
        return base64.b64encode(json.dumps(value).encode()).decode()

    def test_cloud_foundrys_user_is_noted(self):
        header = f"cloudfoundry {self.encoded({'user_id': 'u-1'})}"
        assert self.actor(header) == "cloudfoundry u-1"

    def test_kubernetes_user_is_noted(self):
        header = f"kubernetes {self.encoded({'username': 'duke', 'uid': '1'})}"
        assert self.actor(header) == "kubernetes duke"

    def test_padding_may_be_missing(self):
        header = f"cloudfoundry {self.encoded({'user_id': 'u-1'}).rstrip('=')}"
        assert self.actor(header) == "cloudfoundry u-1"

    def test_without_it_the_login_is_noted(self):
        assert self.actor(None) == "login platform"

    def test_a_malformed_one_counts_as_absent(self):
        for header in (
            *("", "cloudfoundry", "cloudfoundry @@@", "cloudfoundry e30", "x \udcff"),
            "cloudfoundry " + self.encoded([1]),
            "cloudfoundry " + self.encoded("text"),
            "cloudfoundry " + base64.b64encode(b"\xff\xfe").decode(),
            "cloudfoundry " + base64.b64encode(b"[" * 5000).decode(),
        ):
            with self.subTest(ascii(header[:40])):
                AuditEvent.objects.all().delete()
                Operation.objects.all().delete()
                ServiceInstance.objects.all().delete()
                assert self.actor(header) == "login platform"

    def test_odd_values_are_noted_as_text(self):
        header = f"cloudfoundry {self.encoded({'user_id': {'a': [1]}})}"
        assert self.actor(header).startswith("cloudfoundry {")

    def test_control_characters_are_stripped(self):
        """S50."""
        header = f"cloudfoundry {self.encoded({'user_id': 'u' + chr(27) + '[1m'})}"
        assert self.actor(header) == "cloudfoundry u[1m"
