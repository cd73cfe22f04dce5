"""The rules that must never break are in the database, whichever it is.

MariaDB drops what it does not know, such as conditional constraints, with a mere
warning of Django: here the database's own catalog is asked, and each rule is broken.
"""

import uuid
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.test import TransactionTestCase
from django.utils import timezone

from instances.models import (
    Broker,
    DockerHost,
    PlatformLookup,
    Worker,
)
from tests.databases.rows import MODELS, EveryRow, unique_rules

BROKEN: dict[str, dict[str, Any]] = {
    "one_broker": {"id": 2},
    "one_platform_lookup": {"id": 2},
    "port_range_in_order": {"port_min": 3000, "port_max": 2000},
    "port_leased_or_resting": {"container_id": None, "resting_until": None},
}
"""What breaks each check; a new check wants a line here."""


def checks(model: type[models.Model]) -> list[str]:
    rules = model._meta.constraints
    return [rule.name for rule in rules if isinstance(rule, models.CheckConstraint)]


def foreign_keys(model: type[models.Model]) -> list[Any]:
    """Those that the database keeps: samples have none, which would lock their host."""
    fields = model._meta.local_concrete_fields
    return [row for row in fields if row.remote_field and row.db_constraint]


class CatalogTest(TransactionTestCase):
    """What the database says that it keeps."""

    def catalog(self, model: type[models.Model]) -> dict[str, dict[str, Any]]:
        with connection.cursor() as cursor:
            return connection.introspection.get_constraints(
                cursor, model._meta.db_table
            )

    def test_no_rule_is_conditional(self):
        """MariaDB has no partial indexes."""
        for model in MODELS:
            for rule in model._meta.constraints:
                assert getattr(rule, "condition", None) is None or isinstance(
                    rule, models.CheckConstraint
                ), rule

    def test_it_knows_every_unique_rule(self):
        for model in MODELS:
            known = {
                frozenset(rule["columns"])
                for rule in self.catalog(model).values()
                if rule["unique"]
            }
            for columns in unique_rules(model):
                with self.subTest(f"{model._meta.db_table} {columns}"):
                    assert frozenset(columns) in known

    def test_it_knows_every_check(self):
        for model in MODELS:
            known = {
                name for name, rule in self.catalog(model).items() if rule["check"]
            }
            for name in checks(model):
                with self.subTest(name):
                    assert name in known

    def test_it_knows_every_foreign_key(self):
        for model in MODELS:
            known = {
                (rule["columns"][0], *rule["foreign_key"])
                for rule in self.catalog(model).values()
                if rule["foreign_key"]
            }
            for field in foreign_keys(model):
                target = field.target_field
                table = target.model._meta.db_table
                with self.subTest(f"{model._meta.db_table}.{field.column}"):
                    assert (field.column, table, target.column) in known

    def test_there_are_some_of_each(self):
        """Or the tests above would pass for nothing."""
        assert sum(len(list(unique_rules(model))) for model in MODELS) >= 14
        assert {name for model in MODELS for name in checks(model)} == set(BROKEN)
        assert sum(len(foreign_keys(model)) for model in MODELS) >= 20


class BreakingTest(EveryRow, TransactionTestCase):
    """What it refuses."""

    def refused(self, row: models.Model) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save(force_insert=True)

    def test_what_breaks_no_rule_is_taken(self):
        """Or what is refused below might be refused for something else."""
        for model in MODELS:
            if model not in (Broker, PlatformLookup):  # there is one only
                with self.subTest(model.__name__):
                    self.copy(self.sample(model)).save(force_insert=True)

    def test_nothing_unique_is_there_twice(self):
        for model in MODELS:
            for columns in unique_rules(model):
                with self.subTest(f"{model.__name__} {columns}"):
                    row = self.sample(model)
                    values = [getattr(row, name) for name in columns]
                    assert None not in values, "null is unique to no database"
                    self.refused(self.copy(row, keep=columns))

    def test_every_check_is_kept(self):
        for model in MODELS:
            for name in checks(model):
                with self.subTest(name):
                    row = self.copy(self.sample(model))
                    for attribute, value in BROKEN[name].items():
                        setattr(row, attribute, value)
                    self.refused(row)

    def test_no_row_refers_to_what_is_not_there(self):
        nobody: dict[type, Any] = {
            models.UUIDField: uuid.uuid4(),
            models.CharField: "nobody",
        }
        for model in MODELS:
            for field in foreign_keys(model):
                with self.subTest(f"{model.__name__}.{field.name}"):
                    row = self.copy(self.sample(model))
                    kind = type(field.target_field)
                    setattr(row, field.attname, nobody.get(kind, 999_999))
                    self.refused(row)

    def test_no_number_is_negative(self):
        """PositiveIntegerField: unsigned, or a check."""
        row = self.copy(self.sample(DockerHost))
        row.memory_mb = -1
        with pytest.raises(Exception, match=r"(?i)constraint|out of range"):
            row.save(force_insert=True)

    def test_a_text_that_is_too_long_is_not_cut_off(self):
        """Strict: MySQL would cut it, and SQLite takes it all."""
        row = self.copy(self.sample(Worker))
        row.name, row.seen_at = "x" * 150, timezone.now()
        if connection.vendor == "sqlite":
            row.save(force_insert=True)
            assert Worker.objects.get(pk=row.pk).name == "x" * 150
        else:
            with pytest.raises(Exception, match=r"(?i)too long"):
                row.save(force_insert=True)

    def test_every_character_is_kept(self):
        """utf8mb4."""
        text = "naïve 数据库 🐘🐬"
        self.accept_provision("i-2", context={"instance_name": text})
        assert text in self.names()

    def names(self) -> list[str]:
        model = apps.get_model("instances", "ServiceInstance")
        return list(model.objects.values_list("instance_name", flat=True))
