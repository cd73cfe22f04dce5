from datetime import timedelta
from unittest import mock

from django.db import OperationalError
from django.db.models.functions import Now
from django.test import TestCase, override_settings

from instances.models import Worker


class ReadyTest(TestCase):
    def test_a_worker_and_a_database_make_it_ready(self):
        Worker.objects.beat("w")
        for path in ("/readyz", "/readyz/worker"):
            answer = self.client.get(path)
            assert answer.status_code == 200
            assert answer.json() == {"database": "ok", "worker": "ok"}

    def test_without_a_worker_the_web_process_still_is(self):
        """A router takes what is not ready out; then no request would be answered."""
        answer = self.client.get("/readyz")
        assert answer.status_code == 200
        assert "none" in answer.json()["worker"]

    def test_without_a_worker_monitoring_is_told(self):
        assert self.client.get("/readyz/worker").status_code == 503

    def test_a_silent_worker_does_not_count(self):
        Worker.objects.beat("w")
        Worker.objects.update(seen_at=Now() - timedelta(minutes=1))
        assert self.client.get("/readyz/worker").status_code == 503

    def test_without_a_database_it_is_not(self):
        """F17."""
        for path in ("/readyz", "/readyz/worker"):
            with mock.patch.object(
                type(Worker.objects), "alive", side_effect=OperationalError("down")
            ):
                answer = self.client.get(path)
            assert answer.status_code == 503
            assert answer.json()["database"] == "does not answer"

    @override_settings(SECURE_SSL_REDIRECT=True)
    def test_it_is_answered_to_the_platform_s_own_check(self):
        """FACTS 9: plain HTTP, and the container's IP address for a host."""
        answer = self.client.get("/readyz", headers={"host": "10.255.1.2:8080"})
        assert answer.status_code == 200
