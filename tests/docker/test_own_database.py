"""The broker's own database over TLS: real servers, the settings that Django gets."""

import json
import tempfile
import unittest
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest
from django.db.utils import ConnectionHandler

from tests.brokersite.certificates import Authority
from tests.brokersite.test_environment import load
from tests.databases.server import running

REFUSED = (pymysql.OperationalError, psycopg.OperationalError)
IS_ENCRYPTED = {
    "mariadb": "SELECT variable_value <> '' FROM information_schema.session_status"
    " WHERE variable_name = 'Ssl_cipher'",
    "postgres": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
}


class TLSContract:
    """What holds for each kind of server."""

    name = ""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.ca = Authority()
        certificate, key = cls.ca.certificate("localhost")
        server = running(cls.name, certificate=certificate, key=key)
        cls.uri = urlsplit(cls.enterClassContext(server))
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())

    def is_encrypted(self, host: str, ca: str = "", **variables: str) -> bool:
        """Log in as a bound service says. Raise one of REFUSED."""
        credentials = {
            "hostname": host,
            "port": str(self.uri.port),
            "name": "brokersite",
            "username": self.uri.username,
            "password": self.uri.password,
            "tls": {"cert": {"ca": ca}},
        }
        tags = ["mysql" if self.name == "mariadb" else "postgres"]
        binding: dict[str, Any] = {"name": "db", "tags": tags}
        services = json.dumps({"any": [{**binding, "credentials": credentials}]})
        variables |= {"VCAP_SERVICES": services, "STATE_DIRECTORY": self.folder}
        settings = load(**variables).database
        backend = ConnectionHandler({"default": settings})["default"]
        # As Django opens it; pytest-django forbids it to do so here.
        line = backend.get_new_connection(backend.get_connection_params())
        with line, line.cursor() as cursor:
            cursor.execute(IS_ENCRYPTED[self.name])
            return bool(cursor.fetchone()[0])

    def test_a_server_that_the_ca_vouches_for_is_spoken_to_encrypted(self):
        assert self.is_encrypted("localhost", self.ca.pem)

    def test_another_cas_server_is_refused(self):
        with pytest.raises(REFUSED):
            self.is_encrypted("localhost", Authority().pem)

    def test_another_name_is_refused_unless_the_name_is_left_out(self):
        with pytest.raises(REFUSED):
            self.is_encrypted("127.0.0.1", self.ca.pem)
        mode = {"DATABASE_TLS": "verify-ca"}
        assert self.is_encrypted("127.0.0.1", self.ca.pem, **mode)

    def test_without_a_ca_it_is_encrypted_if_it_can_be(self):
        assert self.is_encrypted("127.0.0.1")
        assert self.is_encrypted("127.0.0.1", DATABASE_TLS="require")
        assert not self.is_encrypted("127.0.0.1", DATABASE_TLS="off")


class MariaDBTest(TLSContract, unittest.TestCase):
    name = "mariadb"


class PostgreSQLTest(TLSContract, unittest.TestCase):
    name = "postgres"
