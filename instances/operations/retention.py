"""Retention: which backups go.

It is read from the rows at each pass. Never removed are the last verified one of an
instance that is there, one in use, and more than a few at once (FAILURES F96, F129).
"""

import logging
import uuid
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Min, Prefetch, Q, Sum
from django.utils import timezone

from instances import errors
from instances.models import (
    Backup,
    Container,
    DockerHost,
    Kind,
    Operation,
    ServiceInstance,
    ServicePlan,
)
from instances.models.backup_override import (
    GIB,
    BackupOverride,
    Limits,
    clock_of,
    limits_of,
    plan_clock,
    plan_limits,
)
from instances.operations import backup_images, backup_schedule

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 5
"""A wrong clock must not empty the store in one pass."""
NEEDED = (
    *("instance", "host", "state", "delta_bytes"),
    *("created_at", "taken_at", "expires_at"),
)
"""What decides of a backup, and what its removal asks for."""
_State = Backup.State


def sweep() -> None:
    """Bring backups in line with the rows. Running it twice changes nothing."""
    Backup.objects.abandoned().update(
        state=_State.FAILED, problem="what took it was ended"
    )
    for instance, going in going_soon(most=MOST_AT_ONCE):
        _expire(instance, going)
    for backup in Backup.objects.leftover().select_related("host"):
        if is_free(backup):
            backup_images.remove(backup, backup.reference)
    used = Q(backups__isnull=False) | Q(backup_copies__isnull=False)
    # Where many containers are not listed, images may not be either (FAILURES F31).
    well = DockerHost.objects.filter(used, problem="", braked_at=None)
    for host in well.distinct():
        _compare(host)
    backup_schedule.take_due()


def going_soon(
    *, within: timedelta = timedelta(), most: int | None = None
) -> list[tuple[ServiceInstance, list[Backup]]]:
    """Whose backups go now, or until then if those that come are verified."""
    usable = Backup.objects.usable().only(*NEEDED).order_by("-created_at")
    rows = ServiceInstance.objects.filter(pk__in=_in_question(within))
    rows = rows.select_related("plan__offering", "backup_override")
    found: list[tuple[ServiceInstance, list[Backup]]] = []
    for instance in rows.prefetch_related(Prefetch("backups", usable, "usable")):
        going = _expired(instance, instance.usable, within)
        if going:
            found.append((instance, going[:most]))
    return found


def _in_question(within: timedelta) -> list[uuid.UUID]:
    """Instances that may have one too many: most have not, and are not read whole."""
    now = timezone.now()
    plans = {plan.pk: plan for plan in ServicePlan.objects.all()}
    own = set(BackupOverride.objects.values_list("instance", flat=True))
    coming = {
        pk: plan_clock(plan).count_between(now, now + within)
        for pk, plan in plans.items()
    }
    totals = (
        Backup.objects.usable()
        .order_by()
        .values_list("instance", "instance__state", "instance__plan")
    )
    found = []
    for pk, state, plan, number, oldest, bytes_, expires_at in totals.annotate(
        *(Count("pk"), Min("created_at"), Sum("delta_bytes"), Min("expires_at"))
    ):
        if state != ServiceInstance.State.GONE and number == 1:
            continue
        limits, more = plan_limits(plans[plan]), coming[plan]
        is_beyond = (
            (limits.keep is not None and number + more > limits.keep)
            or (limits.days is not None and oldest < now + within - _days(limits.days))
            # Those that come are taken to be as large as all that are there.
            or (limits.gib and (bytes_ or 0) * (1 + more) > limits.gib * GIB)
            or (expires_at is not None and expires_at <= now + within)
        )
        if is_beyond or pk in own:
            found.append(pk)
    return found


def expired(
    instance: ServiceInstance,
    *,
    within: timedelta = timedelta(),
    limits: Limits | None = None,
) -> list[Backup]:
    """Those of one that go now, or until then, the oldest first; by other limits."""
    usable = list(instance.backups.usable().order_by("-created_at"))
    return _expired(instance, usable, within, limits)


def _expired(
    instance: ServiceInstance,
    usable: list[Backup],
    within: timedelta,
    limits: Limits | None = None,
) -> list[Backup]:
    """Of the usable ones, the newest first."""
    limits = limits or limits_of(instance)
    now = timezone.now()
    is_live = instance.state != ServiceInstance.State.GONE
    coming = clock_of(instance).count_between(now, now + within) if is_live else 0
    kept: list[Backup] = []
    going: list[Backup] = []
    # As if what comes were as large as the last one.
    place, total = coming, coming * (_own_bytes(usable[0]) if usable else 0)
    for row in usable:
        if row.expires_at is not None:
            goes = row.expires_at <= now + within
        else:
            total += _own_bytes(row)
            goes = _is_beyond(limits, row, place, total, now + within)
            place += 1
        (going if goes else kept).append(row)
    if is_live and not kept and going:
        going.remove(going[0])
    return going[::-1]


def _is_beyond(
    limits: Limits, row: Backup, place: int, total_bytes: int, at: datetime
) -> bool:
    """Whether it is too much, so many being newer and all of these taking so much."""
    if limits.keep is not None and place >= limits.keep:
        return True
    if limits.days is not None and row.created_at < at - _days(limits.days):
        return True
    return limits.gib is not None and total_bytes > limits.gib * GIB


def _days(number: int) -> timedelta:
    return timedelta(days=number)


def _own_bytes(row: Backup) -> int:
    """Without the image below, which all share."""
    return row.delta_bytes or 0


def _expire(instance: ServiceInstance, going: list[Backup]) -> None:
    """Let go those that nothing has begun to use meanwhile."""
    with transaction.atomic():
        # A restore is accepted under the same lock.
        ServiceInstance.objects.select_for_update().get(pk=instance.pk)
        for backup in going:
            if is_free(backup):
                with suppress(errors.ConcurrencyError):
                    backup.move(_State.EXPIRING, only_from=(_State.VERIFIED,))


def is_free(backup: Backup) -> bool:
    """Whether no container is made of it, nor is to be."""
    rows = Container.objects.filter(host=backup.host_id, image=backup.reference)
    if rows.exclude(state=Container.State.GONE).exists():
        return False
    if backup.clones.filter(state=ServiceInstance.State.PROVISIONING).exists():
        return False
    restores = Operation.objects.unfinished().filter(
        instance=backup.instance_id, kind=Kind.RESTORE
    )
    return all(row.request.get("backup") != str(backup.pk) for row in restores)


def _compare(host: DockerHost) -> None:
    try:
        backup_images.compare(host)
    except errors.HostUnreachable as error:
        logger.warning("host=%s: its backups are not looked at: %s", host, error.detail)
