"""What is logged while a platform is served."""

import json
import logging

from django.test import RequestFactory

from brokersite.logs import JSONFormatter
from brokersite.traced import traced
from instances.models import Container, ServiceBinding
from tests.osbapi.base import IDS, PASSWORD, USERNAME, PlatformTestCase, basic


class Lines(logging.Handler):
    """Lines as Cloud Foundry gets them, and what no redaction has touched."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JSONFormatter())
        self.formatted: list[dict[str, str]] = []
        self.bare: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.formatted.append(json.loads(self.format(record)))
        self.bare.append(logging.Formatter().format(record))


class LogsTest(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.lines = Lines()
        root = logging.getLogger()
        self.addCleanup(root.setLevel, root.level)
        root.setLevel(logging.DEBUG)
        self.addCleanup(root.removeHandler, self.lines)
        root.addHandler(self.lines)

    def test_no_secret_is_logged_even_without_the_second_net(self):
        """S20: at every level."""
        self.ready()
        self.bind()
        secrets = [PASSWORD, Container.objects.get().admin_secret]
        secrets.append(ServiceBinding.objects.get().credentials["password"])
        self.unbind()
        text = "\n".join(self.lines.bare)
        assert "creating the user" in text
        assert all(len(secret) > 8 and secret not in text for secret in secrets)

    def test_what_a_request_causes_names_it(self):
        self.ready()
        path = self.binding_path("b-1", "i-1")
        headers = {
            "Authorization": basic(USERNAME, PASSWORD),
            "X-Broker-API-Version": "2.15",
            "X-Vcap-Request-Id": "vcap-1",
            "X-Broker-API-Request-Identity": "platform-1",
        }
        self.lines.formatted.clear()
        request = RequestFactory().put(
            path, json.dumps(IDS), "application/json", headers=headers
        )
        # Not the site's own application: it would close the test's connection.
        site = traced(lambda environ, _: self.client.handler(environ))
        answer = site(request.environ | {"RAW_URI": path}, lambda *_: None)
        assert answer.status_code == 201
        (line,) = (
            found
            for found in self.lines.formatted
            if found["logger"] == "instances.operations.work"
        )
        assert line["request_id"] == "vcap-1"
        assert line["request_identity"] == "platform-1"
        assert line["operation"] in line["message"]
