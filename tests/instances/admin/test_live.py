"""The live part of a page, and an operation's steps."""

from instances.admin import live
from instances.admin.html import change_url
from instances.admin.instance_tabs import tab_url
from instances.models import Container
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class Live(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance()
        self.pages = [
            tab_url(self.instance, "live"),
            change_url(self.instance.container),
        ]

    def test_shows_state_and_log(self):
        for page in self.pages:
            text = self.text_of(page)
            assert '<span class="badge badge-good">running</span>' in text
            assert "<span>2026-11-22</span> <span>08:30:00</span>" in text
            assert "ready for connections" in text

    def test_asks_with_a_short_limit(self):
        self.text_of(self.pages[0])
        assert self.docker.calls == [("alpha", 3)]

    def test_host_that_does_not_answer_is_told_of(self):
        self.docker.is_down = True
        for page in self.pages:
            text = self.text_of(page)
            assert "The Docker host could not be asked" in text
            assert "Docker at tcp://h does not answer" in text

    def test_log_is_cut(self):
        self.docker.log = "x" * (live.LONGEST_LOG + 1)
        assert "x" * live.LONGEST_LOG in self.text_of(self.pages[0])
        assert self.docker.log not in self.text_of(self.pages[0])

    def test_gone_container_is_not_asked_for(self):
        Container.objects.mark_gone(self.instance.container)
        for page in self.pages:
            assert "has been removed from its host" in self.text_of(page)
        assert self.docker.calls == []

    def test_instance_without_container_says_so(self):
        type(self.instance).objects.update(container=None)
        assert "There is no container." in self.text_of(self.pages[0])

    def test_page_tells_where_apps_reach_the_database(self):
        text = self.text_of(change_url(self.instance))
        assert f"10.0.0.5:{self.instance.container.port}" in text
        assert self.instance.database in text
        assert "256 MiB" in text


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
