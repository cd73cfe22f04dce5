"""Where a backup's image is: on the host that took it, and where it was copied to."""

from instances.models import Backup, DockerHost
from instances.operations import hosts


def holders(backup: Backup) -> list[DockerHost]:
    """Hosts that should have it, the backup's own first."""
    rows = backup.copies.ready().filter(host__isnull=False).select_related("host")
    return [backup.host, *(row.host for row in rows if row.host is not None)]


def holder(backup: Backup, *, near: DockerHost | None = None) -> DockerHost:
    """The best to read it from: one that answers, and the near one before others."""
    return min(
        holders(backup),
        key=lambda host: (bool(host.problem), near is None or host.pk != near.pk),
    )


def is_own(backup: Backup, host: DockerHost) -> bool:
    """Whether what is on that host is the backup itself, and no copy.

    Two rows may lead to one Docker Engine: removing a copy there would be the end of
    the backup. Raise HostUnreachable if that cannot be told.
    """
    if host.pk == backup.host_id:
        return True
    return hosts.connect(host).identity() == hosts.connect(backup.host).identity()
