"""An instance in one glance, from its rows and the latest sample alone."""

from collections.abc import Iterator

from django.utils.html import format_html

from instances.admin import disk, tables
from instances.admin.base import Section
from instances.admin.history import size
from instances.admin.html import NOTHING, age, count_link, link
from instances.admin.plots import bar
from instances.models import (
    Backup,
    Container,
    ContainerSample,
    ServiceBinding,
    ServiceInstance,
)

TEMPLATE = "admin/instances/section_live.html"


def section(instance: ServiceInstance) -> Section:
    facts = [*_use(instance.container), *_life(instance)]
    return Section("At a glance", TEMPLATE, {"facts": facts})


def _use(container: Container | None) -> Iterator[tuple[str, object]]:
    """Nothing, where nothing was measured yet."""
    if container is None or container.state == Container.State.GONE:
        return
    row = ContainerSample.objects.filter(container=container).order_by("-at").first()
    if row is not None:
        limit = container.memory_mb * 2**20
        words = f"{size(row.memory_bytes)} of {size(limit)}"
        yield "Memory", bar(row.memory_bytes, limit, words)
        known = row.connections is not None
        yield "Connections", row.connections if known else "not known"
        yield "Measured", format_html("{} ago", age(row.at))
    if container.disk_bytes is not None and container.disk_mb:
        words = disk.use(container)
        yield "Disk", bar(container.disk_bytes, container.disk_mb * 2**20, words)


def _life(instance: ServiceInstance) -> Iterator[tuple[str, object]]:
    live = ServiceBinding.objects.exclude(state=ServiceBinding.State.GONE)
    number = live.filter(instance=instance).count()
    same = {"instance__id__exact": instance.pk}
    yield "Bindings", count_link(number, ServiceBinding, **same)
    proved = Backup.objects.usable().filter(instance=instance)
    backup = proved.order_by("-created_at").first()
    if backup is None:
        yield "Latest verified backup", "none"
    else:
        label = f"{backup.taken_at or backup.created_at:%Y-%m-%d %H:%M}"
        yield "Latest verified backup", link(backup, label)
    operation = instance.operations.first()
    if operation is None:
        yield "Latest operation", NOTHING
    else:
        words = format_html("{} {}", tables.named(operation), tables.state(operation))
        yield "Latest operation", words
