"""Standby containers: started before anyone asks, so that a provision is quick.

How many there are and should be is read from the rows at every pass: a worker that
dies leaves nothing but rows that the next one goes on from.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import transaction

from instances import errors, placement, transactions
from instances.models import Container, DockerHost, ServicePlan
from instances.operations import hosts
from instances.operations.starting import start, wait_until_ready

logger = logging.getLogger(__name__)

PAUSE_S = 30.0
"""How long a plan whose standby could not be started is left alone."""


class Standbys:
    """Keeps as many standbys of each plan as it wants; one for each worker."""

    def __init__(self, *, is_stopping: Callable[[], bool] = lambda: False) -> None:
        self._is_stopping = is_stopping
        self._paused_until: dict[str, float] = {}

    def replenish(self) -> bool:
        """Retire the surplus and start one of each plan that lacks some.

        Return whether there was anything to start.
        """
        plans = list(_plans())
        kept = _keep(plans)
        busy = False
        for plan in plans:
            if self._is_stopping() or self._is_paused(plan):
                continue
            container = _taken_up(kept[plan.pk])
            if container is None and len(kept[plan.pk]) < plan.standby:
                container = self._placed(plan)
            if container is not None:
                busy = True
                self._start(plan, container)
        return busy

    def _is_paused(self, plan: ServicePlan) -> bool:
        return time.monotonic() < self._paused_until.get(plan.pk, 0.0)

    def _pause(self, plan: ServicePlan, error: errors.BrokerError) -> None:
        self._paused_until[plan.pk] = time.monotonic() + PAUSE_S
        logger.warning(
            "plan=%s has no new standby for %.0f s: %s", plan, PAUSE_S, error.detail
        )

    @transactions.repeated
    def _placed(self, plan: ServicePlan) -> Container | None:
        """A new row, claimed; None if another worker has been quicker."""
        try:
            with transaction.atomic():
                container = placement.place_standby(plan)
                container.claim()
                # Counted with the host locked: the second of two workers on one
                # host sees the first one's row. On two hosts, one is retired later.
                rows = Container.objects.standbys().filter(plan=plan)
                if rows.count() > plan.standby:
                    transaction.set_rollback(True)
                    return None
        except errors.NoCapacity as error:
            self._pause(plan, error)
            return None
        return container

    def _start(self, plan: ServicePlan, container: Container) -> None:
        attempt = _Attempt(container, is_stopping=self._is_stopping)
        try:
            start(container, step=attempt.step, fenced=attempt.fenced)
            wait_until_ready(container, step=attempt.step, check=attempt.check)
            attempt.succeed()
        except errors.Interrupted:
            container.let_go()
        except errors.LeaseLost as error:
            logger.warning("container=%s: %s", container, error.detail)
            _remove_if_unwanted(container)
        except errors.BrokerError as error:
            if isinstance(error, errors.HostUnreachable):
                hosts.note_failure(container.host, error)
            container.dismiss()
            self._pause(plan, error)


class _Attempt:
    """What starting.py wants to know, answered by the container's own row."""

    def __init__(
        self, container: Container, *, is_stopping: Callable[[], bool]
    ) -> None:
        self._container, self._is_stopping = container, is_stopping

    def step(self, text: str) -> None:
        self.check()
        logger.info("container=%s standby: %s", self._container, text)

    def check(self) -> None:
        # The fence first, as in work.py.
        self._container.hold()
        if self._is_stopping():
            raise errors.Interrupted

    @contextmanager
    def fenced(self) -> Iterator[None]:
        with transaction.atomic():
            # The host first, as in placement, where a standby may have to go.
            DockerHost.objects.select_for_update().get(pk=self._container.host_id)
            self._container.hold()
            yield

    def succeed(self) -> None:
        """Ready to be handed out. Raise LeaseLost."""
        container = self._container
        container.stand_by()
        logger.info("container=%s is a standby of plan=%s", container, container.plan)


def _plans() -> Iterator[ServicePlan]:
    rows = ServicePlan.objects.filter(active=True, offering__active=True)
    yield from rows.filter(standby__gt=0).select_related("offering")


def _keep(plans: list[ServicePlan]) -> dict[str, list[Container]]:
    """Those of each plan that stay; what is too much, or not as planned, is retired."""
    wanted = {plan.pk: plan.standby for plan in plans}
    kept: dict[str, list[Container]] = defaultdict(list)
    rows = Container.objects.standbys().select_related("host", "plan__offering")
    # By the alphabet "standby" comes before "starting": what is ready stays, and
    # every worker sees the same order.
    for row in rows.order_by("state", "created_at", "pk"):
        place = kept[row.plan_id or ""]
        if (
            len(place) < wanted.get(row.plan_id or "", 0)
            and row.host.state == DockerHost.State.ACTIVE
            and row.is_as_planned()
        ):
            place.append(row)
        elif row.dismiss():
            logger.info("container=%s is not wanted as a standby any more", row)
    return kept


def _taken_up(kept: list[Container]) -> Container | None:
    """One that a worker has left behind half started."""
    starting = (row for row in kept if row.state == Container.State.STARTING)
    return next((row for row in starting if row.claim()), None)


def _remove_if_unwanted(container: Container) -> None:
    try:
        hosts.remove_if_unwanted(container)
    except errors.BrokerError as error:
        # Reconciliation will find it.
        logger.warning("container=%s does not go away: %s", container, error.detail)
