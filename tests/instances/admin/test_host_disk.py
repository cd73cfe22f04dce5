"""The free disk of Docker hosts, in the list, on the page and on the first page."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from instances.admin.html import change_url, list_url
from instances.models import DockerHost
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

GIB = 2**30
NO_ROOM = "no room for backups"


class FreeDisk(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.host = rows.make_host()

    def measured(self, free_bytes):
        at = timezone.now() - timedelta(minutes=2)
        DockerHost.objects.update(free_bytes=free_bytes, free_measured_at=at)
        return " ".join(self.text_of(change_url(self.host)).split())

    def test_it_is_shown_with_its_age(self):
        text = self.measured(37 * GIB)
        assert "37 GiB, measured" in text and ">2 min " in text
        assert "37 GiB" in self.text_of(list_url(DockerHost))
        assert NO_ROOM not in text

    def test_too_little_of_it_is_told_of_everywhere(self):
        assert NO_ROOM in self.measured(GIB - 1)
        assert NO_ROOM in self.text_of(list_url(DockerHost))
        text = self.text_of(reverse("admin:index"))
        assert "Docker hosts without room for backups" in text

    def test_where_there_is_room_the_first_page_says_nothing_of_it(self):
        self.measured(GIB)
        assert "without room" not in self.text_of(reverse("admin:index"))

    def test_one_that_was_never_measured_says_why(self):
        text = " ".join(self.text_of(change_url(self.host)).split())
        assert "Backups are tried all the same." in text
