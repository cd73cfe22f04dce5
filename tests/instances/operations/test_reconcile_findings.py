"""What is missing, what is too much, and the brake: how it is found and settled."""

import io
from dataclasses import replace
from datetime import timedelta

from django.core.management import CommandError, call_command
from django.utils import timezone

from instances.models import AuditEvent, Container, DockerHost, Finding
from tests.fakes import AFTER, BEFORE, Crash, make_host
from tests.instances.operations.reconcile_base import READING, ReconcileTestCase


class LostTest(ReconcileTestCase):
    """F49: a container removed by hand."""

    def test_it_is_marked_and_never_made_anew(self):
        self.remove_by_hand()
        assert self.kinds() == ["lost"]
        self.reconcile()
        assert self.world.containers() == []
        assert self.row().lost_at and self.row().state == "in_use"
        assert self.standing() == [("lost", self.row().name)]
        assert AuditEvent.objects.filter(action="lost").count() == 1

    def test_the_mark_stays_as_it_was(self):
        self.remove_by_hand()
        self.reconcile()
        before = self.row().lost_at
        self.reconcile()
        assert self.row().lost_at == before
        assert AuditEvent.objects.filter(action="lost").count() == 1

    def test_one_that_comes_back_is_lost_no_more(self):
        gone = self.remove_by_hand()
        self.reconcile()
        self.machine.containers[gone.spec.name] = gone
        assert self.kinds() == ["back"]
        self.reconcile()
        assert self.row().lost_at is None
        self.assert_quiet()

    def test_one_that_docker_only_does_not_list_is_not_lost(self):
        """F31: asked by its name, Docker knows it."""
        self.machine.is_forgetful = True
        self.reconcile()
        assert self.row().lost_at is None
        self.machine.is_forgetful = False
        self.reconcile()
        self.assert_quiet()

    def test_one_that_is_worked_on_is_not_lost(self):
        """F30: whoever is at work makes it anew, or removes it."""
        self.accept_deprovision(self.instance)
        self.remove_by_hand()
        self.reconcile()
        assert self.row().lost_at is None

    def test_a_crash_at_the_mark_leaves_it_to_the_next_pass(self):
        self.remove_by_hand()
        for moment in (BEFORE, AFTER):
            self.faults.on("find", Crash(), moment=moment)
            with self.assertRaises(Crash):
                self.reconcile()
            assert self.row().lost_at is None
        self.reconcile()
        assert self.row().lost_at


class StrangerTest(ReconcileTestCase):
    """F120, F31: our database may be an older copy."""

    def test_one_without_a_row_is_shown_and_left_alone(self):
        stranger = self.put("unknown", state="running")
        for _ in range(2):
            self.reconcile()
            assert stranger in self.world.containers()
        finding = Finding.objects.get()
        assert (finding.kind, finding.name) == ("unknown", "unknown")
        assert finding.details["state"] == "running"
        del self.machine.containers["unknown"]
        self.reconcile()
        self.assert_quiet()

    def test_all_of_todays_instances_stay_when_yesterdays_rows_come_back(self):
        """The rows of the instance are gone, as after a restore of the database."""
        name = self.row().name
        self.instance.operations.all().delete()
        AuditEvent.objects.all().delete()
        self.instance.delete()
        row = Container.objects.get()
        row.lease.delete()
        row.delete()
        self.reconcile()
        assert self.standing() == [("unknown", name)]
        assert self.container.state == "running"

    def test_a_throw_away_one_is_swept_after_a_while(self):
        scratch = {"brokersite.scratch": "1"}
        made = self.put("scratch", labels=scratch)
        made.created_at = timezone.now() - timedelta(minutes=9)
        self.reconcile()
        assert made in self.world.containers()
        made.created_at = timezone.now() - timedelta(minutes=11)
        assert self.kinds() == ["left"]
        self.reconcile()
        assert made not in self.world.containers()
        self.assert_quiet()

    def test_a_copy_with_the_label_of_ours_is_shown(self):
        """F51: made by hand of the same labels."""
        self.put("copy", label=self.row().pk.hex)
        self.reconcile()
        assert self.standing() == [("unknown", "copy")]

    def test_one_of_ours_with_another_name_is_not_lost(self):
        """F51: identity is the label."""
        renamed = self.remove_by_hand()
        renamed.spec = replace(renamed.spec, name="renamed")
        self.machine.containers["renamed"] = renamed
        self.reconcile()
        assert self.standing() == [("renamed", self.row().name)]
        assert self.row().lost_at is None

    def test_a_name_of_any_length_is_shown(self):
        self.put("n" * 300)
        self.reconcile()
        assert self.standing() == [("unknown", "n" * 255)]

    def test_a_label_that_is_no_id_is_shown(self):
        self.put("odd", label="../x")
        self.reconcile()
        assert Finding.objects.get().text == "its label is none of ours"

    def test_leftover_volumes_and_networks_are_told(self):
        """I1."""
        self.machine.leftovers = ["volume old"]
        self.reconcile()
        assert self.standing() == [("leftover", "volume old")]
        self.machine.leftovers = []
        self.reconcile()
        self.assert_quiet()


