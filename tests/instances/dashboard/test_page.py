"""What the page of a service instance says, and to whom of the console."""

import json

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client, TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from instances.dashboard import connecting
from instances.models import (
    Backup,
    Container,
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
    ServicePlan,
)
from tests.instances.admin import rows
from tests.instances.admin.expectations import LADDER, VIEWERS
from tests.instances.admin.made_roles import make_roles
from tests.instances.dashboard.base import DashboardTestCase

HOSTILE = "<script>alert(1)</script>' OR 1=1 \u202egnp.exe \x1b[31m"


class PageTestCase(rows.ConsoleTestCase):
    """Seen by an operator, where no platform is configured."""

    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance()

    def page(self, instance=None, client=None):
        guid = (instance or self.instance).guid
        url = reverse("dashboard:instance", args=[guid])
        return (client or self.client).get(url)

    def text(self):
        answer = self.page()
        assert answer.status_code == 200
        return answer.content.decode()


class Content(PageTestCase):
    def test_limits_use_connections_and_backups(self):
        backup = rows.make_backup(self.instance)
        made = self.instance.container
        Container.objects.filter(pk=made.pk).update(disk_mb=1024, disk_bytes=7 * 2**20)
        text = self.text()
        for said in (
            *("256 mib", "7 mib used of 1024 mib", "app-of-binding-0", "name of"),
            *(str(backup.pk), "verified", "provision"),
        ):
            assert said in text.lower(), said

    def test_no_secret_and_nothing_of_the_operators(self):
        """SECURITY S20."""
        failed = rows.make_operation(self.instance, Kind.UPDATE)
        Operation.objects.filter(pk=failed.pk).update(
            state="failed", error="The plan is full.", detail="host alpha: no memory"
        )
        text = self.text()
        assert "The plan is full." in text and "host alpha" not in text
        for canary in (*rows.CANARIES, 'href="/admin/', "brokersite/mariadb:10"):
            assert canary not in text, canary

    def test_secrets_are_not_even_read(self):
        with rows.unreadable_secrets():
            assert self.page().status_code == 200

    def test_text_of_strangers_is_only_text(self):
        """SECURITY S44."""
        ServiceInstance.objects.update(
            instance_name=HOSTILE,
            context={"organization_name": HOSTILE, "space_name": [HOSTILE]},
        )
        ServiceBinding.objects.update(app_guid=HOSTILE)
        Operation.objects.update(error=HOSTILE)
        text = self.text()
        assert "<script>alert" not in text and "&lt;script&gt;" in text
        assert "\u202e" not in text and "\x1b" not in text

    def test_a_name_is_one_word_to_the_shell(self):
        ServiceInstance.objects.update(instance_name="x; rm -rf $HOME 'a")
        instance = ServiceInstance.objects.get()
        (first, *_) = connecting.ways(instance)
        assert "cf bind-service MY-APP 'x; rm -rf $HOME '\"'\"'a'" in first.command

    def test_commands_are_those_of_the_engine(self):
        client = {
            "mariadb": "mariadb --host=10.0.0.5",
            "postgres": "psql 'host=10.0.0.5",
            "redis": "redis-cli -h 10.0.0.5",
            "generic": "",
        }
        for engine, command in client.items():
            self.instance.plan.offering.engine = engine
            found = "".join(way.command for way in connecting.ways(self.instance))
            assert command in found
            assert ("ssh" in found) is bool(command), engine

    def test_wishes_are_those_that_the_plan_lets_one_have(self):
        asked = "".join(way.command for way in connecting.wishes(self.instance))
        assert all(word in asked for word in ("backup", "restore", "restore_from"))
        document = asked[asked.index('{"restore_from') :].rstrip("'")
        assert json.loads(document)["restore_from"]["instance"] == self.instance.guid
        ServicePlan.objects.update(backup_by_developer=False)
        self.instance.plan.refresh_from_db()
        asked = "".join(way.command for way in connecting.wishes(self.instance))
        assert "backup" not in asked

    def test_a_full_disk_is_told_of_with_the_cure(self):
        Container.objects.update(disk_state="read_only", disk_mb=10)
        assert "cf update-service" in self.text()
        assert "apps can only read" in self.text()

    def test_one_without_a_container_or_a_backup(self):
        instance = rows.make_instance("other", bindings=0)
        ServiceInstance.objects.filter(pk=instance.pk).update(
            container=None, state="provisioning"
        )
        text = self.page(instance).content.decode()
        assert "There is no database yet" in text
        assert "No backup has been taken yet" in text and "No app is bound" in text

    def test_queries_are_as_many_for_many_rows(self):
        self.page()
        few = self.queries()
        for number in range(20):
            rows.make_backup(self.instance)
            rows.make_binding(self.instance, f"more-{number}")
        assert self.queries() == few
        assert Backup.objects.count() == 20

    def queries(self):
        with CaptureQueriesContext(connection) as captured:
            self.page()
        return len(captured)


