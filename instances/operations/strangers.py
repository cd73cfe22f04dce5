"""Strangers: containers with this broker's label that no row knows."""

from instances import errors
from instances.containers import ContainerSpec, ContainerStatus
from instances.models import (
    Actor,
    AuditEvent,
    Container,
    DockerHost,
    Finding,
    PortLease,
    ServicePlan,
)
from instances.models.container import MADE_WITH
from instances.models.disk import HELD_TO
from instances.operations import hosts
from instances.operations.reconcile.observation import label_of


def find(host: DockerHost, name: str) -> Finding:
    """Raise NotFound if it is not one that was found there without a row."""
    rows = Finding.objects.filter(host=host, kind=Finding.Kind.UNKNOWN, name=name)
    found = rows.first()
    if found is None:
        raise errors.NotFound(f"There is no container {name} here without a row.")
    return found


def look(host: DockerHost, name: str) -> ContainerStatus:
    find(host, name)
    status = hosts.connect(host).find(name)
    if status is None:
        raise errors.NotFound(f"Docker on {host} has no container {name} any more.")
    label = label_of(status)
    if label is None or Container(pk=label).name != name:
        raise errors.InvalidRequest(
            f"{name} does not have the name that its label says: see what it is, and "
            "give it that name with docker rename."
        )
    if Container.objects.filter(pk=label).exists():
        raise errors.Conflict(f"{name} has a row by now.")
    return status


def remove(host: DockerHost, name: str, *, actor: Actor) -> None:
    """For good, with its data. Raise NotFound, HostUnreachable."""
    find(host, name)
    status = hosts.connect(host).find(name)
    label = label_of(status) if status else None
    known = Container.objects.filter(pk=label).first() if label else None
    if known is not None and known.name == name:
        raise errors.NotFound(f"{name} has a row by now.")
    AuditEvent.objects.create(
        actor_kind=actor.kind,
        actor_name=actor.name[:255],
        action="remove stranger",
        target=f"container {name} on Docker host {host.name}"[:600],
    )
    hosts.connect(host).remove(name)
    Finding.objects.filter(host=host, name=name, kind=Finding.Kind.UNKNOWN).delete()


def record(host: DockerHost, status: ContainerStatus, plan: ServicePlan) -> Container:
    """Without its secret, which nobody knows."""
    made_with = {name: getattr(plan, name) for name in (*MADE_WITH, *HELD_TO)}
    return Container.objects.create(
        pk=label_of(status),
        host=host,
        plan=plan,
        engine=plan.offering.engine,
        admin_secret="",
        state=Container.State.KEPT,
        **{**made_with, "image": status.image[:255]},
    )


def lease(host: DockerHost, status: ContainerStatus, stranger: Container) -> None:
    """Its own port if nobody has that: apps know it. Raise NoCapacity."""
    for number in status.ports:
        rows = PortLease.objects.filter(host=host, number=number)
        if not rows.exists():
            PortLease.objects.create(host=host, number=number, container=stranger)
            return
        if rows.filter(container=None).update(
            container=stranger, resting_until=None, reason=""
        ):
            return
    PortLease.objects.reserve(stranger, host)


def run_again(stranger: Container) -> None:
    """As it ran before it was stopped, Docker's policy included."""
    docker = hosts.connect(stranger.host)
    status = docker.find(stranger.name)
    if status is None or status.limits is None:
        return
    docker.limit(
        ContainerSpec(
            name=stranger.name,
            image=status.image,
            environment={},
            port=0,
            publish_address=stranger.host.publish_address,
            publish_port=None,
            memory_mb=status.limits.memory_mb,
            cpus=status.limits.cpus,
            pids=status.limits.pids,
        )
    )
    docker.start(stranger.name)
