"""Bindings with a lifetime, as the platform sees them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models.functions import Now

from instances.models import ServiceBinding, ServicePlan
from instances.operations.expire import expire_overdue
from tests.fakes import drain
from tests.osbapi.base import PlatformTestCase

BINDING = "/v2/service_instances/i-1/service_bindings/b-1"
PATTERN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\dZ")


def moment(text: str) -> datetime:
    assert PATTERN.fullmatch(text), text
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


class ExpiryTest(PlatformTestCase):
    def setUp(self) -> None:
        super().setUp()
        ServicePlan.objects.update(binding_lifetime_days=8)
        self.instance = self.ready()

    def expire(self) -> None:
        ServiceBinding.objects.update(expires_at=Now() - timedelta(seconds=1))
        expire_overdue()
        drain()

    def rotate(self, guid: str = "b-2", predecessor: str = "b-1") -> Any:
        body = {"predecessor_binding_id": predecessor}
        return self.call("PUT", self.binding_path(guid, "i-1"), body)

    def test_a_binding_says_when_it_ends_and_when_to_renew_it(self):
        """OSB-CHECKLIST 117."""
        before = datetime.now(UTC) - timedelta(seconds=1)
        metadata = self.bind().json()["metadata"]
        assert set(metadata) == {"expires_at", "renew_before"}
        expires_at = moment(metadata["expires_at"])
        assert before < expires_at - timedelta(days=8) <= datetime.now(UTC)
        renew_before = moment(metadata["renew_before"])
        assert timedelta(days=1) < expires_at - renew_before <= timedelta(days=2)

    def test_it_says_the_same_again_whatever_the_plan_says_by_then(self):
        """OSB-CHECKLIST 113, 117, 125."""
        first = self.bind().json()
        ServicePlan.objects.update(binding_lifetime_days=30)
        assert self.bind().json() == first
        assert self.get(BINDING).json() == first

    def test_a_renewed_one_has_a_lifetime_of_its_own(self):
        """OSB-CHECKLIST 117, 121: both live, each for its time."""
        self.bind()
        soon = Now() + timedelta(hours=1)
        ServiceBinding.objects.update(expires_at=soon)
        renewed = moment(self.rotate().json()["metadata"]["expires_at"])
        former = moment(self.get(BINDING).json()["metadata"]["expires_at"])
        assert renewed - former > timedelta(days=7)
        assert len(self.world.users_of(self.instance)) == 2

    def test_an_expired_one_is_there_until_its_unbind(self):
        """OSB-CHECKLIST 123: fetched, repeated and deleted, and no login."""
        first = self.bind().json()
        self.expire()
        fetched, again = self.get(BINDING), self.bind()
        assert (fetched.status_code, again.status_code) == (200, 200)
        for document in (fetched.json(), again.json()):
            assert document["credentials"] == first["credentials"]
            assert moment(document["metadata"]["expires_at"]) < datetime.now(UTC)
        assert self.world.users_of(self.instance) == []
        assert self.unbind().status_code == 200
        assert self.unbind().status_code == 410

    def test_the_bind_is_still_its_last_operation(self):
        """OSB-CHECKLIST 128: an expiry is nothing that a platform has asked for."""
        self.bind()
        self.expire()
        answer = self.get(f"{BINDING}/last_operation").json()
        assert answer == {"state": "succeeded"}

    def test_an_expired_predecessor_is_400(self):
        """OSB-CHECKLIST 119."""
        self.bind()
        ServiceBinding.objects.update(expires_at=Now() - timedelta(seconds=1))
        assert self.rotate().status_code == 400
        self.expire()
        assert self.rotate().status_code == 400

    def test_a_rotation_is_answered_again_when_the_predecessor_has_expired(self):
        """OSB-CHECKLIST 122."""
        self.bind()
        second = self.rotate().json()
        ServiceBinding.objects.filter(guid="b-1").update(
            expires_at=Now() - timedelta(seconds=1)
        )
        expire_overdue()
        drain()
        again = self.rotate()
        assert (again.status_code, again.json()) == (200, second)
