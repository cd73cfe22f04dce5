"""The wish for an image on a host: one row, one worker at a time."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.test import TestCase

from instances import errors
from instances.models import HostImage
from tests.fakes import make_host

IMAGE = "registry.example/tiny:1"


class HostImageTest(TestCase):
    def setUp(self):
        super().setUp()
        self.host = make_host()
        HostImage.objects.want(self.host, IMAGE)

    def claimed(self, owner="one"):
        row = HostImage.objects.claim_next(owner)
        assert row is not None
        return row

    def expire(self):
        HostImage.objects.update(leased_until=Now() - timedelta(seconds=1))

    def test_an_image_has_one_row_on_a_host(self):
        with pytest.raises(IntegrityError), transaction.atomic():
            HostImage.objects.create(host=self.host, image=IMAGE)
        assert HostImage.objects.want(make_host("two"), IMAGE)

    def test_a_wish_under_way_is_joined(self):
        assert not HostImage.objects.want(self.host, IMAGE)
        self.claimed()
        assert not HostImage.objects.want(self.host, IMAGE)
        assert HostImage.objects.get().state == "working"

    def test_a_wish_that_has_ended_can_be_had_again(self):
        self.claimed().fail(errors.ImageFailed(detail="no registry"))
        assert HostImage.objects.get().error == "no registry"
        assert HostImage.objects.want(self.host, IMAGE)
        row = HostImage.objects.get()
        assert (row.state, row.error, row.finished_at) == ("wanted", "", None)

    def test_one_worker_gets_it(self):
        stale = HostImage.objects.get()
        self.claimed("one")
        assert not stale.claim("two")
        assert HostImage.objects.claim_next("two") is None

    def test_the_oldest_wish_comes_first(self):
        HostImage.objects.want(self.host, "another:1")
        HostImage.objects.filter(image="another:1").update(
            wanted_at=Now() - timedelta(hours=1)
        )
        assert [self.claimed().image for _ in range(2)] == ["another:1", IMAGE]

    def test_a_dead_workers_is_taken_up_after_the_lease(self):
        """F22."""
        dead = self.claimed("one")
        self.expire()
        row = self.claimed("two")
        assert (row.owner, row.crashes) == ("two", 1)
        with pytest.raises(errors.LeaseLost):
            dead.note("step 2 of 3")
        with pytest.raises(errors.LeaseLost):
            dead.succeed()
        assert HostImage.objects.get().state == "working"

    def test_a_beat_keeps_it(self):
        """A build may say nothing for minutes."""
        self.claimed("one")
        self.expire()
        HostImage.objects.renew("one")
        assert HostImage.objects.claim_next("two") is None

    def test_handed_back_it_is_anyones_and_no_crash(self):
        """F28."""
        dead = self.claimed("one")
        assert HostImage.objects.release("one") == 1
        assert self.claimed("two").crashes == 0
        with pytest.raises(errors.LeaseLost):
            dead.note("step 2 of 3")

    def test_long_progress_is_cut(self):
        self.claimed().note("x" * 1000)
        assert len(HostImage.objects.get().progress) == 255
