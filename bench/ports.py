"""Ports reserved by many processes at once, on each database that the broker may have.

Each is measured in a process of its own: see ports_pass.py. The servers are as their
images have them, so that a commit waits for the disk, in the floors too.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from bench.plans import ROOT
from bench.report import Aim, Row, percentile
from tests.databases.server import running

DATABASES = ("sqlite", "mariadb", "postgres")
PROCESSES, EACH = 8, 200
LIMIT_S = 600
PLAIN, LEAST = "plain insert", "least statements"
"""The floors: a row and its commit; a host's lock, two rows and a commit."""
SURE = 99
"""Percent; the table has the 95th."""


def measure(_: int) -> Iterator[Row]:
    """However many rounds: how many ports there are is part of what is promised."""
    for database in DATABASES:
        yield from _rows(database, _measured(database))


def _measured(database: str) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = _environment(folder)
        if database != "sqlite":
            uri = stack.enter_context(running(database, is_durable=True))
            environment["DATABASE_URI"] = uri
        told = subprocess.run(
            [sys.executable, "-m", "bench.ports_pass"],
            cwd=ROOT,
            env=environment,
            input=json.dumps([PROCESSES, EACH]),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=LIMIT_S,
        )
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def _environment(folder: Path) -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "DJANGO_SETTINGS_MODULE": "brokersite.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "STATE_DIRECTORY": str(folder),
        # Only rows are written: nobody needs a Docker Engine.
        "DOCKER_HOST": f"unix://{folder}/none.sock",
    }


def _rows(database: str, found: dict[str, Any]) -> Iterator[Row]:
    total = PROCESSES * EACH
    who, seconds = f"{total} ports by {PROCESSES} processes", found["seconds"]
    yield Row(f"{who}, leased twice", database, [found["twice"]], (), "times", Aim(0))
    took_s = [seconds["reserve"]]
    for floor in (PLAIN, LEAST):
        name = f"{who}, beside {total} times the {floor}"
        yield Row(name, database, took_s, [seconds[floor]], "s")
    rates = [total / took_s[0]], [total / seconds[LEAST]]
    yield Row(f"{who}, beside the {LEAST}", database, *rates, "ports/s")
    one, bare = found["ms"]["reserve"], found["ms"][LEAST]
    yield Row(f"one port, beside the {LEAST}", database, one, bare)
    late = [percentile(one, SURE)], [percentile(bare, SURE)]
    yield Row(f"one port, p{SURE} of both", database, *late)
