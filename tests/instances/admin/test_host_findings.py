"""The console's side of reconciliation: what is shown, and what a person decides."""

from unittest.mock import patch

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from instances.admin.html import change_url, list_url
from instances.models import (
    AuditEvent,
    Container,
    DockerHost,
    Evidence,
    Finding,
    Operation,
    ServiceInstance,
)
from instances.operations import strangers
from tests.fakes import drain
from tests.instances.admin import rows
from tests.instances.admin.made_roles import make_roles
from tests.instances.admin.rows import ConsoleTestCase
from tests.instances.operations.test_adopt import AdoptTestCase


class FindingsTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance()
        self.host = self.instance.container.host
        self.name = f"brokersite-{'a' * 32}"

    def find(self, kind="unknown", name="", **fields):
        return Finding.objects.create(
            host=self.host, kind=kind, name=name or self.name, **fields
        )

    def url(self, what):
        return reverse(f"admin:instances_dockerhost_{what}", args=[self.host.pk])


class PageTest(FindingsTestCase):
    def test_what_stands_is_on_the_page_of_the_host_with_its_cure(self):
        assert "Nothing stands" in self.text_of(change_url(self.host))
        self.find(details={"image": "m:10", "state": "running", "ports": [20000]})
        self.find("leftover", "volume old")
        text = self.text_of(change_url(self.host))
        assert self.name in text and "m:10" in text and "20000" in text
        assert "Adopt…" in text and "Remove…" in text
        assert "volume old" in text and "remove it by hand" in text

    def test_who_may_not_settle_has_no_buttons(self):
        make_roles()
        viewer = get_user_model().objects.create_user("vera", is_staff=True)
        viewer.groups.add(Group.objects.get(name="viewer"))
        self.client.force_login(viewer)
        self.find()
        text = self.text_of(change_url(self.host))
        assert self.name in text and "Adopt…" not in text
        for what in ("adopt", "remove_container", "concede"):
            asked = {"container": self.name}
            assert self.client.get(self.url(what), asked).status_code == 403

    def test_drift_is_on_the_pages_of_its_container_and_instance(self):
        container = self.instance.container
        self.find("limits", container.name, text="64 MiB and not 256")
        self.find("unknown_user", f"{container.name}/u0123", text="u0123")
        for page in (change_url(container), change_url(self.instance)):
            text = self.text_of(page)
            assert "64 MiB and not 256" in text and "u0123" in text

    def test_one_of_a_later_release_is_shown_as_it_is(self):
        """F122: both releases run for a while during a deploy."""
        self.find("of a later one", "brokersite-9", text="what it says")
        assert "what it says" in self.text_of(change_url(self.host))

    def test_a_lost_one_says_why_and_names_the_way_out(self):
        """F49."""
        Container.objects.update(lost_at=timezone.now())
        text = self.text_of(change_url(self.instance))
        assert "There is no verified backup of it" in text
        backup = rows.make_backup(self.instance)
        text = self.text_of(change_url(self.instance))
        assert "The way out: restore" in text and change_url(backup) in text
        url = list_url(ServiceInstance, container__lost_at__isempty=0)
        assert "badge-bad" in self.text_of(url)

    def test_those_on_a_host_that_is_not_reached_are_unreachable(self):
        """F42: of all that are ready, they are told apart and can be listed."""
        elsewhere = rows.make_instance("elsewhere-1", host=rows.make_host("other"))
        hosts = DockerHost.objects.filter(pk=self.host.pk)
        listed = list_url(ServiceInstance, held="unreachable")
        for trouble in ({"problem": "timed out"}, {"other_engine_id": "another"}):
            assert "badge-bad" not in self.text_of(list_url(ServiceInstance))
            hosts.update(**trouble)
            assert ">unreachable<" in self.text_of(change_url(self.instance))
            assert ">unreachable<" not in self.text_of(change_url(elsewhere))
            assert self.text_of(list_url(ServiceInstance)).count(">unreachable<") == 1
            text = self.text_of(listed)
            assert self.instance.guid in text and elsewhere.guid not in text
            hosts.update(**dict.fromkeys(trouble, ""))
        hosts.update(problem="timed out")
        Container.objects.filter(host=self.host).update(state="gone")
        assert ">unreachable<" not in self.text_of(change_url(self.instance))
        assert self.instance.guid not in self.text_of(listed)

    def test_the_first_page_says_what_waits_for_a_person(self):
        index = reverse("admin:index")
        text = self.text_of(index)
        assert "is lost." not in text
        Container.objects.update(lost_at=timezone.now())
        self.find()
        self.find("down", "brokersite-2", text="it does not start: exit code 1")
        self.host.brake(9)
        text = self.text_of(index)
        assert "cannot be reached, and stay so: 1." in text
        assert "is lost." in text
        assert "is held back" in text and "have no row" in text

    def test_evidence_is_on_the_page_of_its_operation(self):
        """F60."""
        operation = Operation.objects.first()
        assert "Evidence" not in self.text_of(change_url(operation))
        Evidence.objects.create(operation=operation, text="<b>exit code: 3")
        assert "&lt;b&gt;exit code: 3" in self.text_of(change_url(operation))


