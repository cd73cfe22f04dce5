"""How much of a Docker host's disk is free, and how old that news is."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.admin.html import NOTHING, age, badge
from instances.models import DockerHost
from instances.models.disk import MIB

GIB = 2**30
UNKNOWN = (
    "Nobody can say: no database of this broker has run there yet, or none of their "
    "images has df. Backups are tried all the same."
)


def column(row: DockerHost) -> SafeString:
    if row.free_bytes is None:
        return NOTHING
    return format_html("{}<br>{}", _free(row.free_bytes), _mark(row))


def explanation(row: DockerHost) -> SafeString:
    """The whole story, for the host's own page."""
    if row.free_bytes is None:
        return SafeString(UNKNOWN)
    return format_html(
        "{}, measured {} ago. {}",
        *(_free(row.free_bytes), age(row.free_measured_at), _mark(row)),
    )


def is_short(row: DockerHost) -> bool:
    """Whether no backup would be taken any more."""
    return row.free_bytes is not None and row.free_bytes < row.reserve_mb * MIB


def _mark(row: DockerHost) -> SafeString:
    if is_short(row):
        return badge("full", "no room for backups", tone="bad")
    return SafeString()


def _free(size_bytes: int) -> str:
    size = size_bytes / GIB
    return f"{size:.0f} GiB" if size >= 10 else f"{size:.1f} GiB"
