"""Reconcile: make a host's containers what the rows say.

Only containers with a row of ours are touched. One that carries this broker's
label and has no row at all is reported and left alone: the database may have
been restored from an older copy (FAILURES F120).
"""

import logging
import uuid
from datetime import timedelta

from django.utils import timezone

from instances import errors
from instances.containers import CONTAINER_LABEL, ContainerHost, ContainerStatus
from instances.models import Broker, Container, DockerHost, Operation
from instances.operations import ghosts, hosts
from instances.operations.host_images import planned

logger = logging.getLogger(__name__)

NOBODYS_AFTER = timedelta(minutes=10)

WANTED = (Container.State.STANDBY, Container.State.IN_USE)
"""States of containers that run; those in between belong to whoever is at work."""


def reconcile(host: DockerHost) -> None:
    """Bring one host in line. Running it twice changes nothing.

    Raise HostUnreachable.
    """
    # Rows first: a container listed afterwards has had its row before.
    wanted = host.containers.exclude(state=Container.State.GONE)
    rows = {row.name: row for row in wanted.select_related("host")}
    docker = hosts.connect(host)
    if not host.engine_id:
        host.pin(docker.describe().engine_id)
    found = docker.list(broker_id=str(Broker.this().broker_id))
    host.note_contact()
    _note_images(host, docker)
    present = {status.name for status in found}
    # Before any is started: what is to go may still hold another one's port.
    for row in rows.values():
        if row.state == Container.State.STANDBY and row.name not in present:
            _replace(row, "it is not there any more")
        if _is_nobodys(row):
            row.retire()
        if row.state == Container.State.RETIRING:
            _remove(row)
    for status in found:
        known = rows.get(status.name)
        if known is None:
            _settle_unwanted(host, status)
        elif _is_to_run(known) and not status.is_running:
            _start(known, status)
        elif _is_in_use(known) and ghosts.is_due(known, timezone.now()):
            _sweep(known)


def _note_images(host: DockerHost, docker: ContainerHost) -> None:
    """Which of the plans' images it has: placement asks the row, not Docker."""
    wanted = {row.reference for row in planned(host)}
    present = sorted(name for name in wanted if docker.images.find(name))
    if present != host.present_images:
        DockerHost.objects.filter(pk=host.pk).update(present_images=present)


def _is_to_run(row: Container) -> bool:
    is_held = row.disk_state == Container.DiskState.STOPPED or row.stopped_at
    return row.state in WANTED and not is_held


def _is_in_use(row: Container) -> bool:
    return row.state == Container.State.IN_USE


def _is_nobodys(row: Container) -> bool:
    """A start, or a throw-away one, that nobody waits for any more."""
    if row.state == Container.State.SCRATCH:
        return row.claimed_until is None or row.claimed_until < timezone.now()
    return (
        row.state == Container.State.STARTING
        and row.claimed_until is None
        and row.succeeds_id is None
        and row.created_at < timezone.now() - NOBODYS_AFTER
        and not hasattr(row, "instance")
    )


def _remove(row: Container) -> None:
    """One that cannot be removed must not keep the others."""
    try:
        hosts.remove_if_unwanted(row)
    except errors.BrokerError as error:
        logger.warning("container=%s does not go away: %s", row, error.detail)


def _settle_unwanted(host: DockerHost, status: ContainerStatus) -> None:
    """A late create of one that is gone is removed; one without a row is only named."""
    try:
        label = uuid.UUID(status.labels.get(CONTAINER_LABEL, ""))
    except ValueError:
        label = None
    row = Container.objects.filter(pk=label).first() if label else None
    if row is None:
        logger.warning("host=%s container=%s has no row", host, status.name)
    else:
        # Read anew: its row may have been written since the others were read.
        _remove(row)


def _start(row: Container, status: ContainerStatus) -> None:
    """Docker's restart policy forgets some after a crash (FAILURES F40, F50)."""
    logger.warning("host=%s container=%s is %s", row.host, row, status.state)
    if status.state == "paused" and not _is_backed_up(row):
        # By a commit whose daemon or worker has died (FAILURES F90).
        hosts.connect(row.host).resume(row.name)
    if status.state not in ("exited", "created"):
        return
    try:
        hosts.start_again(row)
    except (errors.PortTaken, errors.ContainerFailed) as error:
        logger.warning("container=%s does not start: %s", row, error.detail)
        if row.state == Container.State.STANDBY:
            _replace(row, error.detail)


def _is_backed_up(row: Container) -> bool:
    busy = Operation.objects.unfinished().filter(exclusive_instance__container=row)
    return busy.exists()


def _sweep(row: Container) -> None:
    """A database that does not answer is for others to see to."""
    try:
        ghosts.sweep(row)
    except errors.BrokerError as error:
        logger.warning("container=%s keeps its ghosts: %s", row, error.detail)


def _replace(row: Container, reason: str) -> None:
    """Nobody's data is in a standby: another one takes its place."""
    if row.dismiss():
        logger.warning("container=%s is no standby any more: %s", row, reason)
