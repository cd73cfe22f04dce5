from datetime import timedelta
from unittest import mock

from django.db import OperationalError
from django.db.models.functions import Now
from django.test import TestCase

from instances.models import Worker


class ReadyTest(TestCase):
    def test_a_worker_and_a_database_make_it_ready(self):
        Worker.objects.beat("w")
        answer = self.client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json() == {"database": "ok", "worker": "ok"}

    def test_without_a_worker_it_is_not(self):
        answer = self.client.get("/readyz")
        assert answer.status_code == 503
        assert "none" in answer.json()["worker"]

    def test_a_silent_worker_does_not_count(self):
        Worker.objects.beat("w")
        Worker.objects.update(seen_at=Now() - timedelta(minutes=1))
        assert self.client.get("/readyz").status_code == 503

    def test_without_a_database_it_is_not(self):
        """F17."""
        with mock.patch.object(
            type(Worker.objects), "alive", side_effect=OperationalError("down")
        ):
            answer = self.client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["database"] == "does not answer"
