"""Service instances that run with something else than their plan says by now."""

import html

from django.db import connection
from django.test.utils import CaptureQueriesContext

from instances.admin.html import change_url, list_url
from instances.models import ServiceInstance, ServiceOffering, ServicePlan
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase


class Behind(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.plan = rows.make_plan()
        ServicePlan.objects.update(image="brokersite/mariadb:10.11.2")
        rows.make_instance("same")
        self.late = rows.make_instance("late")
        self.url = list_url(ServiceInstance)

    def names(self, state):
        text = self.text_of(self.url, plan_state=state)
        return {name for name in ("same", "late") if f"name of {name}" in text}

    def change_container(self, **fields):
        type(self.late.container).objects.filter(pk=self.late.container_id).update(
            **fields
        )

    def test_none_is_while_all_is_as_the_plan_says(self):
        assert self.names("behind") == set()
        assert self.names("current") == {"same", "late"}
        assert "behind its plan</span>" not in self.text_of(self.url)

    def test_each_limit_and_the_image_count(self):
        for fields, sentence in (
            (
                {"image": "brokersite/mariadb:10.10"},
                "image: has brokersite/mariadb:10.10",
            ),
            ({"memory_mb": 128}, "memory (MiB): has 128, the plan says 256"),
            ({"cpus": "0.5"}, "cpus: has 0.50, the plan says 1.00"),
            ({"pids": 100}, "processes: has 100, the plan says 200"),
        ):
            container = type(self.late.container).objects.get(pk=self.late.container_id)
            before = {name: getattr(container, name) for name in fields}
            self.change_container(**fields)
            assert self.names("behind") == {"late"}, fields
            assert self.names("current") == {"same"}, fields
            assert sentence in self.text_of(change_url(self.late))
            self.change_container(**before)

    def test_the_maintenance_version_counts_once_the_plan_has_one(self):
        ServiceInstance.objects.filter(guid="same").update(maintenance_version="1.1.0")
        assert self.names("behind") == set()
        ServicePlan.objects.update(maintenance_version="1.1.0")
        assert self.names("behind") == {"late"}
        assert "has none, the plan says 1.1.0" in self.text_of(change_url(self.late))

    def test_what_is_not_ready_is_not_behind(self):
        self.change_container(memory_mb=128)
        for state in ("gone", "failed", "provisioning", "deprovisioning"):
            ServiceInstance.objects.filter(guid="late").update(state=state)
            assert self.names("behind") == set(), state

    def test_the_list_marks_it(self):
        self.change_container(memory_mb=128)
        assert self.text_of(self.url).count("behind its plan</span>") == 1

    def test_the_plan_counts_and_leads_to_them(self):
        self.change_container(memory_mb=128)
        link = f"{self.url}?plan__id__exact=plan%2F1&plan_state=behind"
        for url in (change_url(self.plan), list_url(ServicePlan)):
            assert f'<a href="{link}">1</a>' in html.unescape(self.text_of(url)), url

    def test_lists_ask_no_more_for_more_of_them(self):
        def count(url):
            with CaptureQueriesContext(connection) as queries:
                self.text_of(url)
            return len(queries)

        urls = (self.url, list_url(ServicePlan), list_url(ServiceOffering))
        few = [count(url) for url in urls]
        for number in range(5):
            rows.make_instance(f"more-{number}")
        type(self.late.container).objects.update(memory_mb=128)
        assert [count(url) for url in urls] == few
