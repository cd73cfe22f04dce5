"""The users that a database has, beside those of its bindings.

A ghost is one that it still has although what it was for has ended: a clean-up that
was cut short may leave one, of a binding or a swap's mark. One that the rows do not
know at all is named and left alone, since they may have been restored from an older
copy (FAILURES F120). A missing one is that of a binding that somebody uses.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from instances.engines import find_configurable, get_engine
from instances.models import Container, Kind, ServiceBinding, ServiceInstance
from instances.operations import hosts, swap

PERIOD_MIN = 10
WITNESS_PERIOD = timedelta(days=1)
"""How long the witness of the backup that an instance began with is looked for."""


@dataclass(frozen=True)
class Users:
    ghosts: list[str]
    missing: list[ServiceBinding]
    unknown: list[str]


NONE = Users([], [], [])


def is_due(container: Container, now: datetime) -> bool:
    """True for one minute of every period, which differs among containers.

    A minute that is missed comes again.
    """
    minute = int(now.timestamp()) // 60
    return minute % PERIOD_MIN == container.pk.int % PERIOD_MIN


def look(container: Container) -> Users:
    """Ask the database of a container in use. Raise EngineUnreachable."""
    ready = ServiceInstance.objects.filter(state=ServiceInstance.State.READY)
    instance = ready.filter(container=container).first()
    if instance is None or find_configurable(container.engine):
        return NONE
    # A user that should be there has been made before its binding was ready.
    usable = [row for row in instance.bindings.all() if row.is_usable]
    found = get_engine(container.engine).users(hosts.endpoint(container))
    # And now the other way round: one that is there has had its row before.
    bindings, gone = _users_of(instance), ServiceBinding.State.GONE
    extra = [name for name in sorted(found) if bindings.get(name, gone) == gone]
    marks = _marks_of(instance) if extra else {}
    return Users(
        ghosts=[name for name in extra if name in bindings or marks.get(name)],
        missing=[row for row in usable if row.username not in found],
        unknown=[name for name in extra if name not in bindings and name not in marks],
    )


def drop(container: Container, name: str) -> None:
    """Raise EngineUnreachable."""
    get_engine(container.engine).drop_user(hosts.endpoint(container), name)


def wipe(container: Container) -> None:
    """Take out what a clean-up that was cut short may have left of a backup."""
    instance = getattr(container, "instance", None)
    if instance is None or instance.restored_from_id is None:
        return
    if timezone.now() - instance.created_at < WITNESS_PERIOD:
        source = instance.restored_from
        engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
        engine.remove_witness(endpoint, source.database, source.witness)


def _users_of(instance: ServiceInstance) -> dict[str, str]:
    """The state of each binding that there ever was, by the user's name."""
    return {row.username: row.state for row in instance.bindings.only("state")}


def _marks_of(instance: ServiceInstance) -> dict[str, bool]:
    """Whether the operation has ended, by the mark that it may have left."""
    updates = instance.operations.filter(kind=Kind.UPDATE).only("state")
    return {swap.mark_of(row): row.is_finished for row in updates}
