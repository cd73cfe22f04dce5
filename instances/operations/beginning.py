"""Begin with a backup: a new service instance that gets another one's data.

The other one may be gone: its final backup is how a deleted database comes back.
"""

import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from instances import errors
from instances.models import Backup, Container, ServiceInstance, ServicePlan
from instances.operations import back_up, hosts, restore
from instances.operations.work import Work

READY_LIMIT_S = 600.0
"""A database that was not stopped in order reads much of its data first."""
_WHERE = "parameters: restore_from:"


def find(
    wanted: dict[str, Any],
    plan: ServicePlan,
    *,
    organization: str,
    space: str,
    is_operator: bool = False,
) -> Backup:
    """The backup that is meant. Raise InvalidRequest.

    Another organization's or space's is not there for whoever asks (FAILURES F100),
    unless it is an operator.
    """
    mine = Backup.objects.usable()
    if not is_operator:
        mine = mine.filter(
            instance__organization_guid=organization, instance__space_guid=space
        )
    if "instance" in wanted:
        mine = mine.filter(instance__guid=wanted["instance"])
    elif wanted["backup"] == "latest":
        raise errors.InvalidRequest(f"{_WHERE} instance: name it for its latest one.")
    backup = _chosen(list(mine.order_by("-taken_at")), wanted)
    if backup is None:
        raise errors.InvalidRequest(
            f"{_WHERE} this organization and space have no such verified backup."
        )
    _check_fit(backup, plan)
    return backup


def _chosen(rows: list[Backup], wanted: dict[str, Any]) -> Backup | None:
    # Databases do not all tell upper from lower case.
    guid = wanted.get("instance")
    mine = [row for row in rows if guid in (None, row.instance.guid)]
    if wanted["backup"] == "latest":
        return mine[0] if mine else None
    try:
        pk = uuid.UUID(wanted["backup"])
    except ValueError:
        return None
    return next((row for row in mine if row.pk == pk), None)


def _check_fit(backup: Backup, plan: ServicePlan) -> None:
    if backup.engine != plan.offering.engine:
        raise errors.InvalidRequest(
            f"{_WHERE} the backup is of engine {backup.engine}, "
            f"and plan {plan} is of {plan.offering.engine}."
        )
    if plan.memory_mb < backup.memory_mb:
        raise errors.InvalidRequest(
            f"{_WHERE} the backup's database had {backup.memory_mb} MiB of memory: "
            f"plan {plan} has {plan.memory_mb}."
        )


def is_half_filled(container: Container) -> bool:
    """Whether an earlier attempt has made it and not started it: then it is gone.

    It gets no second filling: the first one may still be on its way.
    """
    host = hosts.connect(container.host)
    return host.find(container.name) is not None and host.discard(container.name)


def filler(
    work: Work, instance: ServiceInstance, container: Container
) -> Callable[[Container], None]:
    """What puts the data in before the first start; nothing if that is over."""
    backup = instance.restored_from
    if backup is None or hosts.connect(container.host).find(container.name):
        return lambda created: None
    return partial(restore.fill, work, backup)


def settle(work: Work, instance: ServiceInstance, container: Container) -> None:
    """See that it is there, and that nobody of before comes along."""
    backup = instance.restored_from
    assert backup is not None
    work.step("looking for the data")
    restore.find_witness(backup, container)
    restore.let_in(instance, container)


def wipe(instance: ServiceInstance, container: Container) -> None:
    """Take the witness out, once the rows say that the data is there."""
    backup = instance.restored_from
    assert backup is not None
    # One that stays hides nothing, and the next backup's takes its place.
    with suppress(errors.EngineUnreachable):
        back_up.remove_witness(backup, container)
