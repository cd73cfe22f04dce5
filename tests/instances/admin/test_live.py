"""The live part of a page, and an operation's steps."""

import re
from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from instances.admin import live
from instances.admin.html import change_url
from instances.admin.instance_tabs import TABS, tab_url
from instances.models import Container, ContainerSample
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class Live(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance()
        self.container = self.instance.container
        self.pages = [tab_url(self.instance, "live"), change_url(self.container)]

    def sample(self, minutes_ago=0, **fields):
        values = dict.fromkeys((*live.COUNTERS, "memory_bytes", "processes"), 0)
        at = timezone.now() - timedelta(minutes=minutes_ago)
        return ContainerSample.objects.create(
            **{**values, "container": self.container, "at": at, **fields}
        )

    def test_shows_state_and_use(self):
        self.connected = {"u1": 2, "u2": 1}
        for page in self.pages:
            text = self.text_of(page)
            assert '<span class="badge badge-good">running</span>' in text
            assert "<span>2026-11-22</span> <span>08:30:00</span>" in text
            assert "90 MiB of 256 MiB" in text and "12 of 200" in text
            assert re.search(r"Connections</dt>\s*<dd>\s*3\s*</dd>", text)

    def test_speeds_are_since_the_latest_sample(self):
        self.sample(minutes_ago=1)
        text = self.text_of(self.pages[0])
        assert re.search(r"2\.\d % of one processor", text)

    def test_or_since_the_reading_that_the_address_carries(self):
        url = f"{self.pages[0]}now/"
        text = self.text_of(url)
        assert f'data-refresh-url="{url}?' in text
        former = dict.fromkeys(live.COUNTERS, 0)
        # So long ago that the time of this test does not count.
        before = timezone.now().timestamp() - 1500
        text = self.text_of(url, **former, at=before)
        assert "0.1 % of one processor" in text and "3 B/s" in text
        for nonsense in ("x", "nan", "inf", "-1e400"):
            self.text_of(url, **former, at=nonsense)

    def test_an_engine_that_does_not_know_connections_says_so(self):
        Container.objects.update(engine="generic")
        assert "not known by this engine" in self.text_of(self.pages[0])

    def test_asks_with_a_short_limit(self):
        self.text_of(self.pages[0])
        assert self.docker.calls == [("alpha", 3)]

    def test_host_that_does_not_answer_is_told_of(self):
        self.docker.is_down = True
        for slug in ("live", "logs", "container"):
            text = self.text_of(tab_url(self.instance, slug))
            assert "The Docker host could not be asked" in text
            assert "Docker at tcp://h does not answer" in text

    def test_gone_container_is_not_asked_for(self):
        Container.objects.mark_gone(self.container)
        for page in self.pages:
            assert "has been removed from its host" in self.text_of(page)
        assert self.docker.calls == []

    def test_instance_without_container_says_so(self):
        type(self.instance).objects.update(container=None)
        for slug in ("live", "logs", "container"):
            text = self.text_of(tab_url(self.instance, slug))
            assert "There is no container." in text

    def test_page_tells_where_apps_reach_the_database(self):
        text = self.text_of(change_url(self.instance))
        assert f"10.0.0.5:{self.instance.container.port}" in text
        assert self.instance.database in text
        assert "256 MiB" in text

    def test_only_three_tabs_ask_a_host(self):
        for tab in TABS:
            if tab.slug not in ("live", "logs", "container"):
                self.text_of(tab_url(self.instance, tab.slug))
        assert self.docker.calls == []

    def test_the_last_day_is_drawn_with_its_limit_and_numbers(self):
        for minute in range(5):
            self.sample(minute, memory_bytes=128 * 2**20, cpu_ms=1000 - 60 * minute)
        self.sample(60 * 30, memory_bytes=250 * 2**20)
        text = self.text_of(self.pages[0])
        label = "Memory: 128 MiB last, at most 128 MiB, limited to 256 MiB"
        assert f'aria-label="{label}"' in text
        assert "CPU: 0.1 % last, at most 0.1 %" in text
        assert "Nobody can say" in text

    def test_without_samples_the_plots_say_so(self):
        assert "Nothing was measured in this time." in self.text_of(self.pages[0])

    def test_queries_do_not_grow_with_samples(self):
        url = tab_url(self.instance, "live")
        self.sample()
        self.text_of(url)
        with CaptureQueriesContext(connection) as few:
            self.text_of(url)
        for minute in range(1, 30):
            self.sample(minute)
        with self.assertNumQueries(len(few)):
            self.text_of(url)


class Steps(ConsoleTestCase):
    def test_are_shown_with_times_and_outcome(self):
        operation = rows.make_operation(
            rows.make_instance(),
            "bind",
            state="failed",
            error="The database does not answer at the moment.",
            detail="connection refused by 10.0.0.5",
            steps=[
                {"at": "2026-11-22T08:00:00+00:00", "text": "creating the user"},
                {"at": "2026-11-22T08:00:02.500000+00:00", "text": "granting"},
            ],
        )
        text = self.text_of(change_url(operation))
        assert text.index("creating the user") < text.index("granting")
        assert "+2.5 s" in text
        assert "The database does not answer at the moment." in text
        assert '<pre class="text">connection refused by 10.0.0.5</pre>' in text
