"""Where a new container goes: a host with room, and a port on it.

Standby containers use what room is left over: they give way to a service instance,
never to each other.
"""

from django.db import transaction

from instances import errors
from instances.engines import new_secret
from instances.models import Container, DockerHost, PortLease, ServicePlan
from instances.models.container import MADE_WITH
from instances.models.disk import HELD_TO


def check_capacity(plan: ServicePlan) -> None:
    """Raise NoCapacity if no active host has room, or could make room, for it now."""
    if not _candidates(plan):
        raise errors.NoCapacity(
            detail=f"no active host has {plan.memory_mb} MiB of its budget left"
        )


def place(plan: ServicePlan) -> Container:
    """Choose a host, lease a port and write the container's row.

    Where no host has room, standbys of one are retired. Raise NoCapacity. Belongs
    into a transaction: the host's row stays locked, so that two at once cannot take
    the same room.
    """
    return _place(plan, _candidates(plan), may_displace=True)


def place_standby(plan: ServicePlan) -> Container:
    """As place(), on a host that answers, and without retiring anything."""
    roomy = [
        host
        for host in _candidates(plan)
        if not host.problem and host.free_memory_mb() >= plan.memory_mb
    ]
    return _place(plan, roomy, may_displace=False)


def _place(
    plan: ServicePlan, candidates: list[DockerHost], *, may_displace: bool
) -> Container:
    for candidate in candidates:
        host = DockerHost.objects.select_for_update().get(pk=candidate.pk)
        try:
            return _place_on(host, plan, may_displace=may_displace)
        except errors.NoCapacity:
            continue  # no port or no memory any more: the next one may have some
    raise errors.NoCapacity(detail=f"no active host has {plan.memory_mb} MiB left")


@transaction.atomic
def _place_on(host: DockerHost, plan: ServicePlan, *, may_displace: bool) -> Container:
    """The row and its port, or neither. Raise NoCapacity. Needs the host's lock."""
    # The row before the room: it waits for the plan's lock, and whoever has that may
    # be claiming a standby.
    container = Container.objects.create(
        host=host,
        plan=plan,
        engine=plan.offering.engine,
        admin_secret=new_secret(),
        **{name: getattr(plan, name) for name in (*MADE_WITH, *HELD_TO)},
    )
    PortLease.objects.reserve(container, host)
    make_room(host, may_displace=may_displace)
    return container


def make_room(host: DockerHost, *, may_displace: bool = True) -> None:
    """See that the budget holds what is on the host by now; standbys give way.

    Raise NoCapacity. Belongs into a transaction that has locked the host's row.
    """
    lacking_mb = -host.free_memory_mb()
    if lacking_mb > 0 and may_displace:
        lacking_mb -= displace_standbys(host, lacking_mb)
    if lacking_mb > 0:
        raise errors.NoCapacity(detail=f"host {host} lacks {lacking_mb} MiB")


def displace_standbys(host: DockerHost, wanted_mb: int) -> int:
    """Retire so many that they give this memory; return how much they do give.

    The newest go first. Belongs into a transaction that has locked the host's row.
    """
    given_mb = 0
    for standby in host.containers.standbys().order_by("-created_at"):
        if given_mb >= wanted_mb:
            break
        if standby.dismiss():
            given_mb += standby.memory_mb
    return given_mb


def _candidates(plan: ServicePlan) -> list[DockerHost]:
    """Active hosts with room: those that answered last time first, then emptiest.

    Between the two: those with room go before those that can make some.
    """
    roomy = [
        (bool(host.problem), free < plan.memory_mb, -free, host.pk, host)
        for host in DockerHost.objects.filter(state=DockerHost.State.ACTIVE)
        if (free := host.free_memory_mb()) >= plan.memory_mb
        or host.free_memory_mb(without_standbys=True) >= plan.memory_mb
    ]
    return [row[-1] for row in sorted(roomy)]
