"""The roles, also after a test of another kind has emptied the database."""

from importlib import import_module
from types import SimpleNamespace

from django.apps import apps
from django.db import connection

MIGRATION = import_module("instances.migrations.0007_roles")
LATER = (
    *("0009_what_reconciliation_finds", "0010_moves_and_drains"),
    *("0011_logins_of_persons", "0012_what_operators_do"),
)
EDITOR = SimpleNamespace(connection=connection)


def make_roles() -> None:
    """As the migrations do; they may run again."""
    MIGRATION.make_roles(apps, EDITOR)
    for name in LATER:
        import_module(f"instances.migrations.{name}").grant(apps, EDITOR)
