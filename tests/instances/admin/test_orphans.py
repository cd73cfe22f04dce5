"""Orphans in the console, and how it stands with Cloud Controller (FAILURES F20)."""

import html
import re

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models.functions import Now
from django.test import override_settings
from django.urls import reverse

from instances.admin import attention
from instances.admin.html import change_url, list_url
from instances.admin.instance_tabs import tab_url
from instances.models import (
    Broker,
    BrokerCredential,
    PlatformLookup,
    ServiceBinding,
    ServiceInstance,
    Worker,
)
from tests.instances.admin import rows
from tests.instances.admin.made_roles import make_roles
from tests.instances.admin.parsing import Parsed
from tests.instances.admin.rows import ConsoleTestCase

SETTINGS = {
    "api_url": "https://api.example.com",
    "client_id": "brokersite-lookup",
    "client_secret": "canary-client-secret",
}
MARK = "orphan"


class OrphansTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-1")
        self.other = rows.make_instance("instance-2")
        Worker.objects.beat("worker-1")
        BrokerCredential.objects.create(username="cf", password_hash="x")

    def forget(self, *instances):
        for row in instances:
            ServiceInstance.objects.filter(pk=row.pk).update(orphaned_at=Now())

    def only(self):
        (finding,) = attention.needs_a_person()
        assert self.client.get(finding.url).status_code == 200
        assert not finding.is_urgent
        return finding


class Instances(OrphansTestCase):
    def test_one_needs_a_person_and_its_page_leads_to_its_end(self):
        """F20: nothing but a person removes it."""
        assert attention.needs_a_person() == []
        self.forget(self.instance)
        finding = self.only()
        assert str(self.instance) in finding.text
        page = self.text_of(finding.url)
        assert f">{MARK}<" in page
        for name in ("deprovision", "force_deprovision"):
            url = reverse(f"admin:instances_serviceinstance_{name}")
            there = f"{url}?id={self.instance.pk}"
            assert f'href="{there}"' in page.split("section-note")[1]
            assert self.client.get(there).status_code == 200
        assert ServiceInstance.objects.filter(state="ready").count() == 2

    def test_many_are_counted_and_listed(self):
        self.forget(self.instance, self.other)
        finding = self.only()
        assert "does not know 2 service instances" in finding.text
        assert self.text_of(finding.url).count(f">{MARK}<") == 2

    def test_the_list_is_filtered(self):
        self.forget(self.instance)
        no = self.text_of(list_url(ServiceInstance), orphaned_at__isempty=0)
        yes = self.text_of(list_url(ServiceInstance), orphaned_at__isempty=1)
        assert "instance-1" in no and "instance-2" not in no
        assert "instance-2" in yes and "instance-1" not in yes
        assert "Yes, or not asked" in yes

    def test_one_that_is_gone_needs_nobody(self):
        self.forget(self.instance)
        ServiceInstance.objects.filter(orphaned_at__isnull=False).update(
            state="gone", live_key=None
        )
        assert attention.needs_a_person() == []
        assert f">{MARK}<" not in self.text_of(change_url(self.instance))
        found = self.text_of(list_url(ServiceInstance), orphaned_at__isempty=0)
        assert "instance-1" not in found

    def test_who_may_not_is_shown_no_way_to(self):
        self.forget(self.instance)
        make_roles()
        for role, shown in (
            ("viewer", set()),
            ("operator", {"deprovision"}),
            ("administrator", {"deprovision", "force-deprovision"}),
        ):
            user = get_user_model().objects.create_user(role, is_staff=True)
            user.groups.add(Group.objects.get(name=role))
            self.client.force_login(user)
            page = self.text_of(change_url(self.instance)).split("section-note")[1]
            ways = re.findall(r'href="[^"]*/([a-z-]+)/\?id=', page.split("</p>")[0])
            assert set(ways) == shown, role


class Bindings(OrphansTestCase):
    def setUp(self):
        super().setUp()
        self.instance.bindings.update(orphaned_at=Now())

    def test_are_counted_and_marked(self):
        """F20."""
        finding = self.only()
        assert "does not know 1 service bindings" in finding.text
        page = self.text_of(finding.url)
        assert page.count(f">{MARK}<") == 1
        tab = self.text_of(tab_url(self.instance, "bindings"))
        assert tab.count(f">{MARK}<") == 1

    def test_gone_ones_are_not(self):
        ServiceBinding.objects.update(state="gone", live_key=None)
        assert attention.needs_a_person() == []


class AppNames(OrphansTestCase):
    """Found by the name of the app, and named wherever it stands."""

    def setUp(self):
        super().setUp()
        self.instance.bindings.update(app_name="webshop")
        ServiceInstance.objects.filter(pk=self.instance.pk).update(
            organization_name="acme", space_name="dev"
        )

    def test_the_search_knows_all_names(self):
        for word in ("webshop", "acme", "dev", "WEBSHOP"):
            found = self.text_of(list_url(ServiceInstance), q=word)
            assert "instance-1" in found and "instance-2" not in found, word
        assert "webshop" in self.text_of(list_url(ServiceBinding), q="webshop")

    def test_a_deprovision_says_which_app_loses_its_database(self):
        url = reverse("admin:instances_serviceinstance_deprovision")
        page = self.text_of(url, id=self.instance.pk)
        text = " ".join("".join(Parsed(page).texts).split())
        assert "app webshop (app-of-binding-0)" in text

    def test_names_of_today_go_before_those_of_the_context(self):
        ServiceInstance.objects.update(context={"space_name": "of-before"})
        page = self.text_of(list_url(ServiceInstance), q="instance-1")
        assert "dev" in page and "of-before" not in page


@override_settings(CLOUD_CONTROLLER=SETTINGS)
class CloudController(OrphansTestCase):
    def page(self):
        return self.text_of(change_url(Broker.this()))

    def test_the_broker_s_page_says_how_it_stands(self):
        assert "https://api.example.com" in self.page()
        PlatformLookup.this()
        PlatformLookup.succeed(interval_s=900, doubt="", instances=40, others=2)
        page = self.page()
        assert re.search(r"compared</dt>\s*<dd>\s*40\s*</dd>", page)
        assert "canary" not in page

    def test_nothing_is_said_where_nobody_is_asked(self):
        with override_settings(CLOUD_CONTROLLER={}):
            PlatformLookup.objects.create(failures=9, problem="of before", doubt="x")
            assert attention.needs_a_person() == []
            assert "of before" not in self.page()

    def test_one_failure_is_nothing_and_two_are_said(self):
        PlatformLookup.fail("it answers 500")
        assert attention.needs_a_person() == []
        PlatformLookup.fail("it answers 500")
        finding = self.only()
        assert "asked in vain" in finding.text
        assert "it answers 500" in self.text_of(finding.url)

    def test_what_is_not_believed_is_said(self):
        """F20."""
        doubt = "The platform knows only 0 of 40 service instances."
        PlatformLookup.this()
        PlatformLookup.succeed(interval_s=900, doubt=doubt, instances=0, others=0)
        assert self.only().text == doubt

    def test_what_it_says_is_text(self):
        """SECURITY S44."""
        evil = "<script>alert(1)</script>"
        PlatformLookup.objects.create(failures=2, problem=evil, doubt=evil)
        for url in (change_url(Broker.this()), reverse("admin:index")):
            assert "<script>alert" not in self.text_of(url)
        assert evil in html.unescape(self.page())
