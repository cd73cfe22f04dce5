"""Memory and open files of the product's processes: neither grows for ever."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.finding import Finding
from tests.chaos.lab import Site

WARM_S = 25.0
"""By then a process has read its code and done each kind of work."""
LONG_S = 90.0
"""What is younger proves nothing."""
GROWTH = 1.3
MEMORY_SLACK_MB, FILES_SLACK = 30, 40
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class Use:
    at: float
    memory_mb: float
    files: int


@dataclass
class Life:
    """One process from its start to its end, with all that it has forked."""

    name: str
    began: float
    warm: Use | None = None
    last: Use | None = None

    def note(self, use: Use) -> None:
        self.last = use
        if self.warm is None and use.at - self.began > WARM_S:
            self.warm = use

    def findings(self) -> Iterator[Finding]:
        warm, last = self.warm, self.last
        if warm is None or last is None or last.at - self.began < LONG_S:
            return
        if last.memory_mb > GROWTH * warm.memory_mb + MEMORY_SLACK_MB:
            said = f"{warm.memory_mb:.0f} MB, and {last.memory_mb:.0f} MB in the end"
            yield Finding("grown", "", f"{self.name}: {said}")
        if last.files > GROWTH * warm.files + FILES_SLACK:
            said = f"{warm.files} open files, and {last.files} in the end"
            yield Finding("grown", "", f"{self.name}: {said}")


class Resources:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._lives: dict[int, Life] = {}
        self.seen = 0

    def look(self) -> None:
        now, groups = time.monotonic(), _groups()
        for process in self._site.processes:
            pids = groups.get(process.pid, [])
            if not pids:
                continue
            life = self._lives.setdefault(process.pid, Life(process.name, now))
            life.note(_use(pids, now))
            self.seen += 1

    def findings(self) -> list[Finding]:
        return [found for life in self._lives.values() for found in life.findings()]


def _groups() -> dict[int, list[int]]:
    """The processes of each group."""
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                found.setdefault(int(stat[2]), []).append(int(folder.name))
    return found


def _use(pids: list[int], now: float) -> Use:
    memory_mb, files = 0.0, 0
    for pid in pids:
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            memory_mb += pages * PAGE_MB
            files += len(os.listdir(f"/proc/{pid}/fd"))
    return Use(now, memory_mb, files)