class BrakeTest(ReconcileTestCase):
    """F31, F128."""

    def setUp(self) -> None:
        super().setUp()
        for number in range(2, 9):
            self.provisioned(f"i-{number}")
        self.faults.calls.clear()

    def remove(self, number: int) -> None:
        for name in list(self.machine.containers)[:number]:
            del self.machine.containers[name]

    def lost(self) -> int:
        return Container.objects.filter(lost_at__isnull=False).count()

    def test_an_empty_list_changes_nothing_and_asks(self):
        self.machine.is_forgetful = True
        self.put("late", label=self.row().pk.hex)
        self.reconcile()
        self.host.refresh_from_db()
        assert self.host.is_braked and self.host.missing == 8
        assert self.lost() == 0
        assert self.standing() == [("brake", "one")]
        assert AuditEvent.objects.filter(action="brake").count() == 1
        assert not self.host.is_open

    def test_it_ends_when_they_are_back(self):
        self.machine.is_forgetful = True
        self.reconcile()
        self.machine.is_forgetful = False
        self.reconcile()
        self.host.refresh_from_db()
        assert not self.host.is_braked
        self.assert_quiet()

    def test_a_few_are_lost_without_asking(self):
        self.remove(5)
        self.reconcile()
        assert self.lost() == 5

    def test_less_than_a_fifth_are_lost_without_asking(self):
        for number in range(9, 33):
            self.provisioned(f"i-{number}")
        self.remove(6)
        self.reconcile()
        assert self.lost() == 6

    def test_what_an_operator_concedes_passes_once(self):
        self.remove(6)
        self.reconcile()
        assert self.lost() == 0
        self.host.refresh_from_db()
        assert not self.host.concede(5)
        assert self.host.concede(6)
        self.reconcile()
        assert self.lost() == 6
        self.host.refresh_from_db()
        assert not self.host.is_braked and self.host.conceded is None

    def test_more_than_was_conceded_asks_again(self):
        self.remove(6)
        self.reconcile()
        self.host.refresh_from_db()
        self.host.concede(6)
        self.remove(1)
        self.reconcile()
        self.host.refresh_from_db()
        assert self.lost() == 0 and self.host.missing == 7

    def test_a_crash_in_the_midst_of_what_was_conceded_is_gone_on_with(self):
        self.remove(7)
        self.reconcile()
        self.host.refresh_from_db()
        self.host.concede(7)
        self.faults.on("find", Crash(), nth=4)
        with self.assertRaises(Crash):
            self.reconcile()
        self.reconcile()
        assert self.lost() == 7


class CommandTest(ReconcileTestCase):
    def call(self, *arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        try:
            call_command("reconcile", *arguments, stdout=out, stderr=out)
        except SystemExit as end:
            return int(str(end.code)), out.getvalue()
        return 0, out.getvalue()

    def test_a_dry_run_tells_and_changes_nothing(self):
        self.container.state = "exited"
        self.put("unknown")
        self.faults.calls.clear()
        code, told = self.call("--dry-run")
        assert code == 1
        assert "one: 2 found" in told
        assert "would be done: it is started" in told
        assert "adopt it or remove it" in told
        assert set(self.faults.calls) <= READING
        assert not Finding.objects.exists()
        assert DockerHost.objects.get().reached_at is None

    def test_it_settles_and_then_finds_nothing(self):
        self.container.state = "exited"
        assert self.call("--host", "one")[0] == 1
        assert self.container.state == "running"
        code, told = self.call()
        assert (code, told) == (0, "one: nothing found\n")

    def test_a_host_that_is_down_has_a_code_of_its_own(self):
        make_host("two")
        self.world.at("memory://two").is_down = True
        code, told = self.call()
        assert code == 2
        assert "one: nothing found" in told and "the machine is down" in told

    def test_a_host_that_nobody_knows(self):
        with self.assertRaisesMessage(CommandError, "no Docker host nobody"):
            self.call("--host", "nobody")
