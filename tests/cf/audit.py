"""What must be true in the end: each wish carried out once, by rows and by Docker."""

import json
from collections import Counter
from typing import Any

import docker

from instances.containers import BROKER_LABEL
from tests.cf.cell import Cell
from tests.cf.load import Kept

# Run inside an instance, as over `cf ssh`.
ROWS = """
import json
from django.db.models import Count
from instances.models import *
live = ServiceInstance.objects.filter(live_key__isnull=False)
there = Container.objects.exclude(state="gone")
bindings = ServiceBinding.objects.filter(live_key__isnull=False)
print(json.dumps({
    "broker": str(Broker.this().broker_id),
    "instances": list(live.values_list("guid", "state", "container_id")),
    "bindings": list(bindings.values_list("guid", "state")),
    "operations": [[str(o.instance.guid), o.kind, o.state, str(o.binding_id or "")]
                   for o in Operation.objects.select_related("instance")],
    "containers": list(there.values_list("id", "state")),
    "workers": list(Worker.objects.alive().values_list("name", flat=True)),
}, default=str))
"""


ONCE = ("provision", "deprovision", "bind", "unbind")


def rows(cell: Cell) -> dict[str, Any]:
    printed = cell.run("python", "manage.py", "shell", "--no-imports", "-c", ROWS)
    return dict(json.loads(printed.splitlines()[-1]))


def faults(
    client: docker.DockerClient, found: dict[str, Any], kept: list[Kept]
) -> list[str]:
    """Each a sentence. Call it when nothing is asked of the broker any more."""
    return [
        *_lost(found, kept),
        *_unfinished_or_doubled(found),
        *_containers(client, found),
    ]


def _lost(found: dict[str, Any], kept: list[Kept]) -> list[str]:
    wanted = {mine.guid for mine in kept}
    there = {guid for guid, _, _ in found["instances"]}
    bound = {guid for guid, _ in found["bindings"]}
    wanted_bindings = {binding for mine in kept for binding in mine.bindings}
    said = [f"service instance {guid} is lost" for guid in wanted - there]
    said += [f"service instance {guid} was never deleted" for guid in there - wanted]
    said += [f"service binding {guid} is lost" for guid in wanted_bindings - bound]
    said += [f"service binding {guid} was left" for guid in bound - wanted_bindings]
    return said


def _unfinished_or_doubled(found: dict[str, Any]) -> list[str]:
    said = []
    succeeded: Counter[tuple[str, ...]] = Counter()
    for guid, kind, state, binding in found["operations"]:
        if state in ("queued", "running"):
            said.append(f"{kind} of {guid} is {state}")
        if state == "succeeded" and kind in ONCE:
            succeeded[guid, kind, binding] += 1
    doubled = {key: times for key, times in succeeded.items() if times > 1}
    return said + [f"{key} was done {times} times" for key, times in doubled.items()]


def _containers(client: docker.DockerClient, found: dict[str, Any]) -> list[str]:
    """One container for each service instance and each standby, and no other."""
    label = {"label": f"{BROKER_LABEL}={found['broker']}"}
    names = [c.name for c in client.containers.list(all=True, filters=label)]
    known = {f"brokersite-{pk.replace('-', '')}" for pk, _ in found["containers"]}
    used = [container for _, _, container in found["instances"]]
    said = [f"container {name} belongs to no row" for name in set(names) - known]
    said += [f"container {name} is not in Docker" for name in known - set(names)]
    if len(used) != len(set(used)):
        said.append("two service instances share a container")
    return said
