"""A world in memory: container hosts, their databases, and what goes wrong there."""

from tests.fakes.engine import Refused
from tests.fakes.faults import AFTER, BEFORE, Crash, Faults, Late
from tests.fakes.machine import IMAGE
from tests.fakes.rows import OFFERING_ID, PLAN_ID, make_host, make_plan
from tests.fakes.world import (
    ADDRESS,
    URL,
    WORKER,
    FakeWorld,
    World,
    check_invariants,
    claim,
    drain,
    expire_leases,
)

__all__ = [
    "ADDRESS",
    "AFTER",
    "BEFORE",
    "IMAGE",
    "OFFERING_ID",
    "PLAN_ID",
    "URL",
    "WORKER",
    "Crash",
    "FakeWorld",
    "Faults",
    "Late",
    "Refused",
    "World",
    "check_invariants",
    "claim",
    "drain",
    "expire_leases",
    "make_host",
    "make_plan",
]
