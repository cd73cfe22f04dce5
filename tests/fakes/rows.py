"""The rows that most tests start from."""

from typing import Any

from instances.models import DockerHost, ServiceOffering, ServicePlan
from tests.fakes.machine import IMAGE

OFFERING_ID = "offering-1"
PLAN_ID = "plan-1"


def make_plan(plan_id: str = PLAN_ID, **fields: Any) -> ServicePlan:
    """A plan of the one offering, which is made when there is none."""
    offering, _ = ServiceOffering.objects.get_or_create(
        id=OFFERING_ID,
        defaults={
            "name": "mysql-docker",
            "description": "A database",
            "engine": "mariadb",
        },
    )
    defaults = {"name": plan_id, "description": "A plan", "image": IMAGE}
    return ServicePlan.objects.create(
        id=plan_id, offering=offering, **{**defaults, **fields}
    )


def make_host(name: str = "one", **fields: Any) -> DockerHost:
    """An active host at memory://NAME; no two share an address."""
    number = DockerHost.objects.count() + 1
    defaults = {
        "url": f"memory://{name}",
        "database_host": f"127.0.0.{number}",
        "publish_address": f"127.0.0.{number}",
        "port_min": 20000,
        "port_max": 20099,
        "memory_mb": 16384,
    }
    return DockerHost.objects.create(name=name, **{**defaults, **fields})
