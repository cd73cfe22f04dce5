import io

import pytest
from django.core.management import CommandError, call_command

from instances import errors
from instances.models import Actor, AuditEvent, DockerHost
from instances.operations import check_host, hosts
from instances.operations.reconcile import reconcile
from tests.authority import Authority
from tests.fakes import drain, make_host
from tests.instances.base import DomainTestCase

OLGA = Actor(kind="operator", name="olga")


class CheckTest(DomainTestCase):
    def found(self, level: str = "") -> list[str]:
        rows = check_host.check(DockerHost.objects.get(pk=self.host.pk))
        return [str(row) for row in rows if level in ("", row.level)]

    def test_a_host_that_is_well_is_only_praised(self):
        assert self.found("good") == self.found() == ["Docker 1 answers, API 1.41."]

    def test_what_was_found_stays_in_the_row(self):
        self.world.machine.is_down = True
        assert self.found("bad") == ["the machine is down"]
        host = DockerHost.objects.get()
        assert host.findings[0]["level"] == "bad" and host.checked_at
        assert host.problem == "the machine is down"

    def test_each_trouble_has_a_sentence_and_a_cure(self):
        machine = self.world.machine
        for change, words in (
            ({"storage_driver": "vfs"}, "use overlay2"),
            ({"missing_limits": ("memory", "swap")}, "cannot limit: memory, swap"),
            ({"operating_system": "windows"}, "Switch it to Linux"),
            ({"memory_mb": 1024}, "Give a budget of 819 MiB or less"),
        ):
            machine.description = change
            assert any(words in text for text in self.found()), change

    def test_an_address_that_is_not_its_own(self):
        DockerHost.objects.update(publish_address="10.9.9.9")
        [text] = self.found("bad")
        assert "10.9.9.9 is no address" in text and "127.0.0.1" in text

    def test_ports_that_programs_are_given_at_random(self):
        """F56."""
        self.world.machine.ephemeral_ports = (20050, 60999)
        [text] = self.found("warning")
        assert "overlap with 20050" in text and "below 20050" in text

    def test_without_an_image_the_network_is_not_known(self):
        self.world.machine.images.clear()
        [text] = self.found("warning")
        assert "Prestage the images" in text

    def test_two_rows_for_one_engine_are_told(self):
        make_host("two", engine_id=self.world.machine.engine_id)
        assert "same Docker id as host two" in self.found("bad")[0]

    def test_a_certificate_that_expires_soon_is_told(self):
        authority = Authority()
        for days, level in ((60, ""), (29, "warning"), (-1, "bad")):
            client = authority.client(days=days)
            DockerHost.objects.update(
                tls_ca=authority.ca, tls_certificate=client.certificate
            )
            expired = [text for text in self.found(level or "bad") if "expire" in text]
            assert bool(expired) == bool(level), days


class QuarantineTest(DomainTestCase):
    """F44: another engine answers behind a known name."""

    def setUp(self) -> None:
        super().setUp()
        reconcile(self.host)
        self.host.refresh_from_db()

    def swap(self) -> None:
        self.world.machine.engine_id = "another"

    def test_the_first_engine_is_the_known_one(self):
        assert self.host.engine_id == self.world.machine.engine_id

    def test_another_one_is_not_reconciled_nor_believed(self):
        self.provisioned()
        self.swap()
        self.world.machine.containers.clear()
        with pytest.raises(errors.WrongEngine) as caught:
            reconcile(self.host)
        hosts.note_failure(self.host, caught.value)
        host = DockerHost.objects.get()
        assert host.is_quarantined and "another Docker Engine" in host.problem
        assert host.containers.get().state == "in_use"

    def test_nothing_more_is_asked_of_it(self):
        self.host.quarantine("another")
        before = len(self.faults.calls)
        with pytest.raises(errors.WrongEngine):
            hosts.connect(DockerHost.objects.get())
        assert len(self.faults.calls) == before

    def test_new_databases_go_elsewhere(self):
        make_host("two", memory_mb=1024)
        self.swap()
        instance = self.provisioned()
        assert instance.container.host.name == "two"
        assert DockerHost.objects.get(name="one").is_quarantined

    def test_a_deletion_waits_until_it_is_settled(self):
        """F108."""
        instance = self.provisioned()
        self.swap()
        operation = self.accept_deprovision(instance)
        with pytest.raises(AssertionError, match="still work"):
            drain(limit=3)
        operation.refresh_from_db()
        assert operation.state == "queued"
        self.world.machine.engine_id = self.host.engine_id
        check_host.check(DockerHost.objects.get())
        drain()
        operation.refresh_from_db()
        assert operation.state == "succeeded"

    def test_the_known_one_is_welcome_again(self):
        self.host.quarantine("another")
        found = check_host.check(DockerHost.objects.get())
        assert "answers again" in str(found[1])
        assert not DockerHost.objects.get().is_quarantined

    def test_an_operator_accepts_the_one_that_was_seen(self):
        self.swap()
        found = check_host.check(self.host)
        assert check_host.is_bad(found)
        host = DockerHost.objects.get()
        with pytest.raises(errors.Conflict):
            check_host.accept_engine(host, "a third", actor=OLGA)
        check_host.accept_engine(host, "another", actor=OLGA)
        host.refresh_from_db()
        assert (host.engine_id, host.is_quarantined) == ("another", False)
        assert (
            AuditEvent.objects.get(action="accept Docker Engine").actor_name == "olga"
        )
        reconcile(host)


class CommandTest(DomainTestCase):
    def test_it_tells_and_fails_if_something_is_wrong(self):
        out = io.StringIO()
        call_command("checkhost", stdout=out)
        assert "one (memory://one)" in out.getvalue() and "good" in out.getvalue()
        self.world.machine.is_down = True
        with pytest.raises(CommandError, match="wrong with one"):
            call_command("checkhost", "one", stdout=out)

    def test_a_name_that_nobody_has(self):
        with pytest.raises(CommandError, match="no Docker host nobody"):
            call_command("checkhost", "nobody")
