"""The roles, also after a test of another kind has emptied the database."""

from importlib import import_module
from types import SimpleNamespace

from django.apps import apps
from django.db import connection

MIGRATION = import_module("instances.migrations.0007_roles")
LOGINS = import_module("instances.migrations.0009_logins_of_persons")
EDITOR = SimpleNamespace(connection=connection)


def make_roles() -> None:
    """As the migrations do; they may run again."""
    MIGRATION.make_roles(apps, EDITOR)
    LOGINS.give_permissions(apps, EDITOR)
