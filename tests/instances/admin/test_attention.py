"""What needs a person, first on the first page."""

import html
from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from instances.admin import attention
from instances.models import (
    BrokerCredential,
    Container,
    DockerHost,
    Operation,
    ServiceInstance,
    ServicePlan,
    Worker,
)
from instances.operations import sampling
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

INDEX = reverse("admin:index")
MOST_QUERIES = 45
"""Of the first page, sessions and permissions included."""


class AttentionTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance()
        self.host = self.instance.container.host
        Worker.objects.beat("worker-1")
        BrokerCredential.objects.create(username="cf", password_hash="x")

    def said(self):
        return [finding.text for finding in attention.needs_a_person()]

    def only(self):
        (finding,) = attention.needs_a_person()
        assert self.client.get(finding.url).status_code == 200
        return finding


class Findings(AttentionTestCase):
    def test_none_is_said_so(self):
        assert self.said() == []
        assert "are as they should be" in self.text_of(INDEX)

    def test_a_failed_instance_is_named(self):
        ServiceInstance.objects.update(state="failed")
        assert str(self.instance) in self.only().text

    def test_many_failed_ones_are_counted(self):
        rows.make_instance("another")
        ServiceInstance.objects.update(state="failed")
        assert self.only().text == "2 service instances have failed."

    def test_a_host_that_does_not_answer(self):
        DockerHost.objects.update(problem="no route")
        assert "does not answer" in self.only().text

    def test_another_engine(self):
        """F44."""
        DockerHost.objects.update(other_engine_id="other")
        assert "Another Docker Engine" in self.only().text

    def test_no_room_for_backups(self):
        """F92."""
        DockerHost.objects.update(free_bytes=0)
        assert "no room for backups" in self.only().text

    def test_no_worker(self):
        Worker.objects.all().delete()
        assert self.only().is_urgent

    def test_a_worker_that_was_killed(self):
        Worker.objects.create(name="dead", seen_at="2020-01-01T00:00:00Z")
        assert not self.only().is_urgent

    def test_full_databases(self):
        Container.objects.update(disk_state="read_only")
        assert "1 databases are full" in self.only().text
        Container.objects.update(disk_state="warning")
        assert "near their disk limit" in self.only().text

    def test_few_ports(self):
        DockerHost.objects.update(port_max=20000)
        assert "has 0 free ports left" in self.only().text

    def test_missed_backups(self):
        rows.make_backup(self.instance, state="failed")
        assert "the latest backup failed" in self.only().text

    def test_work_that_nobody_takes(self):
        before = timezone.now() - timedelta(minutes=6)
        Operation.objects.update(state="queued", not_before=before)
        assert "Nobody takes" in self.only().text

    def test_debts_at_a_host_that_is_down(self):
        """F71."""
        self.instance.container.retire()
        assert self.said() == []
        DockerHost.objects.update(problem="no route")
        assert "1 containers are to be removed" in self.said()[1]

    def test_the_urgent_comes_first(self):
        DockerHost.objects.update(port_max=20000, free_bytes=0)
        order = [finding.is_urgent for finding in attention.needs_a_person()]
        assert order == [True, False]

    def test_a_new_installation_is_led_step_by_step(self):
        BrokerCredential.objects.all().delete()
        assert "No platform can log in" in self.only().text
        ServicePlan.objects.update(active=False)
        assert "No active plan" in self.only().text

    def test_the_first_page_leads_there_and_escapes(self):
        DockerHost.objects.update(problem="x", name="<b>bold")
        text = self.text_of(INDEX)
        assert "<b>bold" not in text and "<b>bold" in html.unescape(text)


class Budget(AttentionTestCase):
    def count(self):
        with CaptureQueriesContext(connection) as queries:
            self.text_of(INDEX)
        return len(queries)

    def test_queries_do_not_grow_and_no_host_is_asked(self):
        self.count()
        few = self.count()
        for number in range(20):
            host = rows.make_host(f"host-{number}", problem="x", free_bytes=0)
            made = rows.make_instance(f"many-{number}", host=host)
            rows.make_backup(made, state="failed")
            Worker.objects.create(name=f"w{number}", seen_at="2020-01-01T00:00:00Z")
            sampling.sample_host(host, timezone.now())
        ServiceInstance.objects.update(state="failed")
        assert self.count() <= few
        assert few <= MOST_QUERIES
        assert self.docker.calls == []
