"""The engine for any image: what its settings may be, and what is made of them."""

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.engines import Configurable, Endpoint, User, find_configurable
from instances.engines import templates as templating
from instances.engines.generic import DEFAULTS, ENGINE

MINIMAL = {"port": 8080, "credentials": {"uri": "http://${host}:${port}"}}
HEX = set("0123456789abcdef")


def endpoint(seed: str = "a seed", **settings: object) -> Endpoint:
    return Endpoint("db.example.com", 20001, seed, {**MINIMAL, **settings})


class ConfigurableTest(SimpleTestCase):
    def test_it_takes_settings_and_the_others_take_none(self):
        assert find_configurable("generic") is ENGINE
        for name in ("mariadb", "postgres", "redis", "no such engine"):
            assert find_configurable(name) is None
        assert isinstance(ENGINE, Configurable)

    def test_settings_do_not_hinder_an_endpoint_from_being_a_key(self):
        assert len({endpoint(), endpoint(), endpoint("another")}) == 2


class MistakesTest(SimpleTestCase):
    def mistakes(self, **changes: object) -> dict[str, str]:
        return dict(ENGINE.mistakes({**MINIMAL, **changes}))

    def test_port_and_credentials_are_enough(self):
        assert not self.mistakes()
        assert set(dict(ENGINE.mistakes({}))) == {"port", "credentials"}

    def test_everything_at_once_is_taken(self):
        assert not self.mistakes(
            command=["--verbose", "$$HOME", ""],
            environment={"discovery.type": "one", "_P": "${password} $secret"},
            readiness="http",
            readiness_path="/health?deep=1",
            readiness_status=204,
            credentials={"a": [{"b": "${port}"}, 5, 0.5, True, ""]},
            data_path="/var/lib/data",
        )

    def test_each_names_the_setting_and_the_cure(self):
        for name, value, cure in (
            ("port", None, "1 to 65535"), ("port", 0, "1 to 65535"),
            ("port", 65536, "1 to 65535"), ("port", "80", "1 to 65535"),
            ("port", True, "1 to 65535"), ("port", 80.0, "1 to 65535"),
            ("command", "ls", "a list of texts"), ("command", [1], "a list of texts"),
            ("command", ["${usrname}"], "${username}"), ("command", ["$("], "$$"),
            ("environment", ["A=1"], "names and values"),
            ("environment", {"A": 1}, "in quotes"),
            ("environment", {"A B": "1"}, "no name of a variable"),
            ("environment", {"": "1"}, "no name of a variable"),
            ("environment", {"A": "${passwd}"}, "${password}"),
            ("environment", {"A": "5$"}, "$$ for a dollar sign"),
            ("readiness", "udp", "tcp or http"), ("readiness", None, "tcp or http"),
            ("readiness_path", "health", "begins with /"),
            ("readiness_path", "/a b", "no spaces"),
            ("readiness_path", "/\r\nX: y", "no spaces"),
            ("readiness_path", None, "begins with /"),
            ("readiness_status", 99, "200 to 599"),
            ("readiness_status", "200", "200 to 599"),
            ("credentials", {}, "JSON object"), ("credentials", [], "JSON object"),
            ("credentials", {"a": {"b": None}}, "Replace null"),
            ("credentials", {"a": [{"b": "${HOST}"}]}, "${host}"),
            ("data_path", "data", "whole path"), ("data_path", "/", "whole path"),
            ("data_path", "/a/../b", "whole path"), ("data_path", None, "whole path"),
            ("volume", "/data", "known are port, command"),
        ):  # fmt: skip
            with self.subTest(f"{name} {value}"):
                found = self.mistakes(**{name: value})
                assert list(found) == [name]
                assert cure in found[name]

    def test_nothing_is_started_with_settings_that_were_never_checked(self):
        wrong = Endpoint("h", 1, "s", {"port": "80"})
        for call in (ENGINE.startup, ENGINE.check):
            with pytest.raises(errors.ContainerFailed) as caught:
                call(wrong)
            assert "port" in caught.value.detail


class TemplatesTest(SimpleTestCase):
    def credentials(self, template: object, seed: str = "a seed") -> object:
        user = User("u1", "of the binding", "d1", 1)
        wanted = endpoint(seed, credentials={"it": template})
        return ENGINE.credentials(wanted, user)["it"]

    def test_the_address_is_that_for_apps_and_the_port_a_number(self):
        assert self.credentials("${host}:${port}") == "db.example.com:20001"
        assert self.credentials("${port}") == 20001
        assert self.credentials(["${port}", {"p": "${port}"}]) == [20001, {"p": 20001}]

    def test_what_is_no_text_stays(self):
        assert self.credentials([1, True, 0.5]) == [1, True, 0.5]

    def test_generated_values_are_hard_to_guess_and_need_no_quoting(self):
        for name in ("password", "secret"):
            value = self.credentials(f"${{{name}}}")
            assert len(value) == 48 and set(value) <= HEX
        assert self.credentials("${password}") != self.credentials("${secret}")
        assert "a seed" not in str(templating.values(endpoint()))

    def test_they_are_the_same_for_a_container_and_differ_between_two(self):
        for name in ("username", "password", "password_sha256", "database", "secret"):
            first, again = (self.credentials(f"${{{name}}}") for _ in range(2))
            assert first == again != self.credentials(f"${{{name}}}", "another")

    def test_a_bindings_own_user_is_not_in_them(self):
        every = str(self.credentials(templating.KNOWN))
        assert "u1" not in every.split(", ") and "of the binding" not in every

    def test_the_hash_is_that_of_the_password(self):
        wanted = templating.sha_256(self.credentials("${password}"))
        assert self.credentials("${password_sha256}") == wanted

    def test_nothing_is_executed_and_nothing_replaced_twice(self):
        """S34: a template is filled, not interpreted."""
        for text in ("$$(reboot)", "{{ 7 }}", "{0.__class__}", "%(host)s", "`id`"):
            assert self.credentials(text) == text.replace("$$", "$")
        tricky = Endpoint(
            "${secret}", 1, "s", {**MINIMAL, "credentials": {"h": "$host"}}
        )
        assert ENGINE.credentials(tricky, User("u", "p", "d", 1)) == {"h": "${secret}"}

    def test_command_and_environment_are_texts(self):
        startup = ENGINE.startup(
            endpoint(command=["-p", "${port}"], environment={"URL": "$host:$port"})
        )
        assert startup.port == 8080
        assert startup.command == ("-p", "20001")
        assert startup.environment == {"URL": "db.example.com:20001"}

    def test_defaults_start_the_image_as_it_is(self):
        startup = ENGINE.startup(endpoint())
        assert (startup.command, dict(startup.environment)) == ((), {})
        assert not dict(ENGINE.mistakes({**DEFAULTS, **MINIMAL}))


class UsersTest(SimpleTestCase):
    def test_none_is_made_and_none_goes(self):
        ENGINE.drop_user(endpoint(), "u1")
        assert ENGINE.users(endpoint()) == set()

    def test_a_read_only_one_is_refused(self):
        reader = User("u1", "p", "d1", 1, read_only=True)
        with pytest.raises(errors.InvalidRequest, match="share the same credentials"):
            ENGINE.create_user(endpoint(), reader)

    def test_there_are_no_parameters(self):
        assert ENGINE.create_database(endpoint(), "d1") is False
        for change in (ENGINE.create_database, ENGINE.update_database):
            with pytest.raises(errors.InvalidRequest, match="size"):
                change(endpoint(), "d1", {"size": 1})
