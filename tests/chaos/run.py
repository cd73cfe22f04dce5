"""One run: a history under faults, the settling, and what is printed of it."""

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import clones, quiet
from tests.chaos.crowd import Crowd, Plan
from tests.chaos.evidence import gather
from tests.chaos.finding import KINDS, Finding
from tests.chaos.history import History
from tests.chaos.keeping import keep
from tests.chaos.lab import Lab, Site, wait_until_served
from tests.chaos.nemesis import Nemesis
from tests.chaos.platform import Platform
from tests.chaos.settling import settle
from tests.chaos.watcher import Watcher


@dataclass
class Score:
    plan: Plan
    history: History
    findings: list[Finding]
    settle_s: float
    took_s: float
    faults: Counter[str] = field(default_factory=Counter)
    broken_calls: int = 0
    """Calls to Docker that a rule has got."""
    kept_by_docker: int = 0
    """Ports that Docker keeps for nobody, after it was killed."""
    database: str = "sqlite"
    story: str = ""

    @property
    def is_good(self) -> bool:
        return not self.findings

    def line(self) -> str:
        counted = Counter(finding.kind for finding in self.findings)
        parts = {
            "ops": self.history.operations,
            "faults": self.faults.total(),
            "broken_calls": self.broken_calls,
            "instances": len(self.history.instances),
            "errors": self.history.errors,
            "took_s": round(self.took_s),
            "settle_s": round(self.settle_s),
            "kept_by_docker": self.kept_by_docker,
            **{kind: counted[kind] for kind in KINDS},
        }
        words = " ".join(f"{name}={value}" for name, value in parts.items())
        end = "ok" if self.is_good else "FAILED"
        return f"chaos: {words} {end} database={self.database} seed={self.plan.seed}"


def run(
    lab: Lab,
    plan: Plan,
    *,
    faults: int,
    database: str = "sqlite",
    standbys: dict[str, int] | None = None,
    folder: Path | None = None,
) -> Score:
    """With a folder, all is kept there for whoever looks into it."""
    history = History()
    with Site(lab.daemons, kind=database, standbys=standbys) as site:
        wait_until_served(Platform(site.ports).is_there)
        crowd = Crowd(site, history, plan)
        nemesis = Nemesis(site, history, crowd, seed=plan.seed, faults=faults)
        began = time.monotonic()
        with Watcher(site, history) as watcher:
            nemesis.start(plan.operations)
            crowd.run()
            nemesis.end()
        took_s = time.monotonic() - began
        settle_s, found = settle(site, history)
        if not found:
            # They begin instances and delete them: all has to be well after that, too.
            found = clones.findings(site, history, seed=plan.seed)
            found += settle(site, history)[1] + quiet.findings(site)
        found += watcher.resources.findings()
        broken = [c for d in lab.daemons for c in d.proxy.calls if c.action]
        score = Score(
            plan, history, found, settle_s, took_s, nemesis.done, database=database
        )
        score.broken_calls = len(broken)
        score.kept_by_docker = kept_ports(site)
        if found:
            score.story = story(site, history, found)
        if folder is not None:
            keep(site, history, folder)
        return score


def kept_ports(site: Site) -> int:
    """Those that the broker says nobody gets, as something is there (F132)."""
    evidence = gather(site)
    return sum(len(evidence.kept_ports(host.key)) for host in evidence.hosts)


def story(site: Site, history: History, found: list[Finding]) -> str:
    """What has happened to those that something is wrong with, in order of time."""
    lines = [str(finding) for finding in found]
    for guid in dict.fromkeys(finding.about for finding in found if finding.about):
        lines += ["", f"== {guid}", *_told(site, history, guid)]
    return "\n".join(lines)


def _told(site: Site, history: History, guid: str) -> list[str]:
    evidence = gather(site)
    mine = {row["id"] for row in evidence.rows["instances"] if row["guid"] == guid}
    keys = {r["container_id"] for r in evidence.rows["instances"] if r["guid"] == guid}
    keys |= {r["id"] for r in evidence.rows["containers"] if r["succeeds_id"] in keys}
    said = [
        (line.at, f"{line.who}: {line.text}")
        for line in history.lines
        if line.about == guid or (line.who == "nemesis" and not line.about)
    ]
    said += [
        (call.at, f"{daemon.name}: {call}")
        for daemon in site.daemons
        for call in daemon.proxy.calls
        if any(key and key in call.path for key in keys) and call.method != "GET"
    ]
    lines = [f"{_clock(at)} {text}" for at, text in sorted(said)]
    rows = [row for row in evidence.rows["operations"] if row["instance_id"] in mine]
    lines += [str({k: v for k, v in row.items() if v}) for row in rows]
    logs = site.logs()
    for key in (*mine, *(row["id"] for row in rows)):
        dashed = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
        for name, log in logs.items():
            lines += [f"{name}: {x}" for x in log.splitlines() if dashed in x]
    return list(dict.fromkeys(lines))


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}"
