"""Kill, or stop, the process just before or after a named call, once.

A test arms a point by writing "NAME:before:SIGKILL" into the file `armed` of the
state directory; whichever process gets there first removes the file and sends
itself the signal.
"""

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from instances import placement
from instances.containers.docker import DockerContainerHost
from instances.engines.mariadb import MariaDB
from instances.models import Operation, PortLease
from instances.models.container import ContainerQuerySet
from instances.operations import proof

POINTS: dict[str, tuple[Any, str]] = {
    "place": (placement, "place"),
    "create": (DockerContainerHost, "create"),
    "start": (DockerContainerHost, "start"),
    "stop": (DockerContainerHost, "stop"),
    "read_archive": (DockerContainerHost, "read_archive"),
    "write_archive": (DockerContainerHost, "write_archive"),
    "remove": (DockerContainerHost, "remove"),
    "commit": (DockerContainerHost, "commit"),
    "count": (proof, "_counted"),
    "check": (MariaDB, "check"),
    "leave_witness": (MariaDB, "leave_witness"),
    "create_database": (MariaDB, "create_database"),
    "create_user": (MariaDB, "create_user"),
    "drop_user": (MariaDB, "drop_user"),
    "users": (MariaDB, "users"),
    "succeed": (Operation, "succeed"),
    "release": (PortLease, "release"),
    "mark_gone": (ContainerQuerySet, "mark_gone"),
}


# Stops the process from outside while no thread of it can hold SQLite's write lock,
# which else would stop everybody and not only this process. It looks for the stop only
# for a while: the test may have let the process go on before it has looked.
_STOP = """
import os, signal, sqlite3, sys, time
lock = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
lock.execute("BEGIN IMMEDIATE")
os.kill(int(sys.argv[2]), signal.SIGSTOP)
for _ in range(100):
    if open(f"/proc/{sys.argv[2]}/stat").read().rpartition(") ")[2][0] == "T":
        break
    time.sleep(0.01)
"""


def install() -> None:
    for name, (owner, attribute) in POINTS.items():
        setattr(owner, attribute, _watched(name, getattr(owner, attribute)))


def _watched(name: str, call: Any) -> Any:
    @functools.wraps(call)
    def watched(*args: Any, **kwargs: Any) -> Any:
        _pass(f"{name}:before")
        result = call(*args, **kwargs)
        _pass(f"{name}:after")
        return result

    return watched


def _pass(point: str) -> None:
    armed = Path(os.environ["STATE_DIRECTORY"]) / "armed"
    try:
        wanted, _, signal_name = armed.read_text().rpartition(":")
        if wanted == point:
            armed.unlink()
            if signal_name == "SIGSTOP":
                command = [sys.executable, "-c", _STOP, os.environ["DATABASE_PATH"]]
                subprocess.run([*command, str(os.getpid())], check=True)
            else:
                os.kill(os.getpid(), signal.Signals[signal_name])
    except FileNotFoundError:
        pass
