"""What is kept of a run for whoever looks into it: `--keep FOLDER`."""

import json
from pathlib import Path

from tests.chaos.evidence import gather
from tests.chaos.history import History
from tests.chaos.lab import Site


def keep(site: Site, history: History, folder: Path) -> None:
    """The history, the calls to Docker, the rows, and the logs."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = sorted(history.lines, key=lambda line: line.at)
    told = [f"{line.at:.3f} {line.who} {line.about} {line.text}" for line in lines]
    (folder / "history.txt").write_text("\n".join(told))
    for daemon in site.daemons:
        calls = [f"{call.at:.3f} {call}" for call in daemon.proxy.calls]
        (folder / f"calls-{daemon.name}.txt").write_text("\n".join(calls))
        log = daemon.root / "log"
        (folder / f"dockerd-{daemon.name}.log").write_bytes(log.read_bytes())
    rows = json.dumps(gather(site).rows, default=str, indent=1)
    (folder / "rows.json").write_text(rows)
    for name, log_text in site.logs().items():
        (folder / f"{name}.log").write_text(log_text)
