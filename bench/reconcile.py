"""A pass of reconciliation over many containers, beside the bare calls to Docker.

The pass runs in a process of its own, over an empty SQLite: see reconcile_pass.py.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from cryptography.fernet import Fernet

from bench.plans import ROOT
from bench.report import Aim, Row

CONTAINERS = 100
ROWS = 10_000
LIMIT_S = 900


def measure(rounds: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(
            [sys.executable, "-m", "bench.reconcile_pass"],
            cwd=ROOT,
            env=_environment(folder),
            input=json.dumps([CONTAINERS, ROWS, max(3, rounds // 3)]),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=LIMIT_S,
        )
    took: dict[str, list[float]] = json.loads(told.stdout.splitlines()[-1])
    name = f"reconcile {CONTAINERS} containers, {ROWS} rows"
    yield Row(f"{name}, beside a list", "redis", took["pass"], took["list"], "s")
    looked = took["list and inspect"]
    beside = f"{name}, beside list and inspect"
    yield Row(beside, "redis", took["pass"], looked, "s", Aim(1, of="ratio"))
    name = f"{name}, each looked at closely"
    yield Row(f"{name}, beside list and inspect", "redis", took["full"], looked, "s")


def _environment(folder: str) -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "DOCKER_HOST", "DOCKER_PORT")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "DJANGO_SETTINGS_MODULE": "brokersite.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "STATE_DIRECTORY": folder,
    }
