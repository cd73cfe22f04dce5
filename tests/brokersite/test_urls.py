"""What goes wrong outside every view."""

import json
from unittest import mock

from django.core.exceptions import BadRequest
from django.test import Client, RequestFactory, SimpleTestCase

from brokersite import urls


class HandlerTest(SimpleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.factory = RequestFactory()

    def test_a_platform_gets_json_for_a_bad_request(self):
        answer = urls.handler400(self.factory.get("/v2/catalog"), BadRequest("x"))
        assert answer.status_code == 400
        assert set(json.loads(answer.content)) == {"error", "description"}

    def test_a_platform_gets_json_for_a_server_error(self):
        answer = urls.handler500(self.factory.get("/v2/catalog"))
        assert answer.status_code == 500
        assert set(json.loads(answer.content)) == {"error", "description"}

    def test_a_browser_gets_a_page(self):
        for answer in (
            urls.handler400(self.factory.get("/admin/"), BadRequest("x")),
            urls.handler500(self.factory.get("/admin/")),
        ):
            assert answer["Content-Type"].startswith("text/html")

    def test_an_error_before_the_view_is_json_without_its_inside(self):
        """S42."""
        client = Client(raise_request_exception=False)
        broken = mock.patch(
            "osbapi.views.Catalog.initialize_request", side_effect=KeyError("inside")
        )
        with broken, self.assertLogs("django.request", "ERROR"):
            answer = client.get("/v2/catalog")
        assert answer.status_code == 500
        assert answer["Content-Type"] == "application/json"
        assert b"inside" not in answer.content