class Headers(PageTestCase):
    def test_are_as_strict_as_the_consoles(self):
        """SECURITY S46."""
        answer = self.page()
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "form-action 'self'" in policy and "frame-ancestors 'none'" in policy
        assert answer["X-Frame-Options"] == "DENY"
        assert "no-store" in answer["Cache-Control"]
        text = answer.content.decode()
        assert "<script" not in text and "style=" not in text

    def test_nothing_but_get(self):
        """SECURITY S41."""
        url = reverse("dashboard:instance", args=[self.instance.guid])
        for method in ("post", "put", "patch", "delete"):
            assert getattr(self.client, method)(url).status_code == 405


class Roles(TestCase):
    """Each role of the console, without a platform's login and with one (S47)."""

    def setUp(self):
        super().setUp()
        make_roles()
        self.url = reverse("dashboard:instance", args=[rows.make_instance().guid])

    def client_of(self, role):
        client = Client()
        if role == "anonymous":
            return client
        users = get_user_model().objects
        user = users.create_user(
            f"{role} {users.count()}",
            is_staff=role != "former",
            is_superuser=role == "superuser",
        )
        group = "administrator" if role == "former" else role
        user.groups.set(Group.objects.filter(name=group))
        client.force_login(user)
        return client

    def test_without_a_platform_viewers_see_it(self):
        for role in LADDER:
            answer = self.client_of(role).get(self.url)
            if role in VIEWERS:
                assert answer.status_code == 200, role
            elif role == "anonymous":
                assert answer.status_code == 302
                assert answer["Location"].startswith(reverse("admin:login"))
            else:
                assert answer.status_code == 403, role

    def test_without_a_platform_there_is_no_way_back_from_one(self):
        for role in LADDER:
            url = reverse("dashboard:callback")
            assert self.client_of(role).get(url).status_code == 404, role

    def test_nobody_learns_what_there_is(self):
        there = Client().get(self.url)
        absent = Client().get(reverse("dashboard:instance", args=["none"]))
        assert there.status_code == absent.status_code == 302


class RolesAndPlatform(DashboardTestCase):
    def test_operators_need_no_login_of_the_platform(self):
        make_roles()
        for role, status in (("viewer", 200), ("stranger", 302)):
            user = get_user_model().objects.create_user(role, is_staff=True)
            user.groups.set(Group.objects.filter(name=role))
            client = Client()
            client.force_login(user)
            assert self.page(client=client).status_code == status, role

    def test_the_platforms_users_are_nobody_in_the_console(self):
        assert self.log_in().status_code == 200
        assert self.client.get(reverse("admin:index")).status_code == 302
        assert not get_user_model().objects.exists()

    def test_a_login_of_the_console_keeps_its_own(self):
        user = get_user_model().objects.create_user("s", is_staff=True)
        self.client.force_login(user)
        assert self.log_in().status_code == 200
        assert self.client.get(reverse("admin:index")).status_code == 200

    @override_settings(SESSION_IDLE_S=60)
    def test_who_is_away_for_long_goes_through_the_login_again(self):
        """SECURITY S51."""
        self.log_in()
        session = self.client.session
        session["seen_at"] -= 61
        session.save()
        assert self.page().status_code == 302
