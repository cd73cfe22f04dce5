"""Which database the broker takes for its own, and how it talks to it."""

import json
from typing import Any

import psycopg
import pymysql
import pytest
from django.test import SimpleTestCase

from tests.brokersite.test_environment import load, refusal, services

CF = json.dumps({"application_uris": ["x.example"]})
CREDENTIALS = {"host": "h", "name": "n", "username": "u", "password": "p"}


def bound(*bindings: dict[str, Any]) -> str:
    return json.dumps({"any": list(bindings)})


def database(*bindings: dict[str, Any], **variables: str) -> dict[str, Any]:
    return load(VCAP_SERVICES=bound(*bindings), **variables).database


def by_uri(uri: str) -> dict[str, Any]:
    return database({"name": "db", "credentials": {"uri": uri}})


class SQLiteTest(SimpleTestCase):
    def test_without_a_service_it_is_sqlite_in_the_state_directory(self):
        found = load(STATE_DIRECTORY="/data").database
        assert found["ENGINE"].endswith("sqlite3")
        assert found["NAME"] == "/data/brokersite.sqlite3"

    def test_it_waits_for_others_and_loses_no_commit(self):
        """F113, F114."""
        options = load().database["OPTIONS"]
        assert options["transaction_mode"] == "IMMEDIATE"
        assert options["timeout"] >= 20
        assert "journal_mode=WAL" in options["init_command"]
        assert "synchronous=FULL" in options["init_command"]

    def test_apps_of_cloud_foundry_cannot_share_it(self):
        """Web and worker are containers of their own there."""
        assert "VCAP_SERVICES" in refusal(VCAP_APPLICATION=CF)

    def test_several_app_instances_cannot_share_it(self):
        assert "SQLite" in refusal(CF_INSTANCE_INDEX="1")

    def test_several_app_instances_share_a_server(self):
        load(CF_INSTANCE_INDEX="3", VCAP_SERVICES=services())

    def test_odd_services_are_no_crash(self):
        for value in (
            *('{"a": null}', '{"a": [null, 1]}', '{"a": [{"tags": null}]}'),
            *('{"a": [{"credentials": 7, "tags": 7}]}', '{"a": [{"name": null}]}'),
        ):
            assert load(VCAP_SERVICES=value).database["ENGINE"].endswith("sqlite3")


class BoundServiceTest(SimpleTestCase):
    def test_a_mysql_is_used(self):
        found = load(VCAP_SERVICES=services()).database
        assert found["ENGINE"].endswith("mysql")
        assert (found["HOST"], found["PORT"]) == ("db.example", "3307")
        assert (found["NAME"], found["USER"]) == ("broker", "u")
        assert found["PASSWORD"] == "p"

    def test_each_tag_tells_the_kind(self):
        for tag, kind in (
            *(("mysql", "mysql"), ("MariaDB", "mysql")),
            *(("postgres", "postgresql"), ("PostgreSQL", "postgresql")),
        ):
            found = database({"name": "db", "tags": [tag], "credentials": CREDENTIALS})
            assert found["ENGINE"] == f"django.db.backends.{kind}", tag

    def test_so_does_each_scheme_of_a_uri(self):
        for scheme, kind in (
            *(("mysql", "mysql"), ("mysql2", "mysql"), ("mariadb", "mysql")),
            *(("postgres", "postgresql"), ("postgresql", "postgresql")),
        ):
            found = by_uri(f"{scheme}://u%40x:p%2Fw@db.example:1234/broker")
            assert found["ENGINE"] == f"django.db.backends.{kind}"
            assert (found["HOST"], found["PORT"]) == ("db.example", "1234")
            assert (found["USER"], found["PASSWORD"]) == ("u@x", "p/w")
            assert found["NAME"] == "broker"

    def test_the_usual_port_need_not_be_said(self):
        assert by_uri("mysql://u:p@h/n")["PORT"] == "3306"
        assert by_uri("postgres://u:p@h/n")["PORT"] == "5432"

    def test_parameters_of_the_uri_are_left_to_others(self):
        """p.mysql says ?reconnect=true, which PyMySQL takes for an argument."""
        found = by_uri("mysql2://u:p@h:1/n?reconnect=true&useUnicode=yes")
        with pytest.raises(pymysql.OperationalError):
            pymysql.connect(
                host="127.0.0.1", port=1, **without(found["OPTIONS"], "isolation_level")
            )

    def test_psycopg_understands_the_options(self):
        found = by_uri("postgres://u:p@h:1/n?application_name=x&pool=5")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=1, **found["OPTIONS"])

    def test_every_spelling_of_the_address_is_read(self):
        """p.mysql and on-demand, Tanzu Postgres, cloud providers, our own."""
        for spelling in (
            {"hostname": "h", "name": "n", "port": 1, "username": "u", "password": "p"},
            {"host": "h", "database": "n", "port": "1", "user": "u", "password": "p"},
            {"hosts": ["h"], "db": "n", "port": 1, "user": "u", "password": "p"},
            {"hostname": "h", "dbname": "n", "port": "1", "uri": "mysql://u:p@x/y"},
        ):
            found = database({"name": "db", "tags": ["mysql"], "credentials": spelling})
            address = [found[k] for k in ("HOST", "NAME", "PORT", "USER", "PASSWORD")]
            assert address == ["h", "n", "1", "u", "p"], spelling

    def test_of_several_hosts_the_primary_is_looked_for(self):
        several = {**CREDENTIALS, "hosts": ["h-0", "h-1"]}
        found = database({"name": "p", "tags": ["postgres"], "credentials": several})
        assert found["HOST"] == "h-0,h-1"
        assert found["OPTIONS"]["target_session_attrs"] == "read-write"

    def test_what_is_missing_or_wrong_is_named_with_the_service(self):
        for credentials, named in (
            ({}, "lack host and name"),
            ({"host": "h"}, "lack name"),
            ({**CREDENTIALS, "port": "x"}, "'x' is not a port"),
            ({**CREDENTIALS, "uri": "mysql://h:port/x"}, "URI is malformed"),
        ):
            text = refusal(VCAP_SERVICES=services(credentials=credentials))
            assert "VCAP_SERVICES broker-db" in text and named in text

    def test_no_password_is_in_what_is_said(self):
        """S20."""
        uri = "mysql://u:canary@h:port/x"
        assert "canary" not in refusal(VCAP_SERVICES=services(credentials={"uri": uri}))
        assert "canary" not in refusal(VCAP_SERVICES='{"password": "canary"')


