"""Processes of their own on one database, and databases beside the tests' own."""

import multiprocessing
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import connection, connections

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 250
"""How long a process may take: this is no test of speed."""
_gate: Any = None


def in_processes(count: int, work: Callable[[Any], Any], *given: Any) -> list[Any]:
    """What each process returns; all begin at the same moment, on the tests' database.

    Each gets a number, and after it what is given.
    """
    connections.close_all()  # a line that two processes use is of no use to either
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(count)
    with context.Pool(count, initializer=_enter, initargs=(gate,)) as pool:
        jobs = [(work, number, *given) for number in range(count)]
        return pool.map(_run, jobs, chunksize=1)


def meet() -> None:
    """Wait until all of them are here."""
    _gate.wait(PATIENCE_S)


def _enter(gate: Any) -> None:
    global _gate
    _gate = gate


def _run(job: tuple[Any, ...]) -> Any:
    work, *given = job
    meet()
    try:
        return work(*given)
    finally:
        connections.close_all()


@contextmanager
def empty_database(folder: Path) -> Iterator[dict[str, str]]:
    """Another one on the same server, or a file: the environment that names it."""
    name = f"other_{uuid.uuid4().hex[:12]}"
    environment = {
        "SECRET_KEY": os.environ["SECRET_KEY"],
        "ENCRYPTION_KEYS": os.environ["ENCRYPTION_KEYS"],
        "STATE_DIRECTORY": str(folder),
        "DOCKER_HOST": f"unix://{folder}/none.sock",
        "ADMIN_PASSWORD": "a password of the operator",
        "BROKER_PASSWORD": "a password of the platform",
    }
    if connection.vendor == "sqlite":
        yield {**environment, "DATABASE_PATH": str(folder / f"{name}.sqlite3")}
        return
    uri = urlsplit(os.environ["DATABASE_URI"])._replace(path=f"/{name}")
    _say(f"CREATE DATABASE {name}")
    try:
        yield {**environment, "DATABASE_URI": uri.geturl()}
    finally:
        force = " WITH (FORCE)" if connection.vendor == "postgresql" else ""
        _say(f"DROP DATABASE {name}{force}")


def _say(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def begin(environment: Mapping[str, str], *arguments: str) -> "subprocess.Popen[str]":
    """A Python with that environment and nothing of ours."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a management command to its end; return what it says."""
    process = begin(environment, "manage.py", *arguments)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    return said


def ask(environment: Mapping[str, str], code: str) -> str:
    """Run Python with Django set up; return what it prints."""
    setup = "import django; django.setup()\n"
    settings = {"DJANGO_SETTINGS_MODULE": "brokersite.settings"}
    process = begin({**settings, **environment}, "-c", setup + code)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    return said
