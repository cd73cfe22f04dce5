"""Debts: users whose end was asked for while their database did not run.

Docker publishes a container's port as it starts it, and a database that listens lets
in whom it knows. So they are dropped as the first thing after the start, in the same
pass: the operation that waits for it comes later, and finds nothing left to do. Docker
itself may have started the container before, when its daemon came back.
"""

import logging
import time

from django.db.models import Q

from instances import errors
from instances.engines import find_configurable, get_engine
from instances.models import Container, ServiceBinding
from instances.operations import hosts

logger = logging.getLogger(__name__)

WAIT_LIMIT_S = 20.0
POLL_S = 0.01


def pay(container: Container) -> None:
    """Drop them as soon as the database listens. Raise EngineUnreachable."""
    owed = _owed(container)
    if not owed or find_configurable(container.engine):
        return
    engine, endpoint = get_engine(container.engine), hosts.endpoint(container)
    deadline = time.monotonic() + WAIT_LIMIT_S
    for binding in owed:
        while True:
            try:
                engine.drop_user(endpoint, binding.username)
                break
            except errors.EngineUnreachable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)
        logger.info("container=%s has paid: %s", container, binding.username)


def _owed(container: Container) -> list[ServiceBinding]:
    state = ServiceBinding.State
    rows = ServiceBinding.objects.filter(
        Q(state=state.DELETING) | Q(state=state.EXPIRED),
        instance__container=container,
    )
    # One that has expired and was paid for has no password any more.
    return [row for row in rows if row.state == state.DELETING or row.password]