class ChoiceTest(SimpleTestCase):
    mysql = {"name": "one", "tags": ["mysql"], "credentials": CREDENTIALS}
    postgres = {
        "name": "two",
        "instance_name": "two-i",
        "tags": ["postgres"],
        "credentials": CREDENTIALS,
    }
    other = {"name": "three", "tags": ["redis"], "credentials": {"uri": "redis://h"}}

    def kind(self, *bindings: dict[str, Any], **variables: str) -> str:
        return database(*bindings, **variables)["ENGINE"].rpartition(".")[2]

    def test_the_only_database_is_taken(self):
        assert self.kind(self.other, self.mysql) == "mysql"

    def test_of_two_one_has_to_be_named(self):
        both = {"VCAP_SERVICES": bound(self.mysql, self.postgres)}
        assert "(one, two): name one in DATABASE_SERVICE" in refusal(**both)
        for name, kind in (("one", "mysql"), ("two", "postgresql")):
            assert load(**both, DATABASE_SERVICE=name).database["ENGINE"].endswith(kind)

    def test_a_service_instances_name_does_too(self):
        services = self.mysql, self.postgres
        assert self.kind(*services, DATABASE_SERVICE="two-i") == "postgresql"

    def test_the_manifests_own_goes_first(self):
        usual = {**self.postgres, "name": "brokersite-database"}
        assert self.kind(self.mysql, usual) == "postgresql"

    def test_a_name_that_is_none_or_no_database_is_said(self):
        for name in ("four", "three"):
            services = bound(self.mysql, self.other)
            text = refusal(VCAP_SERVICES=services, DATABASE_SERVICE=name)
            assert f"DATABASE_SERVICE is '{name}'" in text

    def test_our_own_uri_wins(self):
        uri = "postgres://u:p@h/n"
        assert self.kind(self.mysql, DATABASE_URI=uri) == "postgresql"
        assert load(DATABASE_URI=uri, VCAP_APPLICATION=CF).database["NAME"] == "n"

    def test_the_platforms_url_is_not_looked_at(self):
        """Cloud Foundry writes DATABASE_URL itself, as mysql2://."""
        assert load(DATABASE_URL="mysql2://h/n").database["ENGINE"].endswith("sqlite3")

    def test_a_uri_of_another_kind_is_refused(self):
        for uri in ("oracle://h/n", "nonsense"):
            assert "DATABASE_URI" in refusal(DATABASE_URI=uri)


class LimitsTest(SimpleTestCase):
    def test_nothing_waits_for_ever(self):
        """F119."""
        mysql, postgres = by_uri("mysql://h/n"), by_uri("postgres://h/n")
        command = mysql["OPTIONS"]["init_command"]
        for limit in ("innodb_lock_wait_timeout", "max_statement_time"):
            assert limit in command
        for limit in ("statement", "lock", "idle_in_transaction_session"):
            assert f"{limit}_timeout=" in postgres["OPTIONS"]["options"]
        for found in (mysql, postgres):
            assert found["OPTIONS"]["connect_timeout"]

    def test_mysql_is_strict_and_takes_every_character(self):
        options = by_uri("mysql://h/n")["OPTIONS"]
        assert options["charset"] == "utf8mb4"
        assert options["isolation_level"] == "read committed"
        assert "STRICT_ALL_TABLES" in options["init_command"]


def without(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}
