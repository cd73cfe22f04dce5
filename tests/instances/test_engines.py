import base64
import hashlib
import json
from pathlib import Path

import pytest
from django.test import SimpleTestCase

from instances import engines, errors
from instances.containers import Access, connect
from instances.engines import ENGINES, get_engine, new_secret, parameters, redis
from instances.engines.base import binding_users, read_inventory
from instances.engines.verifiers import (
    mysql_native_password,
    scram_login,
    scram_sha_256,
    sha_256,
)
from instances.models import catalog_rules

KINDS = ("create_schema", "update_schema", "bind_schema")


class EnginesTest(SimpleTestCase):
    def test_every_engine_is_found_by_its_name(self):
        for name in ENGINES:
            assert get_engine(name).name == name

    def test_an_unknown_engine_is_refused_with_those_that_are_known(self):
        with pytest.raises(errors.InvalidRequest, match="mariadb"):
            get_engine("oracle")

    def test_an_engine_is_one_file_and_one_line_of_the_registry(self):
        registry = Path(engines.__file__)
        for name in ENGINES:
            assert registry.with_name(f"{name}.py").exists()
            lines = registry.read_text().splitlines()
            assert [name in line for line in lines].count(True) == 1

    def test_secrets_differ_and_need_no_quoting(self):
        """S22."""
        secrets = {new_secret() for _ in range(10_000)}
        assert len(secrets) == 10_000
        assert all(text.isascii() and len(text) == 32 for text in secrets)
        assert not set("".join(secrets)) & set("'\"\\`@:/ %+")

    def test_the_servers_own_accounts_are_no_bindings_users(self):
        own = {"brokersite", "root", "mysql", "mariadb.sys", "postgres", "default", "u"}
        assert binding_users(own | {"u0123abcd"}) == {"u0123abcd"}


class SchemasTest(SimpleTestCase):
    def schemas(self):
        for engine in ENGINES.values():
            for kind in KINDS:
                yield f"{engine.name} {kind}", getattr(engine, kind)

    def test_cloud_controller_takes_them(self):
        """CLOUD-CONTROLLER §2: draft 4 and its meta-schema, 64 KiB, no outer $ref."""
        for name, schema in self.schemas():
            assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
            assert list(catalog_rules.schema(schema)) == [], name
            assert '"$ref"' not in json.dumps(schema)

    def test_they_are_closed_and_say_enough_for_a_form(self):
        for name, schema in self.schemas():
            assert schema["type"] == "object"
            assert schema["additionalProperties"] is False, name
            assert schema["properties"] or schema["description"], name
            for field in schema["properties"].values():
                assert field["type"] and field["title"] and field["description"]

    def test_what_an_update_takes_a_create_takes_too(self):
        for engine in ENGINES.values():
            created = engine.create_schema["properties"]
            assert created.items() >= engine.update_schema["properties"].items()

    def test_the_bind_schema_names_fields_of_a_user(self):
        for engine in ENGINES.values():
            wanted = set(engine.bind_schema["properties"])
            assert wanted <= set(engines.User.__dataclass_fields__)


class CheckTest(SimpleTestCase):
    schema = parameters.schema(
        "Example",
        size=parameters.number("Size", "A number.", lowest=1, highest=3),
        color=parameters.choice("Color", "A word.", ["red", "blue"]),
        colors=parameters.choices("Colors", "Some words.", ["red", "blue"]),
        shiny=parameters.flag("Shiny", "Yes or no."),
    )

    def test_what_the_schema_allows_is_accepted(self):
        wanted = {"size": 3, "color": "red", "colors": ["blue", "red"], "shiny": True}
        parameters.check(self.schema, wanted)
        parameters.check(self.schema, {"colors": []})
        parameters.check(self.schema, {})

    def test_anything_else_is_refused_with_its_name(self):
        """S35."""
        for name, value in (
            ("size", 0), ("size", 4), ("size", "2"), ("size", True), ("size", 1.5),
            ("color", "green"), ("color", "red\n"), ("color", ["red"]), ("color", None),
            ("colors", "red"), ("colors", ["red", "red"]), ("colors", [["red"]]),
            ("colors", ["green"]), ("shiny", 1), ("shiny", "yes"), ("other", 1),
        ):  # fmt: skip
            with pytest.raises(errors.InvalidRequest, match=name):
                parameters.check(self.schema, {name: value})

    def test_the_refusal_names_what_is_allowed(self):
        with pytest.raises(errors.InvalidRequest, match="red, blue"):
            parameters.check(self.schema, {"color": "green"})
        with pytest.raises(errors.InvalidRequest, match="1 to 3"):
            parameters.check(self.schema, {"size": 9})


