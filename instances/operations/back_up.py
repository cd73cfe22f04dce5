"""Back up: an image of the container, with a witness in the data for the proof.

By the paused method writers are held while Docker commits the paused container: 65 ms
and 4.3 ms for each MB (DOCKER-LIMITS 5); hot_backup.py has the other one. What is
committed is no backup yet: proof.py makes it one.
"""

import time
from datetime import datetime
from pathlib import PurePosixPath

from django.db import transaction
from django.db.models.functions import Now

from instances import containers, errors, transactions
from instances.engines import find_configurable, get_engine
from instances.models import (
    Actor,
    AuditEvent,
    Backup,
    Broker,
    Container,
    Kind,
    Operation,
    ServiceInstance,
)
from instances.operations import disk, host_disk, hosts, hot_backup
from instances.operations.work import Verb, Work

PAUSE_LIMIT_S = 600.0
"""So long a container may stay paused by a commit whose answer was lost."""
POLL_S = 0.2


@transactions.repeated
def accept(
    instance: ServiceInstance,
    *,
    trigger: str,
    actor: Actor,
    note: str = "",
    method: str = "",
) -> Backup:
    """Record the wish, by this method or as the plan says.

    Raise BackupRefused, ConcurrencyError.
    """
    with transaction.atomic():
        locked = ServiceInstance.objects.select_for_update().get(pk=instance.pk)
        if locked.state != ServiceInstance.State.READY:
            raise errors.ConcurrencyError(detail=f"{instance} is {locked.state}")
        disk.refuse_stopped_by_operator(locked)
        if not is_possible(locked):
            raise errors.BackupRefused(
                "Nothing is known of the data in this image: no backup could be proved."
            )
        AuditEvent.record(actor, "back up", instance, trigger=trigger, note=note)
        operation = Operation.objects.enqueue(Kind.BACK_UP, locked, actor=actor)
        return record(operation, trigger=trigger, note=note, method=method)


def is_possible(instance: ServiceInstance) -> bool:
    return find_configurable(instance.plan.offering.engine) is None


def record(
    operation: Operation,
    *,
    trigger: str,
    note: str = "",
    method: str = "",
    expires_at: datetime | None = None,
) -> Backup:
    """The row of a backup that the operation will take."""
    instance = operation.instance
    # Without its secret: no key may be needed to delete what no key opens.
    assert instance.container_id is not None
    container = Container.objects.defer("admin_secret").get(pk=instance.container_id)
    return Backup.objects.create(
        instance=instance,
        operation=operation,
        host_id=container.host_id,
        plan=instance.plan,
        engine=container.engine,
        database=instance.database,
        made_from=container.image,
        memory_mb=container.memory_mb,
        method=hot_backup.choose(instance.plan, container, method),
        trigger=trigger,
        note=note[:255],
        requested_by=operation.requested_by,
        expires_at=expires_at,
    )


def take(work: Work, backup: Backup, container: Container) -> None:
    """Commit the container and record what it took, however often this is begun.

    Raise BackupRefused, DiskFull.
    """
    if backup.state != Backup.State.TAKING:
        return
    host = hosts.connect(container.host)
    # First: a database that an earlier attempt's commit still pauses says nothing.
    if not _is_there(work, backup, container):
        work.step("looking at where the data is")
        _refuse_mounts(container)
        host_disk.refuse_backup(backup, container, copies=hot_backup.copies(backup))
        _make(work, backup, container)
    hot_backup.close(backup, container)
    work.step("looking at the image")
    find = host.images.find
    image, base = find(backup.reference), find(container.image)
    if image is None:
        raise errors.HostUnreachable(detail=f"{backup.reference} did not appear")
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    database, witness = backup.database, backup.witness
    if "after" not in backup.inventory:
        after = engine.inventory(endpoint, database, witness)
        backup.inventory = {**backup.inventory, "after": after}
    engine.remove_witness(endpoint, database, witness)
    with work.fenced():
        backup.save(update_fields=["inventory"])
        backup.move(
            Backup.State.COMMITTED,
            only_from=(Backup.State.TAKING,),
            image_id=image.id,
            size_bytes=image.size_bytes,
            delta_bytes=max(0, image.size_bytes - (base.size_bytes if base else 0)),
            layers=image.layers,
            taken_at=Now(),
        )


