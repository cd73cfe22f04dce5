"""Restore: an instance gets the data that one of its backups holds.

A new container takes the place of the old one, under the same port and with today's
image: what it was made of does not grow with every restore. The data's own users are
out before it listens; then today's bindings are let in again (FAILURES F98, I4, I5).
"""

from typing import Any

from django.db import transaction

from instances import errors, transactions
from instances.engines import get_engine, new_secret
from instances.models import (
    Actor,
    AuditEvent,
    Backup,
    Container,
    Kind,
    Operation,
    ServiceBinding,
    ServiceInstance,
)
from instances.models.backup import Trigger
from instances.models.container import MADE_WITH
from instances.models.disk import HELD_TO
from instances.operations import (
    back_up,
    backup_places,
    copying,
    disk,
    host_disk,
    hosts,
    proof,
    succession,
    swap,
)
from instances.operations.bind import user_of
from instances.operations.in_place import apply_parameters
from instances.operations.starting import wait_until_ready
from instances.operations.work import Verb, Work


def find(instance: ServiceInstance, wanted: str) -> Backup:
    """The backup of that id, or the latest one. Raise InvalidRequest."""
    usable = instance.backups.usable().order_by("-taken_at")
    rows = {str(row.pk): row for row in usable}
    backup = next(iter(rows.values()), None) if wanted == "latest" else rows.get(wanted)
    if backup is None:
        raise errors.InvalidRequest(
            "parameters: backup: this service instance has no verified backup "
            f"{'yet' if wanted == 'latest' else wanted[:50]}."
        )
    return backup


@transactions.repeated
def accept(backup: Backup, *, actor: Actor, is_safe: bool = True) -> Operation:
    """Record the wish; is_safe: with a backup of now first, if it is not lost.

    Raise InvalidRequest, ConcurrencyError.
    """
    with transaction.atomic():
        instance = ServiceInstance.objects.select_for_update().get(
            pk=backup.instance_id
        )
        if instance.state != ServiceInstance.State.READY:
            raise errors.ConcurrencyError(detail=f"{instance} is {instance.state}")
        check(instance, backup)
        disk.refuse_stopped_by_operator(instance)
        AuditEvent.record(actor, "restore", instance, backup=str(backup.pk))
        operation = Operation.objects.enqueue(
            Kind.RESTORE, instance, actor=actor, request={"backup": str(backup.pk)}
        )
        # Of one that is lost there is nothing to be had.
        if is_safe and instance.container and instance.container.lost_at is None:
            back_up.record(operation, trigger=Trigger.RESTORE)
        return operation


def check(instance: ServiceInstance, backup: Backup) -> None:
    """Raise InvalidRequest if this instance cannot get its data back from there."""
    if backup.state != Backup.State.VERIFIED:
        raise errors.InvalidRequest(
            f"backup: it is {backup.get_state_display()}, and only a verified one "
            "can be restored."
        )
    if instance.container is None:
        raise errors.InvalidRequest("backup: the service instance has no database.")
    if backup.database != instance.database:
        raise errors.InvalidRequest(
            f"backup: the database in it is called {backup.database}, and apps know "
            f"theirs as {instance.database}: begin a new service instance with it."
        )


class FromBackup:
    """What a backup holds, for today's bindings."""

    def __init__(self, backup: Backup) -> None:
        self._backup = backup

    def admin_secret(self, former: Container) -> str:
        """Another than any before: that has the image shut the data's users out."""
        return new_secret()

    def prepare(self, work: Work, former: Container) -> None:
        """The backup is what it is."""

    def fill(self, work: Work, former: Container, successor: Container) -> None:
        fill(work, self._backup, successor)
        swap.stop(work, former)

    def check(self, work: Work, successor: Container) -> None:
        work.step("looking for the data")
        find_witness(self._backup, successor)
        instance = work.operation.instance
        if apply_parameters(successor, instance.database, instance.parameters):
            work.step("restarting the database for its parameters")
            hosts.connect(successor.host).restart(successor.name)
            wait_until_ready(successor, step=work.step, check=work.check)
        work.step("letting today's bindings in")
        let_in(instance, successor)

    def wipe(self, operation: Operation, container: Container) -> None:
        back_up.remove_witness(self._backup, container)


def fill(work: Work, backup: Backup, successor: Container) -> None:
    """Put a backup's data into a created container, by way of a throw-away one."""
    host_disk.refuse_copy(backup, successor)
    source = backup_places.holder(backup, near=successor.host)
    with proof.scratch(backup, source) as container:
        hosts.connect(source).create(hosts.unreachable_spec(container))
        copying.copy(work, container, successor, container.prolong)


def find_witness(backup: Backup, container: Container) -> None:
    """Raise ContainerFailed if the backup's data, which was proved, has not come."""
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    found = engine.inventory(endpoint, backup.database, backup.witness)
    if not found["witness"]:
        raise errors.ContainerFailed(
            detail=f"{container} of image {container.image} has started without the "
            f"backup's data: its entrypoint must take {engine.incoming_path}/data in"
        )


def let_in(instance: ServiceInstance, container: Container) -> None:
    """Make the users of the data those of the bindings that there are."""
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    state = ServiceBinding.State
    rows = instance.bindings.filter(state__in=(state.READY, state.CREATING))
    bound = {row.username: row for row in rows}
    for name in set(engine.users(endpoint)) - set(bound):
        engine.drop_user(endpoint, name)
    for binding in bound.values():
        engine.create_user(endpoint, user_of(binding, instance))


def _perform(work: Work) -> None:
    instance = work.operation.instance
    container = instance.container
    assert container is not None
    back_up.take_all(work, container)
    made_with: dict[str, Any] = {
        name: getattr(container, name) for name in (*MADE_WITH, *HELD_TO)
    }
    swap.swap(work, container, made_with, _source(work))
    _succeed(work)


def _source(work: Work) -> FromBackup:
    rows = Backup.objects.select_related("host")
    return FromBackup(rows.get(pk=work.operation.request["backup"]))


def _succeed(work: Work) -> None:
    instance = work.operation.instance
    assert instance.container is not None
    with work.succeeding():
        successor = succession.decided(instance.container)
        assert successor is not None
        succession.finish(instance, successor)


def _give_up(work: Work, error: errors.BrokerError) -> None:
    container = work.operation.instance.container
    if succession.is_decided(work, container, _source(work), error):
        return _succeed(work)
    with work.failing(error):
        back_up.abandon(work.operation, error.detail or str(error))
        if container is not None:
            succession.put_back(container)


def _clean_up(work: Work) -> None:
    back_up.clean_up(work)
    succession.settle(work.operation, swap.OwnData())


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=4)
