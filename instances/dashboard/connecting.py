"""How one connects to a service instance, and what one can ask for: without secrets."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from instances.engines import find_configurable
from instances.models import ServiceInstance

CLIENTS = {
    "mariadb": "mariadb --host={host} --port={port} --user=USERNAME --password {name}",
    "postgres": "psql 'host={host} port={port} user=USERNAME dbname={name}'",
    "redis": "redis-cli -h {host} -p {port} --user USERNAME --askpass",
}
"""By engine: the field's own client, which asks for the password."""
LOCAL_PORTS = {"mariadb": 13306, "postgres": 15432, "redis": 16379}


@dataclass(frozen=True)
class Way:
    title: str
    text: str
    command: str


def ways(row: ServiceInstance) -> list[Way]:
    """For the instance as it is: none while it has no address."""
    made = row.container
    if made is None or made.port is None or row.state != ServiceInstance.State.READY:
        return []
    return list(_ways(row, made.host.database_host, made.port))


def _ways(row: ServiceInstance, host: str, port: int) -> Iterator[Way]:
    name, engine = shlex.quote(str(row)), row.plan.offering.engine
    yield Way(
        "An app",
        "The app gets a login of its own, in VCAP_SERVICES.",
        f"cf bind-service MY-APP {name}\ncf restage MY-APP",
    )
    yield Way("What it finds there", _shared(engine), _variable(row))
    yield Way(
        "A login by hand",
        "A service key is a login for a person; delete it when it is not needed.",
        f"cf create-service-key {name} MY-KEY\ncf service-key {name} MY-KEY",
    )
    client = CLIENTS.get(engine)
    if client is None:
        return
    yield Way(
        "With a client, where the address is open to it",
        "USERNAME and the password are in the service key.",
        client.format(host=host, port=port, name=row.database),
    )
    local = LOCAL_PORTS[engine]
    tunnelled = client.format(host="127.0.0.1", port=local, name=row.database)
    yield Way(
        "From your own computer, through an app",
        "The first command stays open; the second one goes into another terminal.",
        f"cf ssh MY-APP -N -L {local}:{host}:{port}\n{tunnelled}",
    )


def _shared(engine: str) -> str:
    if find_configurable(engine):
        return "All bindings of this service instance share the same login."
    return "Each binding has a user of its own, which goes with the binding."


def _variable(row: ServiceInstance) -> str:
    is_known = row.plan.offering.engine in CLIENTS
    keys = ("uri", "hostname", "port", "name", "username", "password")
    credentials = dict.fromkeys(keys, "…") if is_known else {"…": "…"}
    document = {
        row.plan.offering.name: [{"name": str(row), "credentials": credentials}]
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def wishes(row: ServiceInstance) -> list[Way]:
    """What cf can ask of the broker besides, if the plan lets it."""
    if row.state != ServiceInstance.State.READY:
        return []
    return list(_wishes(row))


def _wishes(row: ServiceInstance) -> Iterator[Way]:
    name, plan = shlex.quote(str(row)), row.plan
    if plan.offering.plan_updateable:
        yield Way(
            "Another plan",
            "cf marketplace shows what there is.",
            f"cf update-service {name} -p PLAN",
        )
    if not plan.backup_by_developer or find_configurable(plan.offering.engine):
        return
    update = f"cf update-service {name} -c"
    offering = f"{shlex.quote(plan.offering.name)} {shlex.quote(plan.name)}"
    yield Way(
        "A backup now",
        "It is listed above once it was proved.",
        f"{update} {_json(backup={'note': 'before the migration'})}",
    )
    yield Way(
        "Go back to a backup",
        "Replaces the data; a backup of now is taken first. “latest”, or an id.",
        f"{update} {_json(restore={'backup': 'latest'})}",
    )
    wanted = _json(restore_from={"instance": row.guid, "backup": "latest"})
    yield Way(
        "A copy of it",
        "A new service instance that begins with the data of a backup.",
        f"cf create-service {offering} COPY -c {wanted}",
    )


def _json(**wish: Any) -> str:
    return shlex.quote(json.dumps(wish))