class ConcedeTest(FindingsTestCase):
    """F31: the brake is released by a person, once."""

    def setUp(self):
        super().setUp()
        self.host.brake(9)

    def test_the_page_of_the_host_asks(self):
        text = self.text_of(change_url(self.host))
        assert "9 containers that should be here" in text
        assert "These are really gone: go on…" in text
        assert "held back" in self.text_of(list_url(DockerHost))

    def test_the_number_is_to_be_typed(self):
        self.client.post(self.url("concede"), {"confirmation": "8"})
        self.host.refresh_from_db()
        assert self.host.conceded is None
        self.client.post(self.url("concede"), {"confirmation": "9"})
        self.host.refresh_from_db()
        assert self.host.conceded == 9
        event = AuditEvent.objects.get(action="release brake")
        assert (event.actor_name, event.changes) == ("olga", {"missing": 9})

    def test_a_number_that_has_changed_meanwhile_is_not_conceded(self):
        with patch.object(DockerHost, "concede", return_value=False):
            response = self.client.post(
                self.url("concede"), {"confirmation": "9"}, follow=True
            )
        assert "another one: look again" in response.content.decode()

    def test_where_nothing_is_held_back_there_is_nothing_to_say(self):
        self.host.refresh_from_db()
        self.host.unbrake()
        response = self.client.get(self.url("concede"), follow=True)
        assert "Nothing is held back" in response.content.decode()


class RemoveTest(FindingsTestCase):
    def test_the_end_of_its_name_is_to_be_typed(self):
        self.find()
        asked = {"container": self.name}
        assert self.name in self.text_of(self.url("remove_container"), **asked)
        with patch.object(strangers, "remove") as removed:
            self.client.post(self.url("remove_container"), {**asked, "confirmation": 1})
            assert not removed.called
            said = {**asked, "confirmation": "aaaaaa"}
            self.client.post(self.url("remove_container"), said)
        assert removed.call_args.args == (self.host, self.name)

    def test_one_that_was_not_found_is_not_there(self):
        for what in ("remove_container", "adopt"):
            for asked in ({}, {"container": self.instance.container.name}):
                assert self.client.get(self.url(what), asked).status_code == 404


class AdoptPageTest(AdoptTestCase):
    """From the page of the host to a service instance that works."""

    def setUp(self):
        super().setUp()
        user = get_user_model().objects.create_superuser("olga", password="x")
        self.client.force_login(user)
        self.url = reverse("admin:instances_dockerhost_adopt", args=[self.host.pk])

    def test_a_container_is_adopted(self):
        """F120."""
        self.forget()
        form = self.client.get(self.url, {"container": self.name})
        text = form.content.decode()
        assert "all its users are shut out" in text and self.plan.image in text
        wish = {"container": self.name, "guid": "i-1", "plan": self.plan.pk}
        response = self.client.post(self.url, wish)
        assert response.status_code == 302, response.content.decode()
        assert AuditEvent.objects.get(action="adopt").actor_name == "olga"
        drain()
        self.assert_adopted()

    def test_what_is_refused_is_said_on_the_form(self):
        self.forget()
        self.provisioned("i-2")
        wish = {"container": self.name, "guid": "i-2", "plan": self.plan.pk}
        text = self.client.post(self.url, wish).content.decode()
        assert "has not lost its container here" in text
