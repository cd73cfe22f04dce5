"""The client of Cloud Controller's lists, against one that runs."""

import time

import pytest
from django.test import SimpleTestCase

from instances import cloud_controller, errors
from instances.cloud_controller import Space, client
from instances.oauth import provider
from tests.instances.cloud_controller.base import WithCloudController

GUIDS = [f"guid-{number}" for number in range(250)]


class ClientTestCase(WithCloudController, SimpleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.controller.instances = {guid: f"name of {guid}" for guid in GUIDS}
        self.client = cloud_controller.configured()

    def refusal(self, guids=GUIDS[:3]):
        with pytest.raises(errors.PlatformUnavailable) as caught:
            self.client.service_instances(guids)
        self.assert_nothing_leaked(str(caught.value), caught.value.detail)
        return caught.value


class Lists(ClientTestCase):
    def test_a_hundred_are_asked_for_at_a_time_with_one_token(self):
        found = self.client.service_instances([*GUIDS, "purged"])
        assert found == self.controller.instances
        assert [path for path, _ in self.controller.queries] == [
            "/v3/service_instances"
        ] * 3
        assert len(self.controller.tokens) == 1
        assert max(len(str(query)) for _, query in self.controller.queries) < 4096

    def test_nothing_is_asked_for_nothing(self):
        assert self.client.service_instances([]) == {}
        assert not self.controller.asked

    def test_pages_are_read_to_the_end(self):
        """Whatever page it thinks right, and never at the address that it gives."""
        self.controller.page_size = 7
        assert self.client.service_instances(GUIDS) == self.controller.instances

    def test_an_id_that_would_change_the_question_is_not_asked(self):
        odd = ["a,b", "a&per_page=1", "a b", "../x", "é", "", "x" * 201, "a\n"]
        assert self.client.service_instances([*odd, "guid-1"]).keys() == {"guid-1"}
        assert [query["guids"] for _, query in self.controller.queries] == ["guid-1"]

    def test_apps_of_bindings(self):
        self.controller.bindings = {"b-1": "a-1", "b-2": "", "b-3": "gone"}
        self.controller.apps = {"a-1": "shop"}
        found = self.client.service_bindings(["b-1", "b-2", "b-3", "b-4"])
        assert found == {"b-1": "shop", "b-2": "", "b-3": ""}

    def test_spaces_and_their_organizations(self):
        self.controller.spaces = {"s-1": ("dev", "o-1"), "s-2": ("prod", "o-2")}
        self.controller.organizations = {"o-1": "acme"}
        found = self.client.spaces(["s-1", "s-2"])
        assert found == {"s-1": Space("dev", "acme"), "s-2": Space("prod", "")}

    def test_names_can_be_stored_whatever_they_are(self):
        self.controller.instances = {
            "a": "x" * 5000,
            "b": "nul\0 and half \ud800",
            "c": {"no": "text"},
            "d": "<b>\x1b[1m",
        }
        found = self.client.service_instances(list("abcd"))
        assert found == {
            "a": "x" * 255,
            "b": "nul and half ",
            "c": "",
            "d": "<b>\x1b[1m",
        }

    def test_what_is_too_large_is_asked_for_in_halves(self):
        """One tenant's annotations hide nobody else's service instances."""
        self.enterContext(pytest.MonkeyPatch.context()).setattr(
            client, "LARGEST", 10_000
        )
        self.controller.instances["guid-3"] = "x" * 9000
        found = self.client.service_instances(GUIDS)
        assert found.keys() == self.controller.instances.keys()
        self.controller.instances["guid-3"] = "x" * 11_000
        assert "more than is read" in self.refusal(GUIDS).detail


class Tokens(ClientTestCase):
    def test_one_that_has_expired_is_replaced_once(self):
        self.client.service_instances(GUIDS[:1])
        self.controller.tokens.clear()
        assert self.client.service_instances(GUIDS[:1])
        assert len(self.controller.issued) == 2

    def test_a_new_one_that_is_not_taken_either_is_the_end(self):
        issue = self.controller.client_token
        self.controller.client_token = lambda name: (
            issue(name),
            (200, {"access_token": "other", "scope": "cloud_controller.admin"}),
        )[1]
        assert "answers 401" in self.refusal().detail
        assert len(self.controller.issued) == 1

    def test_a_client_that_sees_nothing_is_not_believed(self):
        """F20: Cloud Controller would answer it with empty lists."""
        self.controller.authorities["brokersite-lookup"] = ["cloud_controller.read"]
        assert "cloud_controller.global_auditor" in self.refusal().detail
        assert not self.controller.queries

    def test_a_wrong_secret_is_said(self):
        self.controller.clients["brokersite-lookup"] = "another"
        assert "401 invalid_client" in self.refusal().detail

    def test_no_token_that_would_be_two_headers(self):
        self.controller.client_token = lambda name: (
            200,
            {"access_token": "a\r\nX: y", "scope": "cloud_controller.admin"},
        )
        assert "no access_token" in self.refusal().detail


class Trouble(ClientTestCase):
    def test_statuses_that_are_no_answer(self):
        for status in (302, 404, 429, 500, 503):
            self.controller.status = status
            self.controller.headers = {"Location": f"{self.controller.url}/elsewhere"}
            assert f"answers {status}" in self.refusal().detail
        assert not [path for path, _ in self.controller.asked if "elsewhere" in path]

    def test_how_long_to_wait_is_told(self):
        """In seconds, or as Cloud Controller does it: the moment itself."""
        self.controller.status = 429
        for said, low, high in (
            ("120", 120, 120),
            (str(int(time.time()) + 300), 290, 300),
            (str(int(time.time()) - 300), 0, 0),
            ("Wed, 21 Oct 2026 07:28:00 GMT", 0, 0),
            ("9" * 40, 0, 0),
        ):
            self.controller.headers = {"Retry-After": said}
            assert low <= self.refusal().retry_after_s <= high, said

    def test_nonsense_is_none_of_its_words(self):
        """F20: half of a list must not make orphans of the rest."""
        good = {"guid": "guid-1", "name": "n"}
        numbers = {"total_results": 1, "total_pages": 1}
        for odd in (
            [],
            {},
            {"resources": [good]},
            {"resources": "guid-1", "pagination": numbers},
            {"resources": [good], "pagination": {**numbers, "total_results": "1"}},
            {"resources": [good], "pagination": {**numbers, "total_pages": -1}},
            {"resources": [good], "pagination": {**numbers, "total_results": 3}},
            {"resources": [good, good], "pagination": numbers},
            {"resources": [{"guid": "guid-9"}], "pagination": numbers},
            {"resources": [{"guid": 7}], "pagination": numbers},
            {"resources": [None], "pagination": numbers},
            {"resources": [], "pagination": {"total_pages": 10**9, "total_results": 0}},
        ):
            self.controller.turn = lambda path, document, odd=odd: odd
            assert "answers /v3/service_instances with" in self.refusal().detail, odd

    def test_odd_relations_have_no_name(self):
        for odd in (None, [], {"app": 3}, {"app": {"data": [1]}}):
            self.controller.turn = lambda path, document, odd=odd: {
                "resources": [{"guid": "b-1", "relationships": odd}],
                "pagination": {"total_results": 1, "total_pages": 1},
                "included": odd,
            }
            assert self.client.service_bindings(["b-1"]) == {"b-1": ""}

    def test_uaa_that_is_down(self):
        self.controller.fail = {"/oauth/token"}
        assert self.refusal().detail.startswith("UAA: ")

    def test_one_that_cannot_prove_who_it_is_gets_no_token(self):
        given = self.controller.settings()
        with self.settings(CLOUD_CONTROLLER={**given, "ca": ""}):
            provider.forget()
            self.client = cloud_controller.configured()
            self.refusal()
        assert not self.controller.asked
