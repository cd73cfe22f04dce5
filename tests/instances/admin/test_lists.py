"""Lists: found by what operators know, linked, and as fast with many rows."""

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from instances.admin.html import change_url, list_url
from instances.admin.instance_tabs import TABS, tab_url
from instances.models import (
    AuditEvent,
    Backup,
    Container,
    DockerHost,
    Operation,
    PortLease,
    ServiceBinding,
    ServiceInstance,
    Worker,
)
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

MODELS = (
    ServiceInstance,
    ServiceBinding,
    Operation,
    Backup,
    Container,
    PortLease,
    AuditEvent,
    DockerHost,
)


class QueryCounts(ConsoleTestCase):
    def count(self, url):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            self.text_of(url)
        return len(queries)

    def make_one(self, name):
        rows.make_backup(rows.make_instance(name, host=rows.make_host(name)))

    def test_lists_ask_no_more_for_30_rows_than_for_3(self):
        for number in range(3):
            self.make_one(f"few-{number}")
        few = {model: self.count(list_url(model)) for model in MODELS}
        for number in range(27):
            self.make_one(f"many-{number}")
        many = {model: self.count(list_url(model)) for model in MODELS}
        assert many == few

    def test_pages_ask_no_more_for_more_related_rows(self):
        instance = rows.make_instance()
        rows.make_backup(instance)
        pages = [tab_url(instance, tab.slug) for tab in TABS]
        pages.append(change_url(instance.container.host))
        for page in pages:
            self.text_of(page)  # Django remembers content types from then on.
        few = [self.count(page) for page in pages]
        for number in range(10):
            rows.make_binding(instance, f"more-{number}")
            rows.make_operation(instance, "bind")
            rows.make_backup(instance)
            rows.make_instance(f"other-{number}")
        assert [self.count(page) for page in pages] == few


class Search(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.wanted = rows.make_instance(
            "guid-wanted",
            host=rows.make_host("wanted-host", port_min=23456),
            organization_guid="org-wanted",
            space_guid="space-wanted",
            bindings=0,
        )
        rows.make_binding(self.wanted, "binding-wanted")
        rows.make_instance("guid-other", host=rows.make_host("beta"))

    def found(self, words):
        text = self.text_of(list_url(ServiceInstance), q=words)
        return "guid-wanted" in text, "guid-other" in text

    def test_instances_are_found_by_what_operators_know(self):
        for words in (
            "guid-wanted",
            "name of guid-wanted",
            "org-wanted",
            "space-wanted",
            "binding-wanted",
            "app-of-binding-wanted",
            "wanted-host",
            "23456",
        ):
            assert self.found(words) == (True, False), words

    def test_operation_is_found_by_its_id(self):
        operation = self.wanted.operations.get()
        text = self.text_of(list_url(Operation), q=str(operation.pk))
        assert "1 operation" in text

    def test_filters_by_state_plan_and_host(self):
        host = self.wanted.container.host
        for query in (
            {"state__exact": "ready"},
            {"plan__id__exact": self.wanted.plan_id},
            {"container__host__id__exact": host.pk},
        ):
            assert "guid-wanted" in self.text_of(list_url(ServiceInstance), **query)
        gone = self.text_of(list_url(ServiceInstance), state__exact="gone")
        assert "guid-wanted" not in gone

    def test_links_of_the_first_page_lead_to_lists(self):
        text = self.text_of(reverse("admin:index"))
        for part in text.split('<ul class="glance">')[1].split('href="')[1:]:
            self.text_of(part.split('"')[0].replace("&amp;", "&"))


class Links(ConsoleTestCase):
    def test_instance_leads_to_everything_of_its_own(self):
        instance = rows.make_instance()
        text = "".join(self.text_of(tab_url(instance, tab.slug)) for tab in TABS)
        for row in (
            instance.plan,
            instance.container,
            instance.container.host,
            instance.bindings.get(),
            instance.operations.get(),
            instance.audit.get(),
        ):
            assert f'href="{change_url(row)}"' in text, row

    def test_others_lead_back_to_the_instance(self):
        instance = rows.make_instance()
        for row in (
            instance.operations.get(),
            instance.bindings.get(),
            instance.container,
            instance.container.lease,
            instance.container.host,
            instance.audit.get(),
        ):
            assert f'href="{change_url(instance)}"' in self.text_of(change_url(row))

    def test_all_of_them_is_filtered_to_this_instance(self):
        instance = rows.make_instance()
        rows.make_instance("another")
        url = list_url(Operation, instance__id__exact=instance.pk)
        page = self.text_of(tab_url(instance, "operations"))
        assert url in page.replace("&amp;", "&")
        assert "name of another" not in self.text_of(url)

    def test_states_are_words_on_a_colour(self):
        rows.make_instance()
        text = self.text_of(list_url(ServiceInstance))
        assert '<span class="badge badge-good">Ready</span>' in text


class Workers(ConsoleTestCase):
    def test_silent_one_is_told_from_one_alive(self):
        Worker.objects.beat("lively")
        Worker.objects.create(name="dead", seen_at="2020-01-01T00:00:00Z")
        text = self.text_of(list_url(Worker))
        assert text.count("badge-good") == 1
        assert text.count("badge-bad") == 1
