"""Force a deprovision: what it would do, and the wish."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from instances import errors, transactions
from instances.models import (
    Actor,
    AuditEvent,
    Backup,
    BackupCopy,
    Container,
    DockerHost,
    Operation,
    ServiceInstance,
)
from instances.operations import back_up, deprovision
from instances.operations.levels import RANKS, Level, level_of


@transactions.repeated
def accept(
    instance: ServiceInstance,
    level: Level,
    *,
    actor: Actor,
    reason: str,
    with_backup: bool = True,
    owner: str = "",
) -> tuple[Operation, bool]:
    """Record the wish, or raise the level of the deprovision that is under way.

    Return the operation and whether that has changed anything. Raise Gone, and
    InvalidRequest for a host that answers, whose databases are not to be forgotten.
    """
    if level == Level.FORGET and not lost_hosts(instance):
        raise errors.InvalidRequest(
            "Its Docker host answers, so that nothing has to be forgotten: force is "
            "enough."
        )
    is_kept = with_backup and level != Level.FORGET
    with transaction.atomic():
        operation, is_new = deprovision.accept(
            instance, actor=actor, owner=owner, with_backup=is_kept
        )
        if RANKS[level_of(operation)] >= RANKS[level]:
            return operation, is_new
        # Not by write(): whoever runs it reads the level when something fails.
        rows = Operation.objects.unfinished().filter(pk=operation.pk)
        request = {**operation.request, "level": level.value}
        rows.update(request=request, not_before=Now())
        operation.refresh_from_db()
        AuditEvent.record(actor, f"deprovision: {level.value}", instance, reason=reason)
        return operation, True


def lost_hosts(instance: ServiceInstance) -> list[DockerHost]:
    """The hosts of its containers that do not answer now."""
    hosts = {row.host_id: row.host for row in containers_of(instance)}
    return [row for row in hosts.values() if row.problem or row.is_quarantined]


def containers_of(instance: ServiceInstance) -> list[Container]:
    """Its own, and what is to take its place; without secrets."""
    rows = Container.objects.exclude(state=Container.State.GONE)
    own = rows.filter(instance=instance)
    coming = rows.filter(succeeds__instance=instance)
    secrets = ("admin_secret", "first_secret", "next_secret")
    keys = ("host__tls_key", "host__ssh_key")
    return [
        container
        for found in (own, coming)
        for container in found.select_related("host", "lease").defer(*secrets, *keys)
    ]


@dataclass
class Preview:
    """What each level would do, in sentences."""

    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What cannot be removed, and why."""
    backups: list[str] = field(default_factory=list)
    platform: list[str] = field(default_factory=list)
    """What the platform goes on believing."""


def preview(instance: ServiceInstance) -> Preview:
    found = Preview()
    for row in containers_of(instance):
        port = f", port {row.port}" if row.port else ""
        what = f"container {row.name} on {row.host}{port}"
        if row.host.is_quarantined:
            found.left.append(f"{what}: another Docker Engine answers there")
        elif row.host.problem:
            found.left.append(f"{what}: {row.host.problem}")
        else:
            found.removed.append(what)
    bound = instance.bindings.filter(live_key__isnull=False).count()
    found.removed.append(f"{bound} bindings, in the broker's rows")
    found.backups += _fate_of_backups(instance, is_lost=bool(found.left))
    if instance.live_key:
        found.platform += _beliefs(instance, bound)
    return found


def _fate_of_backups(instance: ServiceInstance, *, is_lost: bool) -> Iterator[str]:
    usable = Backup.objects.usable().filter(instance=instance)
    number = usable.count()
    if not number:
        yield "There is no verified backup: the data will be gone."
    else:
        yield f"{number} verified ones stay, as long as retention keeps them."
    lost = _only_on_lost_hosts(usable)
    if lost:
        yield f"{lost} of them are on a host that does not answer, and nowhere else."
    days = instance.plan.final_backup_days
    if not days or not back_up.is_possible(instance):
        yield "The plan keeps no final backup."
    elif is_lost:
        yield "A final backup cannot be taken: the host does not answer."
    else:
        yield f"A final backup is tried first, and kept {days} days."


def _only_on_lost_hosts(usable: QuerySet[Backup]) -> int:
    rows = usable.exclude(host__problem="")
    copied = BackupCopy.objects.filter(
        Q(host=None) | Q(host__problem=""), state=BackupCopy.State.READY
    )
    return rows.exclude(pk__in=copied.values("backup")).count()


def _beliefs(instance: ServiceInstance, bound: int) -> Iterator[str]:
    yield f"a service instance with GUID {instance.guid}, and {bound} bindings"
    yield (
        "that it works: its apps keep their credentials, which then lead nowhere. "
        "cf delete-service is answered as done at once; where even that does not "
        f"help: cf purge-service-instance {instance}"
    )