class VerifiersTest(SimpleTestCase):
    """Against what the servers' own tools give for the same password."""

    def test_mysql_native_password(self):
        expected = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"
        assert mysql_native_password("password") == expected

    def test_sha_256(self):
        assert sha_256("password").startswith("5e884898da28047151d0e56f8dc62927")

    def test_scram_sha_256_is_always_the_same_and_differs_by_password(self):
        verifier = scram_sha_256("password")
        assert verifier == scram_sha_256("password") != scram_sha_256("passwore")
        assert verifier.startswith("SCRAM-SHA-256$4096:")
        assert len(verifier) == 133

    def test_scram_login_is_what_the_verifier_proves(self):
        """RFC 5802: the server stores the client key's digest, and the server key."""
        client_key, server_key = scram_login("password")
        digest = hashlib.sha256(base64.b64decode(client_key)).digest()
        stored = f"{base64.b64encode(digest).decode()}:{server_key}"
        assert scram_sha_256("password").endswith(f"${stored}")
        assert scram_login("passwore") != (client_key, server_key)


class ReadInventoryTest(SimpleTestCase):
    def test_a_log_is_read_between_the_servers_own_lines(self):
        log = "ready\ninventory tables 12\nnoise inventory tables 9\n"
        log += "inventory witness 1\ninventory complete\nbye\n"
        assert read_inventory(log) == {"tables": 12, "witness": 1}

    def test_one_that_is_not_complete_is_refused_with_its_last_lines(self):
        whole = ["inventory tables 12", "inventory witness 1", "inventory complete"]
        for missing in whole[1:]:
            log = "\n".join(["first", *["noise"] * 9, *whole]).replace(missing, "lost")
            with pytest.raises(errors.ContainerFailed) as caught:
                read_inventory(log)
            assert "lost" in caught.value.detail
            assert "first" not in caught.value.detail

    def test_an_empty_log_is_refused(self):
        with pytest.raises(errors.ContainerFailed):
            read_inventory("")


class RedisFlushTest(SimpleTestCase):
    """A backup must hold the witness: the file can lag behind the answer."""

    def asked(self, *answers: tuple[int, int]) -> int:
        """How often it asks, given the file's and the buffer's sizes in turn."""
        left = [
            {"aof_enabled": 1, "aof_current_size": size, "aof_buffer_length": waiting}
            for size, waiting in answers
        ]
        redis._flush(lambda *command: left.pop(0))
        return len(answers) - len(left)

    def test_what_waits_in_memory_is_waited_for(self):
        assert self.asked((100, 50), (100, 80), (149, 31), (150, 40), (0, 0)) == 4

    def test_a_file_that_was_written_anew_is_smaller(self):
        assert self.asked((100, 50), (10, 20), (30, 0), (0, 0)) == 3

    def test_without_a_file_there_is_nothing_to_wait_for(self):
        redis._flush(lambda *command: {"aof_enabled": 0})


class ConnectTest(SimpleTestCase):
    def test_an_unknown_scheme_is_refused(self):
        with pytest.raises(errors.InvalidRequest, match="unix://"):
            connect(Access("ftp://host"))
