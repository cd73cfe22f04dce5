"""python -m bench: measure, print a table, leave nothing behind."""

import argparse
import os
import platform
import signal
import sys
import traceback
from datetime import date
from pathlib import Path

from bench import (
    backup,
    bind,
    burst,
    console,
    memory,
    ports,
    provision,
    reconcile,
    requests,
)
from bench.clients import interrupted
from bench.report import Row, markdown

MEASUREMENTS = {
    "provision": provision.measure,
    "burst": burst.measure,
    "bind": bind.measure,
    "requests": requests.measure,
    "memory": memory.measure,
    "console": console.measure,
    "reconcile": reconcile.measure,
    "ports": ports.measure,
    "backup": backup.measure,
    "large-backup": backup.measure_large,
}
LONG = {"backup", "large-backup"}
"""Only measured if they are asked for."""


def main() -> int:
    options = _options()
    # As an exception, so that whatever was started is removed.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    rows: list[Row] = []
    code = 0
    for name in options.only:
        print(f"measuring {name} …", file=sys.stderr)
        try:
            for row in MEASUREMENTS[name](options.rounds):
                print("  " + "  ".join(row.cells()), file=sys.stderr)
                rows.append(row)
        except KeyboardInterrupt:
            return 130
        except Exception:
            # The others are worth their while.
            traceback.print_exc()
            code = 1
    text = f"{_circumstances(options.rounds)}\n\n{markdown(rows)}\n"
    print(text)
    if options.write:
        options.write.write_text(text)
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="of each kind")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=MEASUREMENTS,
        default=[name for name in MEASUREMENTS if name not in LONG],
    )
    parser.add_argument("--write", type=Path, help="put the table there too")
    return parser.parse_args()


def _interrupt(*_: object) -> None:
    """Once: a second Ctrl-C must not interrupt the cleaning."""
    print("Stopping …", file=sys.stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    interrupted.set()
    raise KeyboardInterrupt


def _circumstances(rounds: int) -> str:
    python = platform.python_version()
    return f"{date.today()}: {os.cpu_count()} cores, Python {python}, {rounds} rounds"


if __name__ == "__main__":
    sys.exit(main())
