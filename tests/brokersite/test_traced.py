import logging
from collections.abc import Mapping

from django.test import RequestFactory, SimpleTestCase

from brokersite.traced import LONGEST_ID, traced
from brokersite.wsgi import application
from instances import tracing

HEADERS = {
    "X-Vcap-Request-Id": "vcap-1",
    "X-Broker-API-Request-Identity": "platform-1",
}
IDS = {"request_id": "vcap-1", "request_identity": "platform-1"}


def environ(path: str = "/", **headers: str) -> dict[str, str]:
    return RequestFactory().get(path, headers=headers).environ


class TracedTest(SimpleTestCase):
    def seen(self, **headers: str) -> Mapping[str, str]:
        seen = []
        traced(lambda *_: seen.append(tracing.current()))(environ(**headers), None)
        assert tracing.current() == {}
        return seen[0]

    def test_the_request_is_named_while_it_is_served(self):
        assert self.seen(**HEADERS) == IDS

    def test_a_request_without_ids_has_none(self):
        assert self.seen() == {}

    def test_long_ids_are_cut(self):
        (found,) = self.seen(**{"X-Vcap-Request-Id": "x" * 999}).values()
        assert len(found) == LONGEST_ID

    def test_one_that_fails_leaves_nothing_behind(self):
        with self.assertRaises(KeyError):
            traced(lambda *_: {}["nothing"])(environ(**HEADERS), None)
        assert tracing.current() == {}


class TracingTest(SimpleTestCase):
    def test_the_inner_comes_first_and_goes_first(self):
        with tracing.at(operation="1", instance=""):
            assert tracing.current() == {"operation": "1"}
            with tracing.at(operation="2"):
                assert tracing.current() == {"operation": "2"}
            assert tracing.current() == {"operation": "1"}


class SiteTest(SimpleTestCase):
    def test_django_s_own_line_about_an_answer_names_the_request(self):
        seen = []
        handler = logging.Handler()
        handler.emit = lambda record: seen.append(tracing.current())
        logger = logging.getLogger("django.request")
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        self.addCleanup(logger.setLevel, logger.level)
        logger.setLevel(logging.WARNING)
        answer = application(environ("/nowhere", **HEADERS), lambda *_: None)
        assert answer.status_code == 404
        assert seen == [IDS]
