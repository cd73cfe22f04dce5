"""Expand, migrate, contract: old and new releases share the database (FAILURES F122).

In a rolling deploy the release before runs on the new schema, for minutes. A release's
migrations may therefore only add what that one need not know of.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connection, models
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState
from django.test import SimpleTestCase, TransactionTestCase

from tests.databases.rows import EveryRow

APP, FIRST = "instances", "0001_initial"
REVIEWED: dict[str, str] = {
    "0005_backup_policy_and_free_disk": "Plans say by another column that an upgrade "
    "is backed up first; while both releases run, the one before takes none.",
    "0009_what_reconciliation_finds": "Permissions of roles, for new pages.",
    "0010_moves_and_drains": "Permissions of roles, for new pages.",
    "0012_what_operators_do": "Permissions of roles, for new pages.",
    "0007_roles": "Groups and permissions, which the release before does not ask for.",
    "0011_logins_of_persons": "Permissions for a page that the release before has not.",
}
"""By migration: why the release before does not mind what looks as if it did.

Such as: the column has not been used since the release before the last one.
"""
HARMLESS = (
    operations.CreateModel,
    operations.AddIndex,
    operations.AlterModelOptions,
    operations.AlterModelManagers,
)


def complaints(migration: Migration, before: ProjectState) -> Iterator[str]:
    """What in it would disturb a release that does not know of it."""
    state = before.clone()
    for operation in migration.operations:
        after = state.clone()
        operation.state_forwards(APP, after)
        if not _is_harmless(operation, state, after):
            yield f"{migration.name}: {operation.describe()}"
        state = after


def _is_harmless(operation: Any, before: ProjectState, after: ProjectState) -> bool:
    if isinstance(operation, operations.AddField):
        field = operation.field
        is_filled = field.null or field.db_default is not models.NOT_PROVIDED
        # What is unique, a default would be only once.
        return is_filled and (field.null or not field.unique)
    if isinstance(operation, operations.AlterField):
        former, new = (
            state.apps.get_model(APP, operation.model_name)._meta.get_field(
                operation.name
            )
            for state in (before, after)
        )
        return (
            _kind(former) == _kind(new)
            and (new.max_length or 0) >= (former.max_length or 0)
            and (new.null or not former.null)
            and (former.unique or not new.unique)
        )
    return isinstance(operation, HARMLESS)


def _kind(field: Any) -> str:
    return str(field.get_internal_type())


class MigrationsTest(SimpleTestCase):
    def test_they_only_add_what_the_release_before_need_not_know(self):
        loader = MigrationLoader(None)
        keys = sorted(key for key in loader.graph.nodes if key[0] == APP)
        assert keys[0] == (APP, FIRST)
        found = [
            complaint
            for key in keys[1:]
            if key[1] not in REVIEWED
            for complaint in complaints(
                loader.get_migration(*key), loader.project_state(key, at_end=False)
            )
        ]
        assert not found, (
            "Add it as a new column that may be null or has a db_default, and take "
            f"away in a later release (docs/databases.md): {found}"
        )


class ComplaintsTest(SimpleTestCase):
    """The check itself."""

    def found(self, *given: Any) -> list[str]:
        migration = Migration("0002_try", APP)
        migration.operations = list(given)
        first = MigrationLoader(None).project_state((APP, FIRST))
        return list(complaints(migration, first))

    def test_what_is_added_with_a_default_or_null_is_fine(self):
        assert not self.found(
            operations.AddField("worker", "a", models.TextField(null=True)),
            operations.AddField("worker", "b", models.IntegerField(db_default=1)),
            operations.AddField(
                "worker", "c", models.CharField(unique=True, null=True)
            ),
            operations.AddIndex("worker", models.Index(fields=["a"], name="a")),
            operations.CreateModel("New", [("id", models.AutoField(primary_key=True))]),
            operations.AlterField("worker", "name", models.CharField(max_length=200)),
        )

    def test_what_the_release_before_cannot_fill_is_not(self):
        """Django's own default is no default of the column."""
        for field in (
            models.IntegerField(),
            models.IntegerField(default=1),
            models.IntegerField(db_default=1, unique=True),
        ):
            assert self.found(operations.AddField("worker", "a", field))

    def test_nor_what_it_still_uses_or_does_not_obey(self):
        check = models.CheckConstraint(condition=models.Q(name="w"), name="c")
        for operation in (
            operations.RemoveField("worker", "name"),
            operations.RenameField("worker", "name", "title"),
            operations.DeleteModel("worker"),
            operations.RenameModel("worker", "labourer"),
            operations.AddConstraint("worker", check),
            operations.AlterField("worker", "name", models.CharField(max_length=10)),
            operations.AlterField("worker", "name", models.IntegerField()),
            operations.AlterField(
                "container", "plan", models.ForeignKey("serviceplan", models.PROTECT)
            ),
            operations.RunSQL("SELECT 1"),
            operations.RunPython(lambda *_: None),
        ):
            assert self.found(operation), operation


class FirstReleaseTest(EveryRow, TransactionTestCase):
    """Its models write to the schema of today, which has columns that they lack."""

    def test_it_can_still_insert_read_and_change_every_row(self):
        state = MigrationLoader(connection).project_state((APP, FIRST))
        tried = 0
        for model in state.apps.get_app_config(APP).get_models():
            with self.subTest(model.__name__):
                row = self.sample(model)
                if model.__name__ != "Broker":  # there is one only
                    row = self.copy(row)
                    row.save(force_insert=True)
                model._default_manager.get(pk=row.pk).save(force_update=True)
                tried += 1
        assert tried >= 13
