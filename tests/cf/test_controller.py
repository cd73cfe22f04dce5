"""The platform concludes what Cloud Controller concludes (CLOUD-CONTROLLER 6)."""

from django.test import SimpleTestCase

from tests.cf.controller import Answer


class OrphanTest(SimpleTestCase):
    def test_what_may_have_been_made_is_deleted(self):
        for status in (408, 410, 500, 502, 503):
            assert Answer(status, {}).leaves_an_orphan
        assert Answer(422, {"error": "QuotaExceeded"}).leaves_an_orphan

    def test_what_was_refused_is_not(self):
        for status in (0, 400, 401, 404, 409, 412):
            assert not Answer(status, {}).leaves_an_orphan
        assert not Answer(422, {"error": "ConcurrencyError"}).leaves_an_orphan
