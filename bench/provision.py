"""From a platform's wish to an app's first answer, beside the bare Docker calls.

Both kinds alternate in one run, so that a noisy machine is noisy for both.
"""

import os
import time
import uuid
from collections import defaultdict
from statistics import median

import yaml

from bench.floor import Floor, log_in
from bench.site import ROOT, Site
from instances.management.platform import Instance, Platform

Timings = dict[str, list[float]]
BROKER, FLOOR = "broker, over HTTP", "bare Docker calls"


def measure(*, rounds: int) -> str:
    """Run both kinds in turn; return the table. The first round warms up."""
    offering = yaml.safe_load((ROOT / "catalog.yml").read_text())["offerings"][0]
    plan = offering["plans"][0]
    timings: Timings = defaultdict(list)
    with Site() as site:
        platform = site.platform()
        floor = Floor(plan["image"], memory_mb=plan["memory_mb"], pids=plan["pids"])
        for number in range(rounds + 1):
            seen: Timings = timings if number else defaultdict(list)
            time_broker(platform, offering["id"], plan["id"], seen)
            seen[FLOOR].append(floor.measure())
    return table(timings, rounds)


def time_broker(
    platform: Platform, offering_id: str, plan_id: str, timings: Timings
) -> None:
    instance, binding = Instance(platform, offering_id, plan_id, "bench"), uuid.uuid4()
    started_at = time.monotonic()
    instance.wait_for(instance.provision())
    ready_at = time.monotonic()
    credentials = instance.bind(str(binding))
    bound_at = time.monotonic()
    names = ("port", "username", "password", "name")
    with log_in(*(credentials[name] for name in names)):
        answered_at = time.monotonic()
    instance.unbind(str(binding))
    unbound_at = time.monotonic()
    instance.wait_for(instance.deprovision())
    timings[BROKER].append(answered_at - started_at)
    timings["  of which provision"].append(ready_at - started_at)
    timings["  of which bind"].append(bound_at - ready_at)
    timings["  of which first query"].append(answered_at - bound_at)
    timings["unbind"].append(unbound_at - answered_at)
    timings["deprovision"].append(time.monotonic() - unbound_at)


def table(timings: Timings, rounds: int) -> str:
    lines = [
        f"wish to first query, {rounds} rounds of each in turn, {os.cpu_count()} cores",
        f"{'milliseconds':24}{'p50':>8}{'min':>8}{'max':>8}",
    ]
    for name, seconds in timings.items():
        shown = (median(seconds), min(seconds), max(seconds))
        lines.append(f"{name:24}" + "".join(f"{1000 * s:8.0f}" for s in shown))
    ratio = median(timings[BROKER]) / median(timings[FLOOR])
    return "\n".join([*lines, f"broker / bare, ratio of medians: {ratio:.2f}"])
