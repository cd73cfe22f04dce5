"""The log of an instance: filtered, followed, downloaded."""

import html
import re

from instances.admin.instance_tabs import tab_url
from instances.models import Container
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class LogsTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance()
        self.url = tab_url(self.instance, "logs")
        self.docker.log = "".join(f"line {number}\n" for number in range(400))

    def lines(self, **query):
        found = re.findall(
            r"</time>.*?<bdi>(.*?)</bdi>", self.text_of(self.url, **query)
        )
        return [html.unescape(line) for line in found]


class Showing(LogsTestCase):
    def test_the_last_hundred_lines(self):
        found = self.lines()
        assert (found[0], found[-1], len(found)) == ("line 300", "line 399", 100)

    def test_as_many_as_are_asked_for_of_those_offered(self):
        assert len(self.lines(lines=300)) == 300
        assert len(self.lines(lines=1_000_000)) == 100

    def test_lines_with_a_text_wherever_they_are(self):
        assert self.lines(text="LINE 39") == [
            "line 39",
            *(f"line {number}" for number in range(390, 400)),
        ]

    def test_of_one_stream(self):
        assert self.lines(stream="stderr") == []
        assert "No line of the log matches." in self.text_of(self.url, stream="stderr")

    def test_nonsense_is_the_default(self):
        assert len(self.lines(since="x", stream="x", follow="x", lines="x")) == 100

    def test_an_empty_log_says_so(self):
        self.docker.log = ""
        assert "The log is empty" in self.text_of(self.url)

    def test_hostile_lines_are_text(self):
        """S44."""
        self.docker.log = "\x1b[31m</pre><script>alert(1)</script>\u202egnp\n"
        text = self.text_of(self.url, text='"><script>')
        assert "<script>alert" not in text and '"><script>' not in text
        text = self.text_of(self.url)
        assert "\x1b" not in text and "\u202e" not in text
        assert "&lt;/pre&gt;&lt;script&gt;" in text


class Following(LogsTestCase):
    def test_is_off_until_it_is_asked_for(self):
        assert "data-refresh-url" not in self.text_of(self.url)

    def test_the_part_keeps_the_filter_and_goes_on(self):
        text = html.unescape(self.text_of(self.url, follow=1, text="39"))
        part = re.search(r'data-refresh-url="([^"]*)"', text)[1]
        assert part.startswith(f"{self.url}part/?")
        fresh = self.text_of(part)
        assert fresh.strip().startswith('<div id="log"')
        assert "line 399" in fresh and "line 398" in fresh and "line 1<" not in fresh
        assert part in html.unescape(fresh)

    def test_goes_on_while_the_host_is_down(self):
        self.docker.is_down = True
        assert "data-refresh-url" in self.text_of(f"{self.url}part/", follow=1)


class Downloading(LogsTestCase):
    def download(self, **query):
        return self.client.get(f"{self.url}file/", query)

    def test_is_a_text_file_of_all_that_matches(self):
        response = self.download(text="line 1", lines=100)
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        name = self.instance.container.name
        assert response["Content-Disposition"] == f'attachment; filename="{name}.log"'
        text = response.content.decode()
        assert text.count("\n") == 111
        assert text.startswith("2026-11-22T08:31:00.000000Z stdout line 1\n")

    def test_of_a_host_that_is_down_is_no_log(self):
        self.docker.is_down = True
        response = self.download()
        assert response.status_code == 503
        assert b"does not answer" in response.content

    def test_of_a_container_that_is_gone_says_so(self):
        Container.objects.mark_gone(self.instance.container)
        assert b"has been removed" in self.download().content

    def test_of_nobody_is_404(self):
        nobody = "00000000-0000-0000-0000-000000000000"
        url = self.url.replace(str(self.instance.pk), nobody)
        assert self.client.get(f"{url}file/").status_code == 404
