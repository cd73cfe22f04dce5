import io
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import pytest
import yaml
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import TestCase

from instances import errors
from instances.models import AuditEvent, ServiceOffering, ServicePlan
from instances.operations import catalog_files

OFFERING = """
offerings:
  - id: o-1
    name: mysql-docker
    description: A database
    engine: mariadb
"""
PLAN = """
    plans:
      - id: p-1
        name: small
        description: Small
        image: brokersite/mariadb:10.11.2
"""
CATALOG = OFFERING + PLAN


class FileTestCase(TestCase):
    def path(self, text: str) -> Path:
        folder = self.enterContext(TemporaryDirectory())
        path = Path(folder) / "catalog.yml"
        path.write_text(dedent(text), encoding="utf-8")
        return path

    def load(self, text: str, **options: bool) -> list[str]:
        done = catalog_files.load_catalog(self.path(text), **options)
        return list(catalog_files.lines(done))

    def refusal(self, text: str) -> str:
        with pytest.raises(errors.InvalidRequest) as caught:
            self.load(text)
        return str(caught.value)

    def output(self, command: str, *args: object, **options: object) -> str:
        out = io.StringIO()
        call_command(command, *args, stdout=out, **options)
        return out.getvalue()


class LoadTest(FileTestCase):
    def test_offerings_and_plans_are_added(self):
        self.load(CATALOG)
        assert ServicePlan.objects.get().offering == ServiceOffering.objects.get()

    def test_the_products_own_catalog_loads(self):
        catalog_files.load_catalog(Path(settings.BASE_DIR) / "catalog.yml")
        assert ServicePlan.objects.exists()

    def test_loading_again_changes_by_id(self):
        self.load(CATALOG)
        self.load(CATALOG.replace("name: small", "name: tiny"))
        assert ServicePlan.objects.get().name == "tiny"

    def test_what_the_file_does_not_name_stays(self):
        self.load(CATALOG)
        ServicePlan.objects.update(memory_mb=512)
        self.load(CATALOG)
        assert ServicePlan.objects.get().memory_mb == 512

    def test_a_number_is_what_was_written(self):
        self.load(CATALOG + "        cpus: 0.1\n")
        assert str(ServicePlan.objects.get().cpus) == "0.10"

    def test_one_mistake_leaves_everything_as_it_was(self):
        self.refusal(CATALOG + "        memory_mb: plenty\n")
        assert not ServiceOffering.objects.exists()
        assert not AuditEvent.objects.exists()

    def test_each_change_is_audited(self):
        self.load(CATALOG)
        self.load(CATALOG.replace("name: small", "name: tiny"))
        self.load(CATALOG.replace("name: small", "name: tiny"))
        actions = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
        expected = ["add service offering", "add service plan", "edit service plan"]
        assert list(actions) == expected
        assert AuditEvent.objects.first().changes == {"name": ["small", "tiny"]}


class MistakesTest(FileTestCase):
    def test_each_names_the_entry_and_the_field(self):
        """In a plan: a line more, and what the refusal must say."""
        for line, *words in (
            ("memory_mb: plenty", "small", "memory_mb"),
            ("memory_mb: 8", "small", "memory_mb"),
            ("memory_mb: 256.5", "small", "memory_mb"),
            ("memory_mb: true", "small", "memory_mb"),
            ("memory: 8", "small", "memory", "known are"),
            ("maintenance_version: 1.0", "maintenance_version", "in quotes"),
            ("maintenance_version: '1.0'", "maintenance_version", "1.0.0"),
            ("maximum_polling_duration: 60.0", "maximum_polling_duration"),
            ("free: 'true'", "free", "without quotes"),
            ("active:", "active", "true or false"),
            ("metadata:", "metadata", "JSON object"),
            (
                "metadata: {costs: [{amount: {usd: '9'}, unit: M}]}",
                "metadata",
                "number",
            ),
            ("metadata: {since: 2026-11-22}", "metadata", "JSON"),
            ("metadata: {share: .nan}", "metadata", "NaN"),
            ("disk_mb: 8", "disk_mb", "at least 64 MiB"),
            ("when_disk_full: shut", "when_disk_full", "read_only or stop"),
            ("offering_id: o-2", "offering_id"),
        ):
            with self.subTest(line):
                text = self.refusal(f"{CATALOG}        {line}\n")
                assert "mysql-docker/small" in text
                assert all(word in text for word in words), text
                assert not ServicePlan.objects.exists()

    def test_a_missing_field(self):
        text = self.refusal(CATALOG.replace("        description: Small\n", ""))
        assert "small" in text and "description" in text

    def test_an_entry_without_an_id(self):
        for line in ("", "id:\n        ", "id: 5\n        ", "id: ''\n        "):
            text = self.refusal(CATALOG.replace("id: p-1\n        ", line))
            assert "small" in text and "id: give" in text

    def test_an_id_that_is_there_twice(self):
        text = self.refusal(CATALOG.replace("p-1", "o-1"))
        assert "small" in text and "twice" in text

    def test_an_id_that_another_kind_of_entry_has(self):
        self.load(CATALOG)
        text = self.refusal(CATALOG.replace("o-1", "p-1").replace("id: p-1", "id: p-1"))
        assert "id: Another offering or plan" in text

    def test_a_plan_that_moves_to_another_offering(self):
        self.load(CATALOG)
        text = self.refusal(CATALOG.replace("o-1", "o-2").replace("mysql-d", "new-d"))
        assert "small" in text and "offering: It stays" in text

    def test_an_unknown_engine(self):
        text = self.refusal(CATALOG.replace("engine: mariadb", "engine: oracle"))
        assert "mysql-docker" in text and "oracle" in text and "mariadb" in text

    def test_a_file_that_is_no_catalog(self):
        for text in (
            "",
            "[",
            "offerings:",
            "offerings: 1",
            "offerings: [1]",
            "- a",
            "\0",
            "offerings: 2026-99-99",
            "offerings: []\nplans: []",
            OFFERING + "    plans: 1\n",
            OFFERING + "    plans: [1]\n",
            OFFERING + "    plans:\n",
        ):
            with self.subTest(text):
                self.refusal(text)

    def test_an_offering_without_plans_is_fine(self):
        self.load(OFFERING + "    plans: []\n")
        self.load(OFFERING)
        assert not ServicePlan.objects.exists()

    def test_a_missing_file(self):
        with pytest.raises(errors.InvalidRequest, match="nowhere"):
            catalog_files.load_catalog(Path("nowhere.yml"))

    def test_the_command_says_it_without_a_traceback(self):
        with pytest.raises(CommandError, match=r"nowhere\.yml"):
            call_command("loadcatalog", "nowhere.yml")


