"""Ghosts: users that a database still has although what they were for has ended.

A clean-up that was cut short may leave one: of a binding, or a swap's mark; and the
witness of the backup that the instance began with. One that
the rows do not know at all is named and left alone, since they may have been restored
from an older copy (FAILURES F120).
"""

import logging
from datetime import datetime

from instances.engines import get_engine
from instances.models import Container, Kind, ServiceBinding, ServiceInstance
from instances.operations import hosts, swap

logger = logging.getLogger(__name__)

PERIOD_MIN = 60


def is_due(container: Container, now: datetime) -> bool:
    """True for one minute of every period, which differs among containers.

    A minute that is missed comes again.
    """
    minute = int(now.timestamp()) // 60
    return minute % PERIOD_MIN == container.pk.int % PERIOD_MIN


def sweep(container: Container) -> None:
    """Drop the ghosts of a container in use. Raise EngineUnreachable."""
    ready = ServiceInstance.objects.filter(state=ServiceInstance.State.READY)
    instance = ready.filter(container=container).first()
    if instance is None:
        return
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    # The database first: a user that is listed here has had its row before.
    found = engine.users(endpoint)
    bindings, gone = _users_of(instance), ServiceBinding.State.GONE
    ghosts = [name for name in sorted(found) if bindings.get(name, gone) == gone]
    marks = _marks_of(instance) if ghosts else {}
    source = instance.restored_from
    if source is not None:
        engine.remove_witness(endpoint, source.database, source.witness)
    for name in ghosts:
        if name in bindings or marks.get(name):
            logger.warning("container=%s drops %s, which has ended", container, name)
            engine.drop_user(endpoint, name)
        elif name not in marks:
            logger.warning("container=%s: user %s has no row", container, name)


def _users_of(instance: ServiceInstance) -> dict[str, str]:
    """The state of each binding that there ever was, by the user's name."""
    return {row.username: row.state for row in instance.bindings.only("state")}


def _marks_of(instance: ServiceInstance) -> dict[str, bool]:
    """Whether the operation has ended, by the mark that it may have left."""
    updates = instance.operations.filter(kind=Kind.UPDATE).only("state")
    return {swap.mark_of(row): row.is_finished for row in updates}
