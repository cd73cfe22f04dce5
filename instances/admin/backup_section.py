"""Backups on the page of a service instance, and where they are in trouble."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin import backup_display as display
from instances.admin.base import Section, table
from instances.admin.html import as_list, isolated, link, list_url, moment, span
from instances.models import Backup, ServiceInstance
from instances.models.backup_override import Retention, Schedule, clock_of
from instances.operations import back_up, backup_schedule, backup_trouble, retention

MOST_ROWS = 10
NIGHT = timedelta(hours=24)
TEMPLATE = "admin/instances/section_backups.html"
PARAMETER = "backups"
TROUBLED = "troubled"


class BackupFilter(admin.SimpleListFilter):
    title = "backups"
    parameter_name = PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(TROUBLED, "Latest failed, or overdue"), ("none", "None is verified")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        if self.value() == TROUBLED:
            return queryset.filter(pk__in=_troubled_ids())
        if self.value() == "none":
            proved = Backup.objects.usable().values("instance")
            ready = queryset.filter(state=ServiceInstance.State.READY)
            return ready.exclude(pk__in=proved)
        return queryset


def _troubled_ids() -> QuerySet[Any, Any]:
    return backup_trouble.troubled(ServiceInstance.objects.all()).values("pk")


def section(instance: ServiceInstance) -> Section:
    """The latest ones, what is wrong, and what comes and goes next."""
    rows = instance.backups.select_related("host").order_by("-created_at")
    shown = table(
        "Backups",
        ("Taken (UTC)", "State", "Size", "Writers held", "Why", "Asked for by", "Note"),
        map(_cells, rows[:MOST_ROWS]),
        empty="No backup of this service instance has been taken.",
        all_url=list_url(Backup, instance__id__exact=instance.pk),
    )
    content = {
        **shown.content,
        "warnings": list(_warnings(instance)),
        "facts": list(_facts(instance)),
    }
    return Section(shown.title, TEMPLATE, content)


def _cells(row: Backup) -> tuple[object, ...]:
    at = row.taken_at or row.created_at
    return (
        link(row, f"{at:%Y-%m-%d %H:%M:%S}"),
        display.state(row),
        display.size(row),
        display.held(row),
        row.get_trigger_display(),
        isolated(row.requested_by),
        isolated(row.note),
    )


def _warnings(instance: ServiceInstance) -> Iterator[str]:
    same = ServiceInstance.objects.filter(pk=instance.pk)
    found: Any = backup_trouble.troubled(same).only("pk").first()
    if found is None:
        return
    if found.last_backup == Backup.State.FAILED:
        yield "The latest backup has failed."
    if found.last_backup == Backup.State.MISSING:
        yield "The image of the latest backup is missing."
    if found.is_backup_overdue:
        clock = clock_of(instance)
        yield f"None has been verified as is asked for: {clock}."


def _facts(instance: ServiceInstance) -> Iterator[tuple[str, object]]:
    is_live = instance.state != ServiceInstance.State.GONE
    if instance.state == ServiceInstance.State.READY:
        yield "By the clock", _clock(instance)
        yield "Next by the clock (UTC)", _next(instance)
    going = retention.expired(instance)
    if is_live or going:
        yield "Kept are", _kept(instance)
        yield "These go at the next pass", _going(going)
    if is_live:
        tonight = retention.expired(instance, within=NIGHT)
        tonight = [row for row in tonight if row not in going]
        yield "These go within 24 hours", _going(tonight)
        yield "At other times", _events(instance)


def _clock(instance: ServiceInstance) -> str:
    override = getattr(instance, "backup_override", None)
    is_own = override is not None and override.schedule != Schedule.PLAN
    return f"{clock_of(instance)}{', by an operator' if is_own else ''}"


def _kept(instance: ServiceInstance) -> str:
    override = getattr(instance, "backup_override", None)
    is_own = override is not None and override.retention != Retention.PLAN
    return f"{display.retention(instance)}{', by an operator' if is_own else ''}"


def _events(instance: ServiceInstance) -> str:
    plan = instance.plan
    said = {
        "after each bind": plan.backup_on_bind,
        "before each update": plan.backup_on_update,
        "before an upgrade": plan.backup_on_upgrade,
        f"before a deprovision, for {plan.final_backup_days} days": bool(
            plan.final_backup_days
        ),
    }
    return as_list(words for words, is_said in said.items() if is_said)


def _next(instance: ServiceInstance) -> SafeString | str:
    due_at = backup_schedule.next_due(instance)
    if not back_up.is_possible(instance):
        return "never: nothing is known of the data in this image"
    if due_at is None:
        return "none: the plan has no clock"
    now = timezone.now()
    if due_at <= now:
        return format_html("due since {}", moment(due_at))
    return format_html("{}, in {}", moment(due_at), span(due_at - now))


def _going(going: list[Backup]) -> object:
    first = going[: retention.MOST_AT_ONCE]
    if not first:
        return "none"
    dates = display.moments(first)
    more = len(going) - len(first)
    later = f", and {more} more at the passes after it" if more else ""
    return f"{len(first)}: {as_list(dates)}{later}"
