"""What is said of a service instance whose container is not there any more."""

from django.utils.safestring import SafeString

from instances.admin.base import Section
from instances.admin.html import badge, link, moment
from instances.models import ServiceInstance


def mark(row: ServiceInstance) -> SafeString:
    """Behind its state."""
    return SafeString(" ") + badge("lost") if is_lost(row) else SafeString()


def sections(row: ServiceInstance) -> list[Section]:
    """Why, since when and the ways out; nothing for one that is not lost."""
    container = row.container
    if container is None or not is_lost(row):
        return []
    backup = row.backups.usable().order_by("-taken_at").first()
    content = {
        "host": link(container.host),
        "since": moment(container.lost_at),
        "backup": link(backup) if backup else "",
        "taken": moment(backup.taken_at) if backup else "",
    }
    return [Section("Lost", "admin/instances/section_lost.html", content)]


def is_lost(row: ServiceInstance) -> bool:
    return row.container is not None and row.container.lost_at is not None
