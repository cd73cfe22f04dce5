"""Adopt: a container that no row knows becomes a service instance's.

The rows may have been restored from an older copy (FAILURES F120). Its administrator's
secret went with its row, and who was bound is not known either: so a new container
takes its data over, with a secret of its own, under the port that apps know it by, and
the image shuts the data's users out before it listens. What is adopted is stopped and
kept until the database has been found in the new one; if it is not, it runs again.

It may be given to a service instance whose own container is lost: then that one's
bindings are let in, with the passwords that their apps have.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now

from instances import errors, transactions
from instances.containers import ContainerStatus
from instances.engines import find_configurable, get_engine, new_secret
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    DockerHost,
    Kind,
    Operation,
    PortLease,
    ServiceInstance,
    ServicePlan,
)
from instances.models.container import MADE_WITH
from instances.models.disk import HELD_TO
from instances.operations import hosts, restore, strangers, succession, swap
from instances.operations.work import Verb, Work

_DATABASE = re.compile(r"d[0-9a-f]{24}")


@dataclass(frozen=True)
class Wish:
    """Whose it is to be. Of an existing service instance, only the GUID counts."""

    guid: str
    plan: ServicePlan
    name: str = ""
    organization_guid: str = ""
    space_guid: str = ""


def accept(host: DockerHost, name: str, wish: Wish, *, actor: Actor) -> Operation:
    """Record the wish. Raise NotFound, InvalidRequest, Conflict, HostUnreachable."""
    status = strangers.look(host, name)
    if find_configurable(wish.plan.offering.engine):
        raise errors.InvalidRequest(
            "plan: nothing is known of where this image keeps its data."
        )
    return _record(host, status, wish, actor)


@transactions.repeated
@transaction.atomic
def _record(
    host: DockerHost, status: ContainerStatus, wish: Wish, actor: Actor
) -> Operation:
    DockerHost.objects.select_for_update().get(pk=host.pk)
    instance = ServiceInstance.objects.find_live(wish.guid)
    former = instance.container if instance else None
    plan = instance.plan if instance else wish.plan
    stranger = strangers.record(host, status, plan)
    if instance is None:
        strangers.lease(host, status, stranger)
        instance = _new(wish, stranger)
    elif former is None or former.lost_at is None or former.host_id != host.pk:
        raise errors.Conflict(
            "guid: a service instance has it, and has not lost its container here."
        )
    else:
        PortLease.objects.filter(container=former).update(container=stranger)
        instance.container = stranger
        instance.save(update_fields=["container"])
    request = {
        "container": status.name,
        "host": host.pk,
        "former": str(former.pk) if former else "",
    }
    AuditEvent.record(actor, "adopt", instance, container=status.name, host=host.name)
    return Operation.objects.enqueue(Kind.ADOPT, instance, actor=actor, request=request)


def _new(wish: Wish, stranger: Container) -> ServiceInstance:
    instance = ServiceInstance.new(
        guid=wish.guid,
        plan=wish.plan,
        context={"instance_name": wish.name} if wish.name else {},
        organization_guid=wish.organization_guid,
        space_guid=wish.space_guid,
        maintenance_version=wish.plan.maintenance_version,
        container=stranger,
    )
    instance.save(force_insert=True)
    return instance


class FromStranger(swap.OwnData):
    """Its data, for the bindings that are known."""

    def admin_secret(self, former: Container) -> str:
        """Another than the data's: that has the image shut its users out."""
        return new_secret()

    def prepare(self, work: Work, former: Container) -> None:
        """Nobody can log in to mark it."""

    def check(self, work: Work, successor: Container) -> None:
        work.step("looking for the data")
        instance = work.operation.instance
        names = get_engine(successor.engine).databases(hosts.endpoint(successor))
        if names is not None:
            found = {name for name in names if _DATABASE.fullmatch(name)}
            _name(work, instance, found)
        restore.let_in(instance, successor)

    def wipe(self, operation: Operation, container: Container) -> None:
        """Nothing was written."""


def _name(work: Work, instance: ServiceInstance, found: set[str]) -> None:
    """Know the database by its name in there. Raise ContainerFailed."""
    if instance.database in found:
        return
    if len(found) != 1:
        names = ", ".join(sorted(found)) or "none"
        raise errors.ContainerFailed(
            "The container does not hold the database of one service instance.",
            detail=f"databases of service instances in it: {names}",
        )
    with work.fenced():
        instance.restored_name = found.pop()
        instance.save(update_fields=["restored_name"])


def _perform(work: Work) -> None:
    instance = work.operation.instance
    assert instance.container is not None
    made_with = {name: getattr(instance.plan, name) for name in (*MADE_WITH, *HELD_TO)}
    swap.swap(work, instance.container, made_with, FromStranger())
    _succeed(work)


def _succeed(work: Work) -> None:
    operation, instance = work.operation, work.operation.instance
    assert instance.container is not None
    state = ServiceInstance.State
    with work.succeeding():
        successor = succession.decided(instance.container)
        assert successor is not None
        succession.finish(instance, successor)
        if operation.request["former"]:
            Container.objects.get(pk=operation.request["former"]).retire()
        else:
            instance.move(state.READY, only_from=(state.PROVISIONING,))


def _give_up(work: Work, error: errors.BrokerError) -> None:
    """The container is what it was: without a row, and shown for adoption."""
    instance = work.operation.instance
    stranger = instance.container
    assert stranger is not None
    if succession.is_decided(work, stranger, FromStranger(), error):
        return _succeed(work)
    successors = list(stranger.successors.select_related("host"))
    with work.failing(error):
        _forget(work.operation, stranger)
    for successor in successors:
        # It has the port.
        with suppress(errors.BrokerError):
            hosts.remove_if_unwanted(successor)
    with suppress(errors.BrokerError):
        strangers.run_again(stranger)


def _forget(operation: Operation, stranger: Container) -> None:
    """Undo what accept() wrote, in a transaction of the caller's."""
    instance, former = operation.instance, operation.request["former"]
    succession.put_back(stranger)
    stranger.successors.update(succeeds=None)
    lease = PortLease.objects.filter(container=stranger)
    if former:
        lease.update(container=former)
        instance.container_id = former
        instance.save(update_fields=["container"])
    else:
        lease.delete()
        instance.container = None
        instance.save(update_fields=["container"])
        state = ServiceInstance.State
        instance.move(
            state.GONE, only_from=(state.PROVISIONING,), live_key=None, gone_at=Now()
        )
    Container.objects.filter(pk=stranger.pk).delete()


def _clean_up(work: Work) -> None:
    """A deprovision has overtaken it: what is to go, goes."""
    container = ServiceInstance.objects.get(pk=work.operation.instance_id).container
    if container is not None:
        for row in (*container.successors.all(), container):
            hosts.remove_if_unwanted(row)


VERB = Verb(perform=_perform, give_up=_give_up, clean_up=_clean_up, max_attempts=4)
