import io

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import TestCase

from instances.models import BrokerCredential, DockerHost
from instances.operations import installation
from tests.fakes import URL, FakeWorld


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
