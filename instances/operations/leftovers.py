"""Leftovers: what of this broker is on a host, and why it is there still."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Model

from instances import errors
from instances.models import (
    Backup,
    BackupCopy,
    Container,
    DockerHost,
    Kind,
    Operation,
    ServiceInstance,
)
from instances.models.backup_copy import ENDED
from instances.operations import drain_backups, move
from instances.rooms import Room, survey

_STATES: dict[str, str] = {
    Container.State.STARTING: "it is starting",
    Container.State.STANDBY: "a standby: it is given up",
    Container.State.SCRATCH: "the proof of a backup: it ends by itself",
    Container.State.RETIRING: "it is being removed",
}
_TAKING, _COMMITTED = Backup.State.TAKING, Backup.State.COMMITTED
SECRETS = (
    *("container__admin_secret", "container__host__tls_key"),
    "container__host__ssh_key",
)
"""Nothing of this opens a database."""
HELD = (_TAKING, _COMMITTED, Backup.State.VERIFIED)


@dataclass(frozen=True)
class Leftover:
    row: Model
    why: str
    is_stuck: bool = False
    """Whether it stays until somebody does something."""


def of(host: DockerHost) -> list[Leftover]:
    """Everything; a host without any can be removed."""
    return [*_instances(host), *_containers(host), *_backups(host), *_copies(host)]


def is_empty(host: DockerHost) -> bool:
    """Whether of() would be empty, and quicker."""
    return not (
        host.containers.exclude(state=Container.State.GONE).exists()
        or host.backups.filter(state__in=HELD).exists()
        or host.backups.leftover().exists()
        or host.backup_copies.exclude(state__in=ENDED).exists()
    )


def _instances(host: DockerHost) -> Iterator[Leftover]:
    rooms = survey()
    rows = ServiceInstance.objects.filter(container__host=host)
    rows = rows.exclude(state=ServiceInstance.State.GONE)
    related = ("plan__offering", "container__host", "container__plan")
    rows = rows.select_related(*related).defer(*SECRETS)
    for instance in rows.order_by("created_at"):
        yield _instance(instance, rooms)


def _instance(instance: ServiceInstance, rooms: list[Room]) -> Leftover:
    under_way = Operation.objects.unfinished().filter(exclusive_instance=instance)
    operation = under_way.first()
    if operation is not None:
        doing = operation.last_step or "waits for a worker"
        return Leftover(instance, f"{operation.get_kind_display().lower()}: {doing}")
    try:
        move.check(instance)
        move.check_place(instance, None, rooms)
    except errors.BrokerError as error:
        words = dict.fromkeys((str(error), error.detail))
        return Leftover(instance, " ".join(words), is_stuck=True)
    since = instance.container.host.drain_since if instance.container else None
    if since is None:
        return Leftover(instance, "it serves here: drain it, or move this one")
    last = instance.operations.filter(kind=Kind.MOVE).order_by("-created_at").first()
    if last is None or last.created_at < since:
        return Leftover(instance, "waits for its turn")
    if last.state == Operation.State.FAILED:
        why = f"its move has failed, and is tried again: {last.detail or last.error}"
        return Leftover(instance, why)
    return Leftover(instance, "waits for its turn")


def _containers(host: DockerHost) -> Iterator[Leftover]:
    """Those that no service instance has."""
    rows = host.containers.filter(instance=None).exclude(state=Container.State.GONE)
    for row in rows.defer("admin_secret").order_by("created_at"):
        yield Leftover(row, _STATES.get(row.state, row.get_state_display()))


def _backups(host: DockerHost) -> Iterator[Leftover]:
    kept = host.backups.filter(state__in=HELD)
    going = host.backups.leftover()
    for backup in (kept | going).select_related("instance__container__host"):
        yield _backup(backup, host)


def _backup(backup: Backup, host: DockerHost) -> Leftover:
    if backup.state == _TAKING:
        return Leftover(backup, "it is being taken")
    if backup.state == _COMMITTED:
        return Leftover(backup, "it is being proved")
    if backup.state != Backup.State.VERIFIED:
        return Leftover(backup, "it is being removed")
    copy = backup.copies.exclude(host=host).exclude(state__in=ENDED).first()
    if copy is not None and copy.is_under_way:
        return Leftover(backup, f"copied to {copy.where}: {copy.progress or 'waits'}")
    if copy is not None and copy.host is not None:
        return Leftover(backup, f"its copy on {copy.host} takes its place")
    target = drain_backups.target_for(backup, host)
    if target is None:
        return Leftover(backup, "no other host has room on its disk", is_stuck=True)
    failed = backup.copies.filter(state=BackupCopy.State.FAILED).first()
    if failed is not None:
        why = f"its copy has failed, and is tried again: {failed.error}"
        return Leftover(backup, why)
    return Leftover(backup, f"to be copied to {target}")


def _copies(host: DockerHost) -> Iterator[Leftover]:
    rows = host.backup_copies.exclude(state__in=ENDED)
    for copy in rows.select_related("backup__instance"):
        yield Leftover(copy.backup, f"a copy: {copy.get_state_display()}")
