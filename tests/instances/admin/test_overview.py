"""The first page's middle: hosts, instances, backups, a week."""

import html
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from instances.admin import overview
from instances.models import DockerHost, HostSample, ServiceInstance
from instances.operations import sampling
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class OverviewTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance()
        self.host = self.instance.container.host

    def section(self, title):
        return next(part for part in overview.sections() if part.title == title)

    def shown(self):
        return html.unescape(self.text_of(reverse("admin:index")))


class Numbers(OverviewTestCase):
    def test_hosts_have_memory_disk_and_ports_as_bars(self):
        DockerHost.objects.update(memory_mb=1024, port_max=20009, free_bytes=3 * 2**30)
        self.instance.container.__class__.objects.update(disk_bytes=2**30)
        text = self.shown()
        assert "256 MiB of 1.0 GiB" in text and 'width="25.0"' in text
        assert "1.0 GiB of databases, 3.0 GiB free" in text
        assert "1 used, 9 free" in text and 'width="10.0"' in text

    def test_instances_are_counted_three_ways(self):
        rows.make_instance("second")
        rows.make_instance("third")
        ServiceInstance.objects.filter(guid="third").update(state="failed")
        ServiceInstance.objects.filter(guid="second").update(state="gone")
        states = self.section("Service instances by state").content["rows"]
        assert [">1</a>" in number for _, number in states] == [True, True]
        assert self.section("By engine").content["rows"] == [("mariadb", 2)]
        ((plan, number),) = self.section("By plan").content["rows"]
        assert "mysql-docker free" in plan and ">2</a>" in number

    def test_links_lead_to_filtered_lists(self):
        rows.make_backup(self.instance)
        rows.make_backup(self.instance, state="missing")
        text = self.shown()
        for part in text.split('class="overview"')[1].split('href="')[1:]:
            assert self.client.get(part.split('"')[0]).status_code == 200, part[:80]

    def test_without_anything_says_what_would_be_here(self):
        type(self).make_nothing()
        text = self.shown()
        assert "cf create-service makes the first one" in text

    @staticmethod
    def make_nothing():
        ServiceInstance.objects.update(state="gone")


class Trends(OverviewTestCase):
    def plots(self):
        found = self.section("The last seven days").content["plots"]
        return {plot.title: plot for plot in found}

    def test_are_the_mean_of_each_hour_over_all_hosts(self):
        other = rows.make_host("other")
        rows.make_instance("second", host=other)
        rows.make_instance("third", host=other)
        now = timezone.now()
        for hours in (2, 1):
            for minute in (0, 10, 20):
                at = now.replace(minute=minute) - timedelta(hours=hours)
                for host in (self.host, other):
                    sampling.sample_host(host, at)
        assert HostSample.objects.filter(is_coarse=True).count() == 12
        plots = self.plots()
        assert plots["Databases"].label == "Databases: 3 last, at most 3"
        assert plots["Memory given"].now == "768 MiB"
        assert len(plots["Ports used"].lines) == 1

    def test_without_samples_say_so(self):
        assert "Nothing was measured" in self.plots()["Databases"].empty
