import io
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import TestCase

from instances import errors
from instances.models import (
    BrokerCredential,
    DockerHost,
    ServiceOffering,
    ServicePlan,
)
from instances.operations import installation
from tests.fakes import URL, FakeWorld

CATALOG = """
offerings:
  - id: o-1
    name: mysql-docker
    description: A database
    engine: mariadb
    plans:
      - id: p-1
        name: small
        description: Small
        image: brokersite/mariadb:10.11
"""


class LoadCatalogTest(TestCase):
    def load(self, text: str) -> list[str]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "catalog.yml"
            path.write_text(dedent(text))
            return installation.load_catalog(path)

    def refusal(self, text: str) -> str:
        with pytest.raises(errors.InvalidRequest) as caught:
            self.load(text)
        assert not ServicePlan.objects.exists()
        return str(caught.value)

    def test_offerings_and_plans_are_added(self):
        self.load(CATALOG)
        assert ServicePlan.objects.get().offering == ServiceOffering.objects.get()

    def test_the_products_own_catalog_loads(self):
        installation.load_catalog(Path(settings.BASE_DIR) / "catalog.yml")
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

    def test_what_was_done_is_told(self):
        assert self.load(CATALOG)[0].startswith("added")
        assert self.load(CATALOG)[0].startswith("kept")

    def test_a_wrong_value_names_the_entry_and_the_field(self):
        text = self.refusal(CATALOG + "        memory_mb: plenty\n")
        assert "small" in text and "memory_mb" in text

    def test_a_limit_that_is_too_low_names_the_entry_and_the_field(self):
        text = self.refusal(CATALOG + "        memory_mb: 8\n")
        assert "small" in text and "memory_mb" in text

    def test_an_unknown_field_names_the_entry_and_the_field(self):
        text = self.refusal(CATALOG + "        memory: 8\n")
        assert "small" in text and "memory" in text

    def test_a_missing_field_names_the_entry_and_the_field(self):
        text = self.refusal(CATALOG.replace("        description: Small\n", ""))
        assert "small" in text and "description" in text

    def test_an_entry_without_an_id_is_named(self):
        text = self.refusal(CATALOG.replace("id: p-1\n        name", "name"))
        assert "small" in text and "id" in text

    def test_an_unknown_engine_names_the_entry(self):
        text = self.refusal(CATALOG.replace("engine: mariadb", "engine: oracle"))
        assert "mysql-docker" in text and "oracle" in text

    def test_a_file_that_is_no_catalog_is_refused(self):
        for text in (
            "",
            "[",
            "offerings:",
            "offerings: 1",
            "offerings: [1]",
            "- a",
            CATALOG.split("    plans:", maxsplit=1)[0] + "    plans: 1\n",
            CATALOG.split("    plans:", maxsplit=1)[0] + "    plans: [1]\n",
        ):
            with self.subTest(text):
                self.refusal(text)

    def test_an_offering_without_plans_key_content_is_fine(self):
        self.load(CATALOG.split("    plans:", maxsplit=1)[0] + "    plans: []\n")
        assert not ServicePlan.objects.exists()

    def test_a_missing_file_is_told(self):
        with pytest.raises(errors.InvalidRequest, match="nowhere"):
            installation.load_catalog(Path("nowhere.yml"))

    def test_one_mistake_leaves_everything_as_it_was(self):
        self.refusal(CATALOG + "        memory_mb: plenty\n")
        assert not ServiceOffering.objects.exists()

    def test_the_command_says_it_without_a_traceback(self):
        with pytest.raises(CommandError, match=r"nowhere\.yml"):
            call_command("loadcatalog", "nowhere.yml")


class EnsureHostTest(FakeWorld, TestCase):
    def ensure(self, **changes: str) -> DockerHost:
        fields = {"url": URL, "database_host": "db", "publish_address": "127.0.0.1"}
        return installation.ensure_host(**{**fields, **changes})

    def test_the_first_host_gets_most_of_its_memory(self):
        assert self.ensure().memory_mb == int(16384 * 0.8)

    def test_a_second_call_changes_nothing(self):
        first = self.ensure()
        assert self.ensure(url="memory://two", database_host="other") == first
        assert DockerHost.objects.get().database_host == "db"

    def test_a_host_that_does_not_answer_is_made_and_told(self):
        """F32: the site starts all the same."""
        self.world.machine.is_down = True
        host = self.ensure()
        assert host.problem and host.memory_mb == 2048


class EnsureLoginTest(TestCase):
    def test_the_first_operator_may_do_everything(self):
        password = installation.ensure_operator("admin", "")
        operator = get_user_model().objects.get()
        assert operator.is_superuser and operator.check_password(password)
        assert len(password) >= 20

    def test_a_second_call_makes_and_tells_nothing(self):
        installation.ensure_operator("admin", "given by the environment")
        assert installation.ensure_operator("admin", "another") is None
        operator = get_user_model().objects.get()
        assert operator.check_password("given by the environment")

    def test_the_first_broker_login_is_the_one_given(self):
        assert installation.ensure_broker_login("cf", "given") == "given"
        assert BrokerCredential.objects.get().username == "cf"

    def test_a_second_broker_login_is_not_made(self):
        installation.ensure_broker_login("cf", "")
        assert installation.ensure_broker_login("other", "") is None
        assert BrokerCredential.objects.count() == 1

    def test_passwords_that_nobody_gave_are_random(self):
        """S51: there is no default account."""
        first = installation.ensure_operator("admin", "")
        second = installation.ensure_broker_login("cf", "")
        assert first != second and len(second) >= 30


class CommandTest(FakeWorld, TestCase):
    def test_rotatekeys_tells_how_many(self):
        installation.check_readable()
        out = io.StringIO()
        call_command("rotatekeys", stdout=out)
        assert out.getvalue().startswith("1 secrets")