def take_all(work: Work, container: Container) -> None:
    """Those that come before something else; a container that is kept is past that."""
    if container.state == Container.State.IN_USE:
        for backup in work.operation.backups.all():
            take(work, backup, container)


def remove_witness(backup: Backup, container: Container) -> None:
    """Raise EngineUnreachable."""
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    engine.remove_witness(endpoint, backup.database, backup.witness)


def _refuse_mounts(container: Container) -> None:
    """A commit leaves volumes out, silently (FAILURES F85)."""
    status = hosts.connect(container.host).find(container.name)
    if status is None:
        raise errors.ContainerFailed(detail=f"{container} is not there any more")
    engine = get_engine(container.engine)
    data = PurePosixPath(engine.real_data_path(hosts.endpoint(container)))
    for mount in map(PurePosixPath, status.mounts):
        if data.is_relative_to(mount) or mount.is_relative_to(data):
            raise errors.BackupRefused(
                f"The data is in a volume at {mount}, which a backup would leave out.",
                detail=f"{container}: data path {data}, mount {mount}: use an image "
                "without VOLUME at its data path, or move the data path",
            )


def _is_there(work: Work, backup: Backup, container: Container) -> bool:
    """Whether an earlier attempt's commit has made the image, or still does (F89)."""
    host = hosts.connect(container.host)
    deadline = time.monotonic() + PAUSE_LIMIT_S
    while host.images.find(backup.reference) is None:
        status = host.find(container.name)
        if status is None or status.state != "paused":
            return host.images.find(backup.reference) is not None
        if time.monotonic() > deadline:
            # The daemon died in the commit, and the container outlived it (F90).
            host.resume(container.name)
        work.check()
        time.sleep(POLL_S)
    return True


def _make(work: Work, backup: Backup, container: Container) -> None:
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    database, witness = backup.database, backup.witness
    work.step("leaving a witness in the data")
    engine.leave_witness(endpoint, database, witness)
    backup.inventory = {"before": engine.inventory(endpoint, database, witness)}
    with work.fenced():
        backup.save(update_fields=["inventory"])
    is_hot = backup.method == Backup.Method.HOT
    commit = hot_backup.commit if is_hot else _commit_paused
    backup.held_ms = commit(work, backup, container)
    with work.fenced():
        backup.save(update_fields=["held_ms"])


def _commit_paused(work: Work, backup: Backup, container: Container) -> int:
    """How many milliseconds it took."""
    work.step("committing; the database holds still")
    started_at = time.monotonic()
    hosts.connect(container.host).commit(
        container.name,
        backup.reference,
        labels={
            containers.BROKER_LABEL: str(Broker.this().broker_id),
            containers.BACKUP_LABEL: backup.id.hex,
        },
    )
    return round((time.monotonic() - started_at) * 1000)


def _perform(work: Work) -> None:
    container = work.operation.instance.container
    assert container is not None
    take(work, work.operation.backups.get(), container)
    with work.succeeding():
        pass


def _give_up(work: Work, error: errors.BrokerError) -> None:
    with work.failing(error):
        abandon(work.operation, error.detail or str(error))


def abandon(operation: Operation, problem: str) -> None:
    """What it was to take is no backup; what may be there is swept."""
    taking = operation.backups.filter(state=Backup.State.TAKING)
    taking.update(state=Backup.State.FAILED, problem=problem)


def clean_up(work: Work) -> None:
    """A container is never left paused, nor a witness behind."""
    instance = work.operation.instance
    container = instance.container
    # Another attempt, or another backup, may be at its commit just now: without the
    # pause it would get files of different moments.
    busy = Operation.objects.unfinished().filter(exclusive_instance=instance)
    if container is None or busy.exists():
        return
    hosts.connect(container.host).resume(container.name)
    for backup in work.operation.backups.filter(state=Backup.State.FAILED):
        hot_backup.close(backup, container)
        remove_witness(backup, container)


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=clean_up, max_attempts=3)