class DifferenceTest(FileTestCase):
    def test_entries_are_added_changed_or_kept(self):
        assert self.load(CATALOG) == [
            "added service offering mysql-docker",
            "added service plan mysql-docker/small",
        ]
        changed = CATALOG + "        memory_mb: 512\n        metadata: {bullets: [a]}\n"
        assert self.load(changed) == [
            "kept service offering mysql-docker",
            "changed service plan mysql-docker/small",
            '    metadata: {} → {"bullets": ["a"]}',
            "    memory_mb: 256 → 512",
        ]
        kept = self.load(changed)
        assert [line.split()[0] for line in kept] == ["kept", "kept"]

    def test_a_boolean_is_not_a_number(self):
        self.load(CATALOG.replace("engine:", "metadata: {x: 1}\n    engine:"))
        lines = self.load(
            CATALOG.replace("engine:", "metadata: {x: true}\n    engine:")
        )
        assert '    metadata: {"x": 1} → {"x": true}' in lines

    def test_a_dry_run_tells_all_and_changes_nothing(self):
        text = self.output("loadcatalog", self.path(CATALOG), dry_run=True)
        assert "added service plan mysql-docker/small" in text
        assert "    image: brokersite/mariadb:10.11.2" in text
        assert "Nothing was changed" in text
        assert not ServiceOffering.objects.exists()
        assert not AuditEvent.objects.exists()

    def test_a_dry_run_finds_mistakes(self):
        with pytest.raises(CommandError, match="memory_mb"):
            path = self.path(CATALOG + "        memory_mb: 1\n")
            call_command("loadcatalog", path, dry_run=True)

    def test_what_the_file_does_not_name_is_told(self):
        self.load(CATALOG)
        text = self.output("loadcatalog", self.path(OFFERING))
        assert "left as it is: service plan mysql-docker/small" in text

    def test_the_command_tells_how_platforms_get_it(self):
        first = self.output("loadcatalog", self.path(CATALOG))
        assert "cf update-service-broker" not in first
        changed = CATALOG.replace("name: small", "name: tiny")
        second = self.output("loadcatalog", self.path(changed))
        assert "cf update-service-broker" in second
        third = self.output("loadcatalog", self.path(changed))
        assert "cf update-service-broker" not in third


class DumpTest(FileTestCase):
    HOSTILE = (
        "yes",
        "1.0",
        "null",
        " leading",
        "a: b # c",
        "{{ x }}",
        "'\"",
        "line\nline\n",
        "\u202egnp.exe",
        "a\x85b\u2028\u2029",
        "Grüße 🐬",
        "- item",
    )

    def test_loading_it_changes_nothing(self):
        self.load(CATALOG)
        self.load(
            CATALOG.replace("o-1", "o-2").replace("p-1", "p-2").replace("-d", "-e")
        )
        for number, text in enumerate(self.HOSTILE):
            ServicePlan.objects.create(
                id=f"hostile-{number}",
                name=f"{text.strip()}-{number}",
                description=text,
                image="m:10",
                cpus="0.15",
                instance_limit=number or None,
                maintenance_version="1.0.0-rc.1",
                metadata={"bullets": [text], text: {"deep": [1, 1.5, None, True]}},
                offering_id="o-1",
                active=False,
            )
        lines = self.load(catalog_files.dump_catalog())
        assert len(lines) == 4 + len(self.HOSTILE)
        assert {line.split()[0] for line in lines} == {"kept"}, lines

    def test_an_empty_catalog_can_be_written_and_read(self):
        assert self.load(catalog_files.dump_catalog()) == []

    def test_it_says_what_the_file_said(self):
        path = Path(settings.BASE_DIR) / "catalog.yml"
        catalog_files.load_catalog(path)
        dumped = yaml.safe_load(self.output("dumpcatalog"))
        by_id = {entry["id"]: entry for entry in dumped["offerings"]}
        for offering in yaml.safe_load(path.read_text())["offerings"]:
            plans = {plan["id"]: plan for plan in by_id[offering["id"]].pop("plans")}
            for plan in offering.pop("plans"):
                written = plans[plan["id"]]
                assert float(plan.pop("cpus")) == written.pop("cpus")
                assert plan.items() <= written.items()
            assert offering.items() <= by_id[offering["id"]].items()

    def test_it_fills_another_broker_with_the_same(self):
        self.load(CATALOG + "        cpus: 0.25\n")
        text = catalog_files.dump_catalog()
        ServicePlan.objects.all().delete()
        ServiceOffering.objects.all().delete()
        self.load(text)
        assert catalog_files.dump_catalog() == text
