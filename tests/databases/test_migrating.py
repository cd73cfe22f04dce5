"""Migrations at start: many processes at once, and one that is killed half way."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase

from tests.databases.processes import PATIENCE_S, ask, begin, empty_database, manage

AT_ONCE = 4
SCHEMA = """
import json
from django.db import connection as c
look, tables = c.introspection, {}
with c.cursor() as cursor:
    for name in look.table_names(cursor):
        columns = look.get_table_description(cursor, name)
        rules = look.get_constraints(cursor, name).values()
        asked = ("columns", "unique", "check", "foreign_key", "index")
        tables[name] = [
            sorted([column.name, str(column.type_code)] for column in columns),
            sorted(json.dumps([rule[key] for key in asked]) for rule in rules),
        ]
print(json.dumps(tables, sort_keys=True))
"""
KILLED = """
import os, signal, sys
from django.db.backends.base.schema import BaseDatabaseSchemaEditor as Editor
execute, left = Editor.execute, [int(sys.argv[1])]
def deadly(self, sql, params=()):
    result = execute(self, sql, params)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
Editor.execute = deadly
from django.core.management import call_command
call_command("bootstrap")
"""
HELD = """
import sys
from instances.management import migrating
with migrating.alone():
    print("held", flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.timeout(600)


class MigratingTest(TransactionTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.environment = self.enterContext(empty_database(self.folder))

    def schema(self, environment: dict[str, str]) -> Any:
        return json.loads(ask(environment, SCHEMA))

    def killed_at(self, number: int) -> None:
        setup = "import django; django.setup()\n" + KILLED
        settings = {"DJANGO_SETTINGS_MODULE": "brokersite.settings"}
        process = begin(settings | self.environment, "-c", setup, str(number))
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == -9, said

    def test_many_processes_start_at_once(self):
        """FACTS 7: two migrations at once fail on MySQL and PostgreSQL."""
        processes = [
            begin(self.environment, "manage.py", "bootstrap") for _ in range(AT_ONCE)
        ]
        said = [process.communicate(timeout=PATIENCE_S)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * AT_ONCE, said
        # One has made the logins, the others have seen them.
        assert sum("Operator made" in text for text in said) == 1
        assert sum("Broker login made" in text for text in said) == 1
        manage(self.environment, "migrate", "--check")

    def test_a_killed_one_is_gone_on_with(self):
        """F123: on MySQL in the middle of a migration, elsewhere from its beginning."""
        manage(self.environment, "bootstrap")
        whole = self.schema(self.environment)
        for number in (10, 40):
            with self.subTest(number), empty_database(self.folder) as other:
                self.environment = other
                self.killed_at(number)
                assert self.schema(other) != whole
                said = manage(other, "bootstrap")
                assert "Operator made" in said
                if connection.vendor == "mysql":
                    assert "going on with a migration that was interrupted" in said
                assert self.schema(other) == whole
                manage(other, "migrate", "--check")

    def test_what_is_not_ours_is_not_taken_for_it(self):
        """No migration of ours was under way: somebody else's table stays his."""
        ask(
            self.environment,
            "from django.db import connection as c\n"
            "c.cursor().execute('CREATE TABLE instances_broker (theirs INTEGER)')",
        )
        process = begin(self.environment, "manage.py", "bootstrap")
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert "instances_broker" in said and "already exists" in said

    def test_too_few_characters_are_refused(self):
        """Tables would take over the database's latin1."""
        if connection.vendor != "mysql":
            return
        change = "ALTER DATABASE CHARACTER SET latin1"
        code = f"from django.db import connection as c\nc.cursor().execute('{change}')"
        ask(self.environment, code)
        process = begin(self.environment, "manage.py", "bootstrap")
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1 and "CHARACTER SET utf8mb4" in said

    def test_a_dead_process_holds_no_lock(self):
        settings = {"DJANGO_SETTINGS_MODULE": "brokersite.settings"}
        code = f"import django; django.setup()\n{HELD}"
        holder = begin(settings | self.environment, "-c", code)
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        waiting = begin(self.environment, "manage.py", "bootstrap")
        with pytest.raises(Exception, match="timed out"):
            waiting.communicate(timeout=3)
        holder.kill()
        holder.communicate(timeout=10)
        said, _ = waiting.communicate(timeout=PATIENCE_S)
        assert waiting.returncode == 0, said
