"""The images on a Docker host's page, and their prestage buttons."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from instances.admin.html import change_url
from instances.models import AuditEvent, HostImage, ServicePlan
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

IMAGE = "m:10"
OTHER = "registry.example/tiny:1"
REFRESH = "data-refresh-url="


class HostImagesTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.host = rows.make_host()
        self.plan = rows.make_plan()
        self.page = change_url(self.host)
        pages = ("prestage", "images")
        self.prestage_url, self.section_url = (
            reverse(f"admin:instances_dockerhost_{name}", args=[self.host.pk])
            for name in pages
        )

    def add_plan(self, image):
        ServicePlan.objects.create(
            id=f"plan of {image}", offering=self.plan.offering, name=image, image=image
        )

    def want(self, image, **fields):
        HostImage.objects.create(host=self.host, image=image, **fields)


class Table(HostImagesTestCase):
    def test_shows_what_is_there_and_for_which_plans(self):
        text = self.text_of(self.page)
        for part in (
            f"<bdi>{IMAGE}</bdi>",
            change_url(self.plan),
            '<span class="badge badge-good">there</span>',
            "0123456789ab",
            "217 MB",
            "<span>2026-11-22</span> <span>08:30:00</span>",
            "5 of 125",
        ):
            assert part in text, part
        assert 'name="image"' not in text

    def test_asks_with_a_short_limit(self):
        self.text_of(self.page)
        assert self.docker.calls == [("alpha", 3)]

    def test_missing_one_has_a_button(self):
        self.docker.images.missing.add(IMAGE)
        text = self.text_of(self.page)
        assert '<span class="badge badge-bad">missing</span>' in text
        assert f'value="{IMAGE}">Prestage</button>' in text
        assert "Prestage all" not in text

    def test_several_missing_ones_have_one_more(self):
        self.add_plan(OTHER)
        self.docker.images.missing |= {IMAGE, OTHER}
        assert "Prestage all that this host lacks" in self.text_of(self.page)

    def test_one_of_ours_from_other_files_can_be_built_again(self):
        ServicePlan.objects.update(image="brokersite/redis:7.0")
        text = self.text_of(self.page)
        assert '<span class="badge badge-wait">outdated</span>' in text
        assert ">Build again</button>" in text

    def test_many_layers_are_marked(self):
        self.docker.images.layers = 118
        assert '<span class="badge badge-wait">118 of 125</span>' in self.text_of(
            self.page
        )

    def test_containers_with_an_older_image_are_counted(self):
        rows.make_instance(host=self.host)
        ServicePlan.objects.update(image="brokersite/mariadb:10.11.2")
        text = self.text_of(self.page)
        assert "1 with an older image" in text
        assert 'title="old"' in text

    def test_silent_host_is_told_of(self):
        self.docker.is_down = True
        text = self.text_of(self.page)
        assert "could not be asked which images it has" in text
        assert "Docker at tcp://h does not answer" in text
        assert f"<bdi>{IMAGE}</bdi>" in text
        assert "not known" in text
        assert 'name="image"' not in text

    def test_without_plans_there_is_nothing_to_show(self):
        ServicePlan.objects.update(active=False)
        assert "No active plan names an image." in self.text_of(self.page)


class Progress(HostImagesTestCase):
    def test_is_shown_and_the_page_refreshes_itself(self):
        self.docker.images.missing.add(IMAGE)
        self.want(IMAGE, state="working", progress="step 3 of 9: RUN <b>apt-get</b>")
        text = self.text_of(self.page)
        assert '<span class="badge badge-busy">working</span>' in text
        assert "step 3 of 9: RUN &lt;b&gt;apt-get" in text
        assert f'{REFRESH}"{self.section_url}"' in text
        assert "brokersite/refresh.js" in text
        assert ">Prestage</button>" not in text

    def test_section_is_there_alone(self):
        self.want(IMAGE, state="wanted")
        text = self.text_of(self.section_url)
        assert text.startswith('<div id="images"')
        assert "waiting for a worker" in text
        assert REFRESH in text

    def test_ends_with_the_work(self):
        self.want(IMAGE, state="ready")
        for url in (self.page, self.section_url):
            text = self.text_of(url)
            assert REFRESH not in text

    def test_failure_is_shown_with_its_reason_and_another_try(self):
        self.docker.images.missing.add(IMAGE)
        self.want(IMAGE, state="failed", error="no <i>registry</i>")
        text = self.text_of(self.page)
        assert '<span class="badge badge-bad">failed</span>' in text
        assert '<pre class="text">no &lt;i&gt;registry' in text
        assert ">Try again</button>" in text

    def test_failure_is_shown_of_a_silent_host_too(self):
        self.docker.is_down = True
        self.want(IMAGE, state="failed", error="no route to the host")
        text = self.text_of(self.page)
        assert "no route to the host" in text
        assert ">Try again</button>" not in text

    def test_failure_is_no_news_once_the_image_is_there(self):
        self.want(IMAGE, state="failed", error="no registry")
        assert "no registry" not in self.text_of(self.page)

    def test_another_hosts_work_is_not_shown(self):
        other = rows.make_host("beta")
        HostImage.objects.create(host=other, image=IMAGE, state="working")
        assert REFRESH not in self.text_of(self.page)


class Button(HostImagesTestCase):
    def setUp(self):
        super().setUp()
        self.add_plan(OTHER)
        self.docker.images.missing |= {IMAGE, OTHER}

    def post(self, **data):
        return self.client.post(self.prestage_url, data, follow=True)

    def test_records_the_wish_and_leads_back(self):
        response = self.post(image=IMAGE)
        assert response.redirect_chain[0][0] == f"{self.page}#images"
        assert f"Prestage of {IMAGE} is recorded." in response.content.decode()
        row = HostImage.objects.get()
        assert (row.host, row.image, row.state) == (self.host, IMAGE, "wanted")
        event = AuditEvent.objects.get()
        assert (event.actor_kind, event.actor_name) == ("operator", "olga")

    def test_one_under_way_is_joined(self):
        self.post(image=IMAGE)
        assert "is already under way" in self.post(image=IMAGE).content.decode()

    def test_all_that_is_missing_is_recorded(self):
        self.docker.images.missing.remove(OTHER)
        self.add_plan("registry.example/tiny:2")
        self.docker.images.missing.add("registry.example/tiny:2")
        self.post()
        wanted = set(HostImage.objects.values_list("image", flat=True))
        assert wanted == {IMAGE, "registry.example/tiny:2"}

    def test_all_of_a_silent_host_are_not_known(self):
        self.docker.is_down = True
        assert "could not be asked" in self.post().content.decode()
        assert not HostImage.objects.exists()

    def test_image_that_no_active_plan_names_is_refused(self):
        assert self.post(image="registry.example/evil:1").status_code == 404
        assert not HostImage.objects.exists()

    def test_unknown_host_is_not_found(self):
        url = self.prestage_url.replace(str(self.host.pk), "999")
        assert self.client.post(url, {"image": IMAGE}).status_code == 404

    def test_get_changes_nothing(self):
        assert self.client.get(self.prestage_url, {"image": IMAGE}).status_code == 405
        assert not HostImage.objects.exists()

    def test_needs_the_token(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.user)
        response = client.post(self.prestage_url, {"image": IMAGE})
        assert response.status_code == 403
        assert not HostImage.objects.exists()


class Permissions(HostImagesTestCase):
    def log_in(self, *codenames):
        user = get_user_model().objects.create_user("vera", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        self.client.force_login(user)
        self.docker.images.missing.add(IMAGE)

    def post(self):
        return self.client.post(self.prestage_url, {"image": IMAGE}).status_code

    def test_who_may_only_look_has_no_button(self):
        self.log_in("view_dockerhost")
        text = self.text_of(self.page)
        assert "missing" in text
        assert 'name="image"' not in text
        assert self.post() == 403

    def test_who_may_prestage_need_not_be_allowed_to_change_the_host(self):
        self.log_in("view_dockerhost", "prestage_dockerhost")
        assert 'name="image"' in self.text_of(self.page)
        assert self.post() == 302

    def test_who_may_change_the_host_may_not_prestage(self):
        self.log_in("view_dockerhost", "change_dockerhost")
        assert self.post() == 403

    def test_others_see_nothing(self):
        self.log_in("view_container")
        assert self.client.get(self.section_url).status_code == 403
        assert self.post() == 403

    def test_anonymous_is_sent_to_the_login(self):
        self.client.logout()
        response = self.client.get(self.section_url)
        assert response["Location"].startswith("/admin/login/")
        assert self.post() == 302
        assert not HostImage.objects.exists()
