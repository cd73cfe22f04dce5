"""manage.py orphans: what it says, how it ends, and that it removes nothing."""

from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from instances.models import AuditEvent, Operation, ServiceInstance
from tests.instances.platform import PlatformTestCase


class CommandTestCase(PlatformTestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.enterContext(TemporaryDirectory()))

    def run_it(self, *arguments):
        """Exit code and what it wrote."""
        out = StringIO()
        try:
            call_command("orphans", *arguments, stdout=out)
        except SystemExit as end:
            return end.code, out.getvalue()
        return 0, out.getvalue()

    def refusal(self, *arguments):
        with pytest.raises(CommandError) as caught:
            self.run_it(*arguments)
        return caught.value.returncode, str(caught.value)

    def file(self, text, name="guids"):
        path = self.folder / name
        path.write_text(text)
        return str(path)


class Asked(CommandTestCase):
    def test_nothing_found_is_0(self):
        code, said = self.run_it()
        assert code == 0 and "no orphans; 1 service instances are known" in said

    def test_what_is_found_is_listed_and_10_and_nothing_is_removed(self):
        """F20: as On-Demand Service Broker's errand has it."""
        before = Operation.objects.count(), AuditEvent.objects.count()
        self.purge("i-1")
        for _ in range(2):
            code, said = self.run_it()
            assert code == 10 and "1 orphans" in said and "i-1 shop-db" in said
        assert before == (Operation.objects.count(), AuditEvent.objects.count())
        assert ServiceInstance.objects.get().state == "ready"
        assert self.orphans() == {"i-1"}

    def test_dry_marks_nothing(self):
        self.purge("i-1")
        code, said = self.run_it("--dry-run")
        assert code == 10 and "i-1 shop-db new" in said and not self.orphans()

    def test_a_name_is_one_line_of_text(self):
        """SECURITY S50."""
        name = "a\n\x1b[2Jb\u202ec"
        ServiceInstance.objects.update(instance_name=name)
        self.purge("i-1")
        _, said = self.run_it()
        assert "i-1 a\\n\\x1b[2Jb\\u202ec new" in said

    def test_what_is_not_believed_is_said_and_2(self):
        """F20."""
        for number in range(2, 8):
            self.make(f"i-{number}")
        self.controller.instances.clear()
        code, said = self.refusal()
        assert code == 2 and "only 0 of 7" in said and "--believe" in said
        assert not self.orphans()
        assert self.run_it("--believe")[0] == 10
        assert len(self.orphans()) == 7

    def test_who_does_not_answer_is_said_and_2(self):
        self.controller.status = 503
        code, said = self.refusal()
        assert code == 2 and "answers 503" in said
        self.assert_nothing_leaked(said)

    def test_without_cloud_controller_the_way_is_shown(self):
        with override_settings(CLOUD_CONTROLLER={}):
            code, said = self.refusal()
        assert code == 2 and "--platform-guids FILE" in said


class FromFiles(CommandTestCase):
    def test_guids_one_a_line(self):
        """F20."""
        self.make("i-2")
        path = self.file("# of cf curl\n\n i-2 \r\ni-77\n")
        with override_settings(CLOUD_CONTROLLER={}):
            code, said = self.run_it("--platform-guids", path)
        assert code == 10 and "i-1" in said
        assert self.orphans() == {"i-1"} and not self.controller.asked

    def test_bindings_with_a_file_of_theirs(self):
        self.bind(self.instance, "b-2")
        files = self.file("i-1"), self.file("b-2", "bindings")
        code, said = self.run_it(
            "--platform-guids", files[0], "--platform-binding-guids", files[1]
        )
        assert code == 10 and "b-1" in said and self.orphans() == {"b-1"}

    def test_files_that_are_no_lists_are_refused(self):
        (self.folder / "binary").write_bytes(b"\xff\xfe")
        for path in ("missing", "binary", "."):
            code, said = self.refusal("--platform-guids", str(self.folder / path))
            assert code == 2 and "cannot be read" in said
        assert "has no GUID" in self.refusal("--platform-guids", self.file("# none"))[1]
        assert "goes with" in self.refusal("--platform-binding-guids", "x")[1]
        assert not self.orphans()
