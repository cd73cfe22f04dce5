"""Every page: it renders, for those who may see it, without secrets or scripts."""

import re

from django.urls import reverse

from instances.admin.base import secret_columns
from instances.admin.html import change_url, list_url
from instances.admin.instance_tabs import TABS, tab_url
from instances.models import Backup, Broker, Container, ServiceInstance
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

INLINE = re.compile(
    r"""\sstyle\s*=|\son[a-z]+\s*=|<style|<script(?![^>]*\ssrc=)|javascript:""", re.I
)

SOURCE = re.compile(r'<(?:link|script|img)[^>]*(?:href|src)="([^"]*)"')


class PagesTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.rows = rows.make_everything()
        self.lists = [list_url(model) for model in self.rows]
        self.pages = [change_url(row) for row in self.rows.values()]
        view = "admin:instances_serviceinstance_"
        chosen = f"?id={self.rows[ServiceInstance].pk}"
        self.everywhere = [
            reverse("admin:index"),
            reverse("admin:app_list", args=["instances"]),
            *self.lists,
            *self.pages,
            reverse(f"{view}deprovision") + chosen,
            reverse(f"{view}upgrade") + chosen,
            reverse(f"{view}back_up") + chosen,
            reverse("admin:instances_backup_restore", args=[self.rows[Backup].pk]),
            reverse("admin:instances_backup_clone", args=[self.rows[Backup].pk]),
            reverse(f"{view}backup_policy", args=[self.rows[ServiceInstance].pk]),
            *(tab_url(self.rows[ServiceInstance], tab.slug) for tab in TABS),
        ]


class Rendering(PagesTestCase):
    def test_every_page_answers_200(self):
        for url in self.everywhere:
            self.text_of(url)

    def test_every_list_shows_its_row(self):
        for url in self.lists:
            assert "1 " in self.text_of(url).split('class="paginator"')[1], url

    def test_every_list_can_be_searched(self):
        for url in self.lists:
            assert "Nothing matches" in self.text_of(url, q="no such thing"), url

    def test_every_list_can_be_ordered_by_each_column(self):
        for url in self.lists:
            for column in range(1, 9):
                assert self.client.get(url, {"o": f"-{column}"}).status_code == 200

    def test_titles_carry_the_product_name(self):
        for url in self.everywhere:
            title = re.search(r"<title>(.*?)</title>", self.text_of(url), re.S)
            assert "brokersite" in title[1], url

    def test_index_groups_the_models(self):
        text = self.text_of(reverse("admin:index"))
        for group in ("Services", "Docker", "Catalog", "Access and history"):
            assert re.search(rf'class="section"[^>]*>\s*{group}\s*<', text), group


class WithoutRows(ConsoleTestCase):
    def test_every_list_says_what_would_be_here(self):
        Broker.objects.all().delete()
        for name in (
            "serviceinstance servicebinding backup operation auditevent dockerhost "
            "portlease container serviceoffering serviceplan broker brokercredential "
            "worker"
        ).split():
            text = self.text_of(reverse(f"admin:instances_{name}_changelist"))
            assert 'class="nothing"' in text, name
            assert "There is nothing here yet." not in text, name

    def test_index_renders(self):
        assert "At a glance" in self.text_of(reverse("admin:index"))


class Strangers(PagesTestCase):
    def test_anonymous_is_sent_to_the_login(self):
        self.client.logout()
        for url in self.everywhere:
            response = self.client.get(url)
            assert response.status_code == 302, url
            assert response["Location"].startswith("/admin/login/"), url

    def test_login_page_names_no_host(self):
        rows.make_host("secret-name", url="tcp://10.0.0.9:2375")
        self.client.logout()
        text = self.text_of(reverse("admin:login"))
        assert "secret-name" not in text


class Secrets(PagesTestCase):
    def test_no_page_shows_one(self):
        for url in self.everywhere:
            text = self.text_of(url)
            for canary in rows.CANARIES:
                assert canary not in text, url

    def test_pages_render_when_no_key_opens_them(self):
        with rows.unreadable_secrets():
            for url in self.everywhere:
                self.text_of(url)

    def test_columns_are_found_on_related_models_too(self):
        names = secret_columns(Container, ["instance"])
        assert names == ["admin_secret", "first_secret", "next_secret"]
        paths = ["container__host", "container__lease"]
        names = secret_columns(ServiceInstance, paths)
        host = {"container__host__tls_key", "container__host__ssh_key"}
        secrets = ("admin_secret", "first_secret", "next_secret")
        assert set(names) == {*(f"container__{name}" for name in secrets), *host}


