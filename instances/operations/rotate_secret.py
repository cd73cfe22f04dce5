"""Rotate the secret with which the broker administers a database.

The new one is in the row before the database gets it, beside the old one, and takes
its place once a login with it has worked. In between either may hold: whoever goes on
logs in with the one that does, and gives the new one to the database again.
"""

import logging
import uuid
from dataclasses import replace

from django.db import transaction

from instances import errors, transactions
from instances.engines import (
    Endpoint,
    Engine,
    find_configurable,
    get_engine,
    new_secret,
)
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    DockerHost,
    Kind,
    Operation,
    ServiceInstance,
)
from instances.operations import disk, hosts
from instances.operations.work import Verb, Work

logger = logging.getLogger(__name__)


@transactions.repeated
def accept(instance: ServiceInstance, *, actor: Actor, reason: str = "") -> Operation:
    """Record the wish, and the secret to be. Raise InvalidRequest, ConcurrencyError."""
    with transaction.atomic():
        locked = ServiceInstance.objects.select_for_update().get(pk=instance.pk)
        if find_configurable(locked.plan.offering.engine):
            raise errors.InvalidRequest(
                "There is no administrator in this image, only what apps use."
            )
        container = locked.container
        if locked.state != ServiceInstance.State.READY or container is None:
            raise errors.InvalidRequest("There is no database with a secret to rotate.")
        disk.refuse_stopped(locked)
        operation = Operation.objects.enqueue(Kind.ROTATE_SECRET, locked, actor=actor)
        # One that was begun and given up may be what the database has by now.
        if not container.next_secret:
            container.next_secret = new_secret()
            container.save(update_fields=["next_secret"])
        AuditEvent.record(actor, "rotate admin secret", locked, reason=reason)
        return operation


def _perform(work: Work) -> None:
    container = work.operation.instance.container
    assert container is not None
    if container.next_secret:
        work.step("giving the database a new administrator's secret")
        _set(container)
    with work.succeeding():
        _commit(container)


def _set(container: Container) -> None:
    """Have the database take the next secret; return when a login with it worked."""
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    coming = replace(endpoint, admin_secret=container.next_secret)
    # With the new one, too: an attempt that was cut short may not have made it last.
    holder = endpoint if _holds(engine, endpoint) else coming
    engine.set_admin_secret(holder, container.next_secret)
    engine.check(coming)


def _holds(engine: Engine, endpoint: Endpoint) -> bool:
    try:
        engine.check(endpoint)
    except errors.EngineUnreachable:
        return False
    return True


def _commit(container: Container) -> None:
    """In a transaction of the caller's."""
    if not container.next_secret:
        return
    first = container.first_secret or container.admin_secret
    container.first_secret = first
    container.admin_secret, container.next_secret = container.next_secret, ""
    container.save(update_fields=["first_secret", "admin_secret", "next_secret"])


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """Keep both: nobody can say which one holds. settle() does when it can."""
    with work.failing(error):
        pass


def _clean_up(work: Work) -> None:
    """The next secret is the same for whoever goes on."""


def settle(host: DockerHost) -> None:
    """Finish on a host what was given up half-way. Running it twice changes nothing."""
    rows = host.containers.filter(state=Container.State.IN_USE, stopped_at=None)
    busy = Operation.objects.unfinished().filter(exclusive_instance__isnull=False)
    idle = rows.exclude(instance__in=busy.values("exclusive_instance"))
    for pk in idle.exclude(next_secret="").values_list("pk", flat=True):
        try:
            _settle(pk)
        except errors.BrokerError as error:
            logger.warning("container=%s has two secrets: %s", pk, error.detail)


def _settle(pk: uuid.UUID) -> None:
    container = Container.objects.select_related("host", "lease").get(pk=pk)
    seen = container.next_secret
    _set(container)
    with transaction.atomic():
        # Encrypted anew at each write: the value cannot be compared in the database.
        locked = Container.objects.select_for_update().get(pk=pk)
        if locked.next_secret == seen:
            _commit(locked)
            logger.info("container=%s has its new administrator's secret", pk)


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=4)
