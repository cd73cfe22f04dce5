"""Disk space in the console: how full a database is, and an hour's respite."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances import errors
from instances.admin.base import asks
from instances.admin.html import NOTHING, badge, moment
from instances.models import Actor, Container, ServiceInstance
from instances.models.disk import HELD, DiskState
from instances.operations import disk

TONES = {
    DiskState.WARNING: "wait",
    DiskState.READ_ONLY: "bad",
    DiskState.STOPPED: "bad",
}
CONSEQUENCES = {
    DiskState.WARNING: "More than 80 % of the limit is used.",
    DiskState.READ_ONLY: "The limit is used up, so apps can only read.",
    DiskState.STOPPED: "The limit is used up, so the database is stopped: by its "
    "plan's choice, or since it grew on while it was read-only.",
}
CURE = (
    "A plan with more disk (cf update-service) ends this; the action “Lift the disk "
    "limit for an hour” in the list lets the app delete what it does not need."
)


def column(row: ServiceInstance) -> SafeString:
    """What is used of the limit, and a badge if that is much."""
    if row.container is None or row.container.disk_bytes is None:
        return NOTHING
    if row.container.state == Container.State.GONE:
        return NOTHING
    state = DiskState(row.container.disk_state)
    mark = badge(state, state.label, tone=TONES[state]) if state in TONES else ""
    return format_html("{}<br>{}", use(row.container), mark)


def explanation(row: ServiceInstance) -> SafeString:
    """The whole story, for the instance's own page."""
    made = row.container
    if made is None or made.disk_bytes is None:
        return NOTHING
    state = DiskState(made.disk_state)
    text = format_html("{}, measured {}", use(made), moment(made.disk_measured_at))
    if state in TONES:
        mark = badge(state, state.label, tone=TONES[state])
        text = format_html("{}<br>{} {}", text, mark, CONSEQUENCES[state])
    if state in HELD:
        text = format_html("{} {}", text, CURE)
    if made.respite_until is not None and made.respite_until > timezone.now():
        text = format_html(
            "{}<br>The limit is lifted until {}.", text, moment(made.respite_until)
        )
    return text


def use(container: Container) -> str:
    limit = f" of {container.disk_mb}" if container.disk_mb else ""
    return f"{container.disk_used_mb}{limit} MiB"


def limit(container: Container) -> str:
    if container.disk_mb is None:
        return "no limit of disk"
    end = container.get_when_disk_full_display()
    return f"{container.disk_mb} MiB of disk, then {end}"


class RespiteAction(admin.ModelAdmin):
    """An action for the list of service instances."""

    has_lift_disk_limit_permission = asks("lift_disk_limit")

    @admin.action(
        description="Lift the disk limit of the selected ones for an hour",
        permissions=["lift_disk_limit"],
    )
    def lift_disk_limit(
        self, request: HttpRequest, queryset: QuerySet[ServiceInstance]
    ) -> None:
        actor = Actor(kind="operator", name=request.user.get_username())
        for instance in queryset:
            try:
                disk.give_respite(instance, actor=actor)
            except errors.InvalidRequest as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                text = f"The disk limit of {instance} is lifted for an hour."
                self.message_user(request, text, messages.SUCCESS)
