"""Where a new container goes: a host with room, and a port on it."""

from django.db import transaction

from instances import errors
from instances.engines import new_secret
from instances.models import Container, DockerHost, PortLease, ServicePlan


def check_capacity(plan: ServicePlan) -> None:
    """Raise NoCapacity if no active host has room for the plan now."""
    if not _candidates(plan):
        raise errors.NoCapacity(
            detail=f"no active host has {plan.memory_mb} MiB of its budget left"
        )


def place(plan: ServicePlan) -> Container:
    """Choose a host, lease a port and write the container's row.

    Raise NoCapacity. Belongs into a transaction: the host's row stays locked, so
    that two at once cannot take the same room.
    """
    for candidate in _candidates(plan):
        host = DockerHost.objects.select_for_update().get(pk=candidate.pk)
        if host.free_memory_mb() < plan.memory_mb:
            continue
        try:
            return _place_on(host, plan)
        except errors.NoCapacity:
            continue  # every port is taken: the next one may have some
    raise errors.NoCapacity(detail=f"no active host has {plan.memory_mb} MiB left")


def _place_on(host: DockerHost, plan: ServicePlan) -> Container:
    """The row and its port, or neither. Raise NoCapacity. Needs the host's lock."""
    with transaction.atomic():
        container = Container.objects.create(
            host=host,
            engine=plan.offering.engine,
            image=plan.image,
            memory_mb=plan.memory_mb,
            cpus=plan.cpus,
            pids=plan.pids,
            admin_secret=new_secret(),
        )
        PortLease.objects.reserve(container, host)
    return container


def _candidates(plan: ServicePlan) -> list[DockerHost]:
    """Active hosts with room: those that answered last time first, then emptiest."""
    roomy = [
        (bool(host.problem), -free, host.pk, host)
        for host in DockerHost.objects.filter(state=DockerHost.State.ACTIVE)
        if (free := host.free_memory_mb()) >= plan.memory_mb
    ]
    return [row[-1] for row in sorted(roomy)]
