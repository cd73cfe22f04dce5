"""What is said of a service instance whose container is lost, or out of reach."""

from django.utils.safestring import SafeString

from instances.admin.base import Section
from instances.admin.html import badge, link, moment
from instances.models import Container, ServiceInstance


def mark(row: ServiceInstance) -> SafeString:
    """Behind its state."""
    if is_lost(row):
        return SafeString(" ") + badge("lost")
    if is_unreachable(row):
        return SafeString(" ") + badge("not reached", "unreachable")
    return SafeString()


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


def is_unreachable(row: ServiceInstance) -> bool:
    """Whether its host does not answer, or is another one than it was (F42)."""
    made = row.container
    if made is None or made.state == Container.State.GONE:
        return False
    return bool(made.host.problem) or made.host.is_quarantined
