"""The roles, also after a test of another kind has emptied the database."""

from importlib import import_module
from types import SimpleNamespace

from django.apps import apps
from django.db import connection

MIGRATION = import_module("instances.migrations.0007_roles")
LATER = import_module("instances.migrations.0008_what_operators_do")
EDITOR = SimpleNamespace(connection=connection)


def make_roles() -> None:
    """As the migration does; it may run again."""
    MIGRATION.make_roles(apps, EDITOR)
    LATER.give_permissions(apps, EDITOR)
