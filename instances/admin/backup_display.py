"""Backups in words and numbers, for lists, pages and confirmations."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from shlex import quote

from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin.html import NOTHING, badge, mebibytes, moment, span
from instances.models import Backup, Container, ServiceInstance, ServicePlan
from instances.models.backup_override import limits_of
from instances.operations import hot_backup

MOST_LAYERS = 125
"""Docker makes no image with more."""
STORIES = {
    Backup.State.TAKING: "Its operation says how far it has got.",
    Backup.State.COMMITTED: "There is an image, but its data has not been found in it "
    "yet: do not rely on it.",
    Backup.State.VERIFIED: "It was started out of reach, and what had been counted in "
    "the database was found in it.",
    Backup.State.FAILED: "It is no backup, and its image goes.",
    Backup.State.MISSING: "Its image is not on the host any more.",
    Backup.State.EXPIRING: "Its time is over.",
    Backup.State.GONE: "Its time was over.",
}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def state(row: Backup) -> SafeString:
    return badge(row.state, row.get_state_display())


def taken_at(row: Backup) -> SafeString:
    """When; that is when it was asked for until it has been committed."""
    return moment(row.taken_at or row.created_at)


def instance_note(instance: ServiceInstance) -> str:
    is_gone = instance.state == ServiceInstance.State.GONE
    return "gone" if is_gone else ""


def size(row: Backup) -> SafeString:
    """The whole image, and what is the backup's own of it."""
    if row.size_bytes is None:
        return NOTHING
    own = mebibytes(row.delta_bytes)
    return format_html(
        '{}<br><span class="mini">{} its own</span>', mebibytes(row.size_bytes), own
    )


def proof(row: Backup) -> SafeString | str:
    """When the data was found in it, or how often that was tried."""
    if row.verified_at is not None and row.state != Backup.State.COMMITTED:
        return moment(row.verified_at)
    return f"tried {row.proofs} times" if row.proofs else NOTHING


def held(row: Backup) -> str:
    return NOTHING if row.held_ms is None else f"{row.held_ms} ms"


def layers(row: Backup) -> str:
    return NOTHING if row.layers is None else f"{row.layers} of {MOST_LAYERS}"


def kept(row: Backup) -> SafeString | str:
    """The whole story of its end."""
    if row.state != Backup.State.VERIFIED:
        return NOTHING
    if row.expires_at is not None:
        return format_html("until {}", moment(row.expires_at))
    return f"as its plan or its operator says: {retention(row.instance)}"


def moments(rows: Iterable[Backup]) -> list[str]:
    """When each was taken, to the minute."""
    return [f"{row.taken_at or row.created_at:%Y-%m-%d %H:%M}" for row in rows]


def retention(instance: ServiceInstance) -> str:
    return str(limits_of(instance))


def inventory(row: Backup) -> Iterator[tuple[object, ...]]:
    """What was counted before and after the commit, and what the proof has found."""
    looks = [row.inventory.get(look, {}) for look in ("before", "after", "found")]
    for name in dict.fromkeys(name for look in looks for name in look):
        yield name, *(look.get(name) for look in looks)


def holds_of(
    plan: ServicePlan, container: Container
) -> Iterator[tuple[str, str, bool]]:
    """Each method, how long it holds writers, and whether it is the plan's."""
    says = hot_backup.choose(plan, container)
    yield "paused", _hold_of(container.disk_bytes), says == Backup.Method.PAUSED
    if hot_backup.is_possible(container.engine):
        yield "hot", "about 100 ms at any size", says == Backup.Method.HOT


def hold_of(plan: ServicePlan, container: Container | None) -> str:
    """How long it will be by the plan's method."""
    if container is None:
        return _hold_of(None)
    (hold,) = [hold for _, hold, is_planned in holds_of(plan, container) if is_planned]
    return hold


def _hold_of(size_bytes: int | None) -> str:
    """How long a commit of so much holds writers: an estimate (DOCKER-LIMITS 5)."""
    if size_bytes is None:
        return "nobody knows: its disk has not been measured yet"
    estimate = timedelta(milliseconds=65 + 4.3 * size_bytes / 1e6)
    return f"about {span(estimate)}, longer on a busy machine"


def command(row: Backup) -> str:
    """How an app developer gets it as a new service instance."""
    wish = json.dumps({"restore_from": {"backup": str(row.pk)}})
    words = (row.plan.offering.name, row.plan.name, _new_name(row.instance))
    return f"cf create-service {' '.join(map(quote, words))} -c '{wish}'"


def _new_name(instance: ServiceInstance) -> str:
    """Its own, if that is free again and can do no harm in a shell."""
    if not _PLAIN_NAME.fullmatch(instance.instance_name):
        return "restored"
    is_free = instance.state == ServiceInstance.State.GONE
    return instance.instance_name if is_free else f"{instance.instance_name}-restored"
