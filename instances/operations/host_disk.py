"""The disk of a Docker host: how much is free, and whether that is enough.

The answer is kept with its age: asking takes a container that lives for a moment.
"""

import logging
from datetime import timedelta

from django.utils import timezone

from instances import errors
from instances.models import Backup, Broker, Container, DockerHost
from instances.models.backup import Trigger
from instances.models.disk import MIB
from instances.operations import hosts

logger = logging.getLogger(__name__)

SHARE = 1.2
"""A commit writes the layer beside itself, and some more (FAILURES F92)."""
FRESH = timedelta(seconds=60)
INTERVAL = timedelta(minutes=5)
_RUNNING = (Container.State.IN_USE, Container.State.STANDBY)


def measure_if_due(host: DockerHost) -> None:
    """Ask a host that has not been asked for a while. Raise HostUnreachable."""
    at = host.free_measured_at
    if at is not None and at > timezone.now() - INTERVAL:
        return
    container = host.containers.filter(state__in=_RUNNING).defer("admin_secret").first()
    if container is not None:
        measure(host, container.image)


def measure(host: DockerHost, image: str) -> int | None:
    """Bytes free, with the help of an image that is there; None: nobody can say."""
    free = hosts.connect(host).free_bytes(image, broker_id=str(Broker.this().broker_id))
    host.free_bytes, host.free_measured_at = free, timezone.now()
    DockerHost.objects.filter(pk=host.pk).update(
        free_bytes=free, free_measured_at=host.free_measured_at
    )
    return free


def refuse_backup(backup: Backup, container: Container, *, copies: int = 1) -> None:
    """Raise DiskFull if there is no room for it, made by way of so many copies."""
    # A last one may use what is kept free: the database's own layer goes after it.
    is_last = backup.trigger == Trigger.DEPROVISION
    needed = copies * _layer_bytes(container)
    _refuse(container.host, container.image, needed, with_reserve=not is_last)


def refuse_copy(backup: Backup, container: Container) -> None:
    """Raise DiskFull if a backup's data has no room in a container beside it."""
    needed = backup.delta_bytes or 0
    _refuse(container.host, container.image, needed, with_reserve=True)


def refuse_move(former: Container, successor: Container) -> None:
    """Raise DiskFull if its data has no room on the other host."""
    needed = _layer_bytes(former)
    _refuse(successor.host, successor.image, needed, with_reserve=True)


def _refuse(host: DockerHost, image: str, needed: int, *, with_reserve: bool) -> None:
    host.refresh_from_db(fields=["free_bytes", "free_measured_at", "reserve_mb"])
    at, free = host.free_measured_at, host.free_bytes
    if at is None or at < timezone.now() - FRESH:
        free = measure(host, image)
    if free is None:
        logger.warning("host=%s cannot say how much of its disk is free", host)
        return
    wanted = int(needed * SHARE) + with_reserve * host.reserve_mb * MIB
    if free < wanted:
        reserve = f", {host.reserve_mb} of them kept free" if with_reserve else ""
        raise errors.DiskFull(
            detail=f"host {host} has {free // MIB} MiB of disk free, and "
            f"{-(-wanted // MIB)} are needed{reserve}: remove backups, or give "
            "Docker a larger disk"
        )


def _layer_bytes(container: Container) -> int:
    """What its own layer holds, as it was measured last."""
    if container.disk_bytes is not None:
        return container.disk_bytes
    sizes = hosts.connect(container.host).sizes(broker_id=str(Broker.this().broker_id))
    return sizes.get(container.name, 0)
