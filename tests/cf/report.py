"""The tables that are printed in the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.cf.ledger import Ledger, Phase
from tests.cf.staging import Droplet

HEADINGS = ("phase", "s", "requests", "retries", "failed", "slowest s", "operations")


@dataclass
class Report:
    database: str
    ledger: Ledger = field(default_factory=Ledger)
    droplets: list[Droplet] = field(default_factory=list)
    memory: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """By process and moment, of each instance, in MiB."""
    starts_s: dict[str, list[float]] = field(default_factory=dict)
    stops_s: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    checks: int = 0
    connections: int = 0

    def check(self, is_so: bool, fault: str) -> None:
        self.checks += 1
        if not is_so:
            self.faults.append(fault)

    def print(self) -> None:
        print(f"\n## cf push on {self.database}\n")
        for line in table(HEADINGS, [_cells(phase) for phase in self.ledger.phases]):
            print(line)
        print()
        for droplet in self.droplets:
            print(
                f"{droplet.image}: {droplet.files} files pushed, {droplet.size_mb} MB"
                f" staged in {droplet.staged_s:.0f} s"
            )
        for kind, seconds in self.starts_s.items():
            print(f"{kind} started and ready after {_spread(seconds)} s")
        for kind, seconds in self.stops_s.items():
            print(f"{kind} stopped {_spread(seconds)} s after SIGTERM")
        for kind, moments in self.memory.items():
            told = (f"{_spread(used)} {moment}" for moment, used in moments.items())
            print(f"{kind} uses MiB: {', '.join(told)}")
        print(f"connections to the broker's database: {self.connections} at most seen")
        for phase in self.ledger.phases:
            for failure in phase.failures[:8]:
                print(f"failed while {phase.name}: {failure[:300]}")
        for fault in self.faults:
            print(f"FAULT: {fault}")


def _cells(phase: Phase) -> list[str]:
    operations = ", ".join(
        f"{n} {kind}" for kind, n in sorted(phase.operations.items())
    )
    failed = str(len(phase.failures))
    if phase.allowed:
        failed += f" (of {phase.allowed} allowed)"
    numbers = [f"{phase.seconds:.0f}", str(phase.requests), str(phase.retries), failed]
    return [phase.name, *numbers, f"{phase.slowest_s:.1f}", operations or "-"]


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = [headings, ["-" * width for width in widths], *rows]
    return [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]


def _spread(figures: Sequence[float]) -> str:
    low, high = min(figures), max(figures)
    return f"{median(figures):.1f} ({low:.1f} to {high:.1f})"
