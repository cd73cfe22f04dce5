"""What an operator does to one database from its page."""

from django.urls import reverse

from instances.admin.html import change_url, list_url
from instances.models import AuditEvent, Container, Operation, ServiceInstance
from instances.models.service_offering import ServicePlan
from instances.operations import bind
from instances.operations.catalog import check_plan
from tests.instances.admin import rows
from tests.instances.admin.rows import ConsoleTestCase

PREFIX = "admin:instances_serviceinstance_"


class OperateTestCase(ConsoleTestCase):
    def setUp(self):
        super().setUp()
        self.instance = rows.make_instance("instance-abc123", bindings=2)

    def post(self, word, **sent):
        url = reverse(f"{PREFIX}{word}")
        data = {"id": self.instance.pk, **sent}
        return self.client.post(url, data, follow=True).content.decode()

    def page(self, word):
        return self.text_of(reverse(f"{PREFIX}{word}"), id=self.instance.pk)

    def operations(self, kind):
        return Operation.objects.filter(kind=kind)


class Wishes(OperateTestCase):
    def test_get_changes_nothing(self):
        for word in ("restart", "stop", "start", "rotate_secret"):
            assert "name of instance-abc123" in self.page(word)
        assert not Operation.objects.unfinished().exists()
        assert Container.objects.get().stopped_at is None

    def test_restart_is_recorded_with_its_reason(self):
        assert "is recorded" in self.post("restart", reason="it hangs")
        assert self.operations("restart").get().requested_by == "operator olga"
        event = AuditEvent.objects.get(action="restart")
        assert (event.actor_name, event.changes) == ("olga", {"reason": "it hangs"})

    def test_double_click_does_nothing_twice_and_says_so(self):
        self.post("restart")
        assert "Another operation for this Service Instance" in self.post("restart")
        assert self.operations("restart").count() == 1

    def test_stopped_one_is_shown_so_and_can_only_be_started(self):
        self.post("stop")
        Operation.objects.update(state="succeeded", exclusive_instance=None)
        page = self.text_of(change_url(self.instance))
        assert "stopped by an operator" in page
        assert reverse(f"{PREFIX}start") in page
        assert reverse(f"{PREFIX}stop") not in page
        assert "stopped by an operator" in self.text_of(list_url(ServiceInstance))
        assert "instance-abc123" in self.text_of(
            list_url(ServiceInstance), held="stopped"
        )
        assert "stopped already" in self.post("stop")
        assert "is recorded" in self.post("start")

    def test_one_that_is_gone_has_no_button_and_is_refused(self):
        ServiceInstance.objects.update(state="gone", live_key=None)
        page = self.text_of(change_url(self.instance))
        for word in ("restart", "stop", "rotate_secret", "resize"):
            assert reverse(f"{PREFIX}{word}") not in page
        assert "there is no database to restart" in self.post("restart")

    def test_several_at_once_are_not_meant_here(self):
        other = rows.make_instance("other")
        url = reverse(f"{PREFIX}stop")
        ids = {"id": [self.instance.pk, other.pk]}
        assert self.client.post(url, ids).status_code == 404

    def test_rotation_shows_no_secret(self):
        text = self.post("rotate_secret")
        assert "is recorded" in text
        row = Container.objects.get()
        assert row.next_secret
        for shown in (
            text,
            self.text_of(change_url(self.operations("rotate_secret").get())),
        ):
            assert row.next_secret not in shown


class Resize(OperateTestCase):
    def setUp(self):
        super().setUp()
        self.large = ServicePlan.objects.create(
            id="plan/2",
            offering=self.instance.plan.offering,
            name="large",
            image="brokersite/mariadb:10.11.2",
            memory_mb=1024,
            connections=77,
        )

    def test_shows_each_plan_in_numbers(self):
        page = self.page("resize")
        for part in ("large", "1024", "77", "runs on", "cf update-service"):
            assert part in page, part

    def test_records_the_change_of_plan(self):
        assert "is recorded" in self.post("resize", plan=self.large.pk)
        request = self.operations("update").get().request
        assert request["plan_id"] == self.large.pk

    def test_a_plan_that_is_none_of_the_offering(self):
        assert "Select a valid choice" in self.post("resize", plan="elsewhere")
        assert not self.operations("update").exists()

    def test_platform_may_bind_with_the_plan_that_it_knows(self):
        former = self.instance.plan_id
        self.post("resize", plan=self.large.pk)
        ServiceInstance.objects.update(plan=self.large)
        self.instance.refresh_from_db()
        check_plan(self.instance, offering_id="offering/1", plan_id=former)
        assert bind.check_plan is check_plan


class Force(OperateTestCase):
    def lose(self):
        host = self.instance.container.host
        host.note_contact("dial tcp: no route to host")

    def force(self, **sent):
        wish = {"level": "force", "reason": "burnt", "confirmation": "abc123"}
        return self.post("force_deprovision", **{**wish, **sent})

    def test_shows_what_goes_what_stays_and_what_is_believed(self):
        self.lose()
        page = self.page("force_deprovision")
        for part in (
            self.instance.container.name,
            "no route to host",
            "cf purge-service-instance",
            "There is no verified backup",
        ):
            assert part in page, part

    def test_needs_a_reason_and_the_typed_words(self):
        for sent in ({"reason": ""}, {"confirmation": "abc"}, {"level": "all"}):
            assert "errorlist" in self.force(**sent), sent
        assert not self.operations("deprovision").exists()

    def test_records_level_and_reason(self):
        assert "is recorded" in self.force()
        assert self.operations("deprovision").get().request == {"level": "force"}
        event = AuditEvent.objects.get(action="deprovision: force")
        assert event.changes == {"reason": "burnt"}
        assert "already under way" in self.force()

    def test_forget_is_refused_while_the_host_answers(self):
        assert "force is enough" in self.force(level="forget")
        assert not self.operations("deprovision").exists()

    def test_forget_is_done_at_once(self):
        """No worker may be free: all may wait for that host."""
        self.lose()
        self.force(level="forget")
        self.instance.refresh_from_db()
        assert self.instance.state == "gone"
        assert self.instance.container.state == "gone"
        assert "is gone already" in self.force()

    def test_debts_stand_on_the_page_of_the_host(self):
        Container.objects.update(state="retiring")
        page = self.text_of(change_url(self.instance.container.host))
        assert "Debts" in page
        assert self.instance.container.name in page
