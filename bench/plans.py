"""The shipped plans, one of each engine, and their twins that keep no standbys."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from bench.engines import ENGINES

ROOT = Path(__file__).resolve().parent.parent
STANDBYS = 1
"""As in the shipped catalog."""

NO_BACKUP = {"final_backup_days": 0}
"""A deletion is measured beside a removal; its last backup is bench/backup.py's."""


@dataclass(frozen=True)
class Plan:
    """A plan of the site's catalog, with what its containers get."""

    engine: str
    offering_id: str
    plan_id: str
    """The plan that keeps standbys, if the site keeps any."""
    cold_id: str
    """Its twin, which keeps none."""
    image: str
    memory_mb: int
    cpus: Decimal
    pids: int


def load() -> list[Plan]:
    """The first plan of each offering whose engine has a floor."""
    return [
        Plan(
            engine=offering["engine"],
            offering_id=offering["id"],
            plan_id=plan["id"],
            cold_id=_twin(plan["id"]),
            image=plan["image"],
            memory_mb=plan["memory_mb"],
            cpus=Decimal(plan["cpus"]),
            pids=plan["pids"],
        )
        for offering, plan in _entries()
    ]


def catalog(*, standbys: int) -> str:
    """A file for loadcatalog: the twins, and how many standbys the others keep."""
    offerings = [
        {
            "id": offering["id"],
            "plans": [
                {"id": plan["id"], "standby": standbys, **NO_BACKUP},
                {
                    **plan,
                    "id": _twin(plan["id"]),
                    "name": "cold",
                    "standby": 0,
                    **NO_BACKUP,
                },
            ],
        }
        for offering, plan in _entries()
    ]
    return yaml.safe_dump({"offerings": offerings})


def _entries() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    offerings = yaml.safe_load((ROOT / "catalog.yml").read_text())["offerings"]
    known = [offering for offering in offerings if offering["engine"] in ENGINES]
    return [(offering, offering["plans"][0]) for offering in known]


def _twin(plan_id: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, plan_id))
