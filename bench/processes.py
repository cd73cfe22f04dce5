"""The processes that a measurement starts, and what they have used."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.plans import ROOT

START_LIMIT_S = 30.0
STOP_LIMIT_S = 12.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def start(
    stack: ExitStack, log: Path, environment: dict[str, str], *arguments: str
) -> int:
    """Start Python with the arguments until the stack unwinds; return its id."""
    output = stack.enter_context(log.open("ab"))
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=output,
        stderr=output,
        # A Ctrl-C is for the bench, which ends its processes in order.
        start_new_session=True,
    )
    stack.callback(_stop, process)
    return process.pid


def gunicorn(application: str, port: int) -> list[str]:
    """Arguments for the application with the settings of the Procfile."""
    web = next(
        line
        for line in (ROOT / "Procfile").read_text().splitlines()
        if line.startswith("web:")
    )
    command = web.rpartition("exec gunicorn ")[2]
    command = command.replace("0.0.0.0:$PORT", f"127.0.0.1:{port}")
    command = command.replace("brokersite.wsgi", application, 1)
    return ["-m", "gunicorn", *shlex.split(command)]


def workers_cpu_s(master: int) -> float:
    """Processor time that the children of a process have used until now.

    Raise RuntimeError where there is no /proc to read it from, or no child.
    """
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name, which may contain blanks: state, parent …
            fields = stat.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == master:
            used += int(fields[11]) + int(fields[12])
    if not used:
        raise RuntimeError(f"/proc tells of no children of process {master}")
    return used / TICKS_PER_S


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Until somebody listens. Raise TimeoutError."""
    deadline = time.monotonic() + START_LIMIT_S
    while not listens(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody listens on port {port}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        pass
    try:
        # By group: gunicorn's own workers must not stay behind.
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