class ReadOnly(PagesTestCase):
    def test_nothing_is_added_or_deleted(self):
        for url in self.lists:
            if "serviceoffering" in url or "serviceplan" in url:
                continue  # the catalog is written here: see test_catalog
            if "dockerhost" in url:
                continue  # hosts are added here: see test_docker_host
            assert self.client.get(f"{url}add/").status_code in (403, 404), url
        for url in self.pages:
            delete = url.replace("/change/", "/delete/")
            assert self.client.post(delete, {"post": "yes"}).status_code == 403, url

    def test_nothing_but_broker_hosts_and_catalog_is_changed(self):
        written = ("Broker", "DockerHost", "ServiceOffering", "ServicePlan")
        for model, row in self.rows.items():
            if model.__name__ not in written:
                response = self.client.post(change_url(row), {"state": "gone"})
                assert response.status_code == 403, model


class ContentSecurity(PagesTestCase):
    def test_policy_is_strict_on_every_page(self):
        for url in [*self.everywhere, reverse("admin:password_change")]:
            policy = self.client.get(url)["Content-Security-Policy"]
            assert "default-src 'none'" in policy, url
            assert "unsafe" not in policy, url

    def test_nothing_is_inline_or_from_elsewhere(self):
        for url in self.everywhere:
            text = self.text_of(url)
            assert not INLINE.search(text), (url, INLINE.search(text))
            sources = SOURCE.findall(text)
            assert sources
            assert all(source.startswith("/") for source in sources), url


class HostileText(ConsoleTestCase):
    PAYLOADS = (
        "<script>alert(1)</script>",
        "\"'><img src=x onerror=alert(1)>",
        "{{ 7|add:7 }}{% now %}",
        "\u202egnp.exe\u202c",
        "</pre><b>bold</b>",
    )

    def test_is_escaped_on_every_page(self):
        for number, payload in enumerate(self.PAYLOADS):
            instance = rows.make_instance(
                f"{payload}-{number}",
                instance_name=payload,
                parameters={payload: payload},
                space_guid=payload,
                organization_guid=payload,
                bindings=0,
            )
            rows.make_binding(instance, payload, parameters={"p": payload})
            self.docker.log = f"log {payload}\n"
            operation = rows.make_operation(
                instance,
                "bind",
                error=payload,
                detail=payload,
                requested_by=payload,
                steps=[{"at": "2026-11-22T08:00:00+00:00", "text": payload}],
            )
            backup = rows.make_backup(
                instance, note=payload, problem=payload, requested_by=payload
            )
            urls = [change_url(row) for row in (operation, backup)]
            urls += [tab_url(instance, tab.slug) for tab in TABS]
            for what in ("restore", "clone"):
                name = f"admin:instances_backup_{what}"
                urls.append(reverse(name, args=[backup.pk]))
            name = "admin:instances_serviceinstance_backup_policy"
            urls.append(reverse(name, args=[instance.pk]))
            urls.append(list_url(Backup, instance__id__exact=instance.pk))
            urls.append(list_url(Backup))
            urls += [change_url(row) for row in (instance.container, *_parts(instance))]
            urls += [list_url(type(row)) for row in (instance, operation)]
            for what in ("deprovision", "upgrade", "back_up"):
                page = reverse(f"admin:instances_serviceinstance_{what}")
                urls.append(f"{page}?id={instance.pk}")
            for url in urls:
                text = self.text_of(url)
                for raw in ("<script>alert", "<img src=x", "<b>bold", "{{ 7|add:7 }}x"):
                    assert raw not in text, (url, raw)
                assert not INLINE.search(_without_text(text)), url

    def test_direction_of_names_is_isolated(self):
        rows.make_instance(instance_name="\u202egnp.exe")
        assert "<bdi>⟨U+202E⟩gnp.exe</bdi>" in self.text_of(list_url(ServiceInstance))


def _parts(instance):
    return [instance.bindings.get(), instance.audit.get(), instance.container.lease]


def _without_text(html):
    """The tags alone: what is escaped may look like anything."""
    return " ".join(re.findall(r"<[^<>]*>", re.sub(r'"[^"<>]*&[^"<>]*"', '""', html)))
