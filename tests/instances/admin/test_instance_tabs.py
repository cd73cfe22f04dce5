"""The tabs of an instance: names, bindings, operations, container, audit."""

import html
import re
from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from instances.admin.html import change_url, list_url
from instances.admin.instance_tabs import TABS, tab_url
from instances.engines import get_engine
from instances.models import Container, ContainerSample, ServiceBinding, ServiceInstance
from instances.operations import container_drift
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

CONTEXT = {"organization_name": "Sales", "space_name": "production"}


class TabsTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance(
            organization_guid="org-guid-1", space_guid="space-guid-1"
        )
        self.container = self.instance.container

    def tab(self, slug):
        return " ".join(
            html.unescape(self.text_of(tab_url(self.instance, slug))).split()
        )


class Navigation(TabsTestCase):
    def test_each_tab_leads_to_all_and_says_which_it_is(self):
        for tab in TABS:
            text = self.text_of(tab_url(self.instance, tab.slug))
            for other in TABS:
                assert f'href="{tab_url(self.instance, other.slug)}"' in text
            nav = text.split('class="tabs"')[1].split("</nav>")[0]
            here = re.findall(r'href="([^"]*)"\s+aria-current="page"', nav)
            assert here == [tab_url(self.instance, tab.slug)]
            assert tab.label in re.search(r"<title>(.*?)</title>", text, re.S)[1]

    def test_the_first_one_has_the_address_of_old(self):
        assert tab_url(self.instance, "overview") == change_url(self.instance)

    def test_nothing_can_be_posted_to_one(self):
        for tab in TABS[1:]:
            url = tab_url(self.instance, tab.slug)
            assert self.client.post(url).status_code in (403, 405)


class Names(TabsTestCase):
    def setUp(self):
        super().setUp()
        ServiceInstance.objects.update(context=CONTEXT)

    def test_stand_before_guids_on_the_page_and_in_the_list(self):
        for text in (self.tab("overview"), self.text_of(list_url(ServiceInstance))):
            assert text.index("production") < text.index("space-guid-1")
        text = self.tab("overview")
        assert text.index("Sales") < text.index("org-guid-1")

    def test_without_them_there_are_guids(self):
        for context in ({}, {"space_name": 7, "organization_name": None}):
            ServiceInstance.objects.update(context=context)
            assert "space-guid-1" in self.tab("overview")

    def test_of_an_app_come_from_its_annotations(self):
        resource = {"app_annotations": {"example.com/name": "shop", "x/y": "z"}}
        ServiceBinding.objects.update(bind_resource=resource)
        for text in (self.tab("bindings"), self.text_of(list_url(ServiceBinding))):
            assert text.index("shop") < text.index("app-of-binding-0")
        for odd in ([], {"app_annotations": 3}, {"app_annotations": {"a/name": {}}}):
            ServiceBinding.objects.update(bind_resource=odd)
            assert "app-of-binding-0" in self.tab("bindings")


class Overview(TabsTestCase):
    def test_has_it_all_in_one_glance(self):
        Container.objects.update(disk_bytes=2**28, disk_mb=1024)
        counters = dict.fromkeys(
            (
                *("cpu_ms", "received_bytes", "sent_bytes", "read_bytes"),
                *("written_bytes", "processes"),
            ),
            0,
        )
        ContainerSample.objects.create(
            container=self.container,
            at=timezone.now(),
            memory_bytes=128 * 2**20,
            connections=4,
            **counters,
        )
        backup = rows.make_backup(self.instance)
        text = self.tab("overview").split("At a glance")[1].split("<fieldset")[0]
        assert "128 MiB of 256 MiB" in text and "256 of 1024 MiB" in text
        assert change_url(backup) in text
        assert re.search(r"Connections</dt> <dd> 4 </dd>", text)

    def test_of_one_without_anything_says_so(self):
        text = self.tab("overview")
        assert re.search(r"Latest verified backup</dt> <dd> none </dd>", text)


class Bindings(TabsTestCase):
    def test_say_when_they_were_last_connected(self):
        assert "never seen so far" in self.tab("bindings")
        at = timezone.now() - timedelta(minutes=2)
        ServiceBinding.objects.update(connected_at=at)
        assert re.search(r"2 min \d+ s</time> ago", self.tab("bindings"))
        assert "2 min" in self.text_of(change_url(ServiceBinding.objects.get()))

    def test_or_that_the_engine_does_not_know(self):
        self.instance.plan.offering.__class__.objects.update(engine="generic")
        assert "not known by this engine" in self.tab("bindings")

    def test_none_say_how_to_get_one(self):
        other = rows.make_instance("other", bindings=0)
        text = self.text_of(tab_url(other, "bindings"))
        assert "cf bind-service does that" in text


class Operations(TabsTestCase):
    def test_have_steps_durations_and_who_asked(self):
        text = self.tab("operations")
        assert "starting the container" in text
        assert "platform someone" in text and "took 2.5 s" in text

    def test_many_are_counted_out(self):
        for _ in range(30):
            rows.make_operation(self.instance, "bind")
        text = self.tab("operations")
        assert text.count("starting the container") == 5
        assert "All of them" in text


class OfContainers(TabsTestCase):
    def test_show_settings_processes_and_a_hidden_environment(self):
        self.docker.log = "server --flag"
        text = self.tab("container")
        assert "256 MiB" in text and "sha256:0123" in text
        assert "server --flag" in text
        assert "VERIFIER" in text and "not shown" in text
        assert "it is as its row says" in text

    def test_drift_is_named(self):
        Container.objects.update(memory_mb=512, image="brokersite/other:1")
        text = self.tab("container")
        assert "Its limit of memory (MiB) is 256; the row says 512." in text
        assert "Its image is brokersite/mariadb:10.11.2" in text

    def test_drift_of_ports_restarts_and_mounts(self):
        made = self.docker.details(self.container.name)
        assert container_drift.drift_of(self.container) == []
        changed = replace(made, ports=(), restarts=False, mounts=("/var/log",), pids=0)
        found = " ".join(container_drift.differences(self.container, changed))
        assert "It publishes no port; the row says 10.0.0.5:20000 → 3306." in found
        assert "does not start it again" in found
        assert "Its limit of processes is none" in found
        assert "/var/log covers" not in found

    def test_a_mount_over_the_data_is_drift(self):
        path = get_engine("mariadb").data_path
        made = self.docker.details(self.container.name)
        for mount in (path, path.rpartition("/")[0] + "/"):
            changed = replace(made, mounts=(mount,))
            (found,) = container_drift.differences(self.container, changed)
            assert "backups would be empty" in found


class OfHosts(TabsTestCase):
    def setUp(self):
        super().setUp()
        self.page = f"{change_url(self.container.host).replace('/change/', '')}"
        self.url = f"{self.page}/containers/"

    def test_ours_and_strangers_are_told_apart(self):
        text = self.text_of(self.url)
        ours, strangers = text.split("Of others, which this broker does not touch")
        assert change_url(self.container) in ours and change_url(self.instance) in ours
        assert "stranger" in strangers and "<button" not in strangers

    def test_one_that_does_not_answer_is_told_of(self):
        self.docker.is_down = True
        assert "Docker at tcp://h does not answer" in self.text_of(self.url)

    def test_its_page_leads_there(self):
        assert f'href="{self.url}"' in self.text_of(change_url(self.container.host))

    def test_of_nobody_is_404(self):
        url = self.url.replace(str(self.container.host_id), "99999")
        assert self.client.get(url).status_code == 404
