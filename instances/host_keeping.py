"""A worker's look after its Docker hosts, each in a thread of its own."""

import logging
import threading
import time
from collections.abc import Hashable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from instances import errors
from instances.crew import Crew, Job
from instances.models import DockerHost, Operation
from instances.operations import host_disk, hosts, rotate_secret
from instances.operations.disk import measure
from instances.operations.expire import expire_overdue
from instances.operations.reconcile import reconcile

logger = logging.getLogger(__name__)

RECONCILE_INTERVAL = timedelta(seconds=30)
MEASURE_INTERVAL = timedelta(seconds=60)
HEALTH_INTERVAL_S = 5.0
HEALTH_LIMIT_S = 5
HOUSEKEEPING_LIMITS = 6
"""Times WATCHDOG_S for what may go on over many containers and images."""


class HostKeeping:
    """The part of a worker that reconciles, measures and pings hosts."""

    _stopping: threading.Event
    _crew: Crew
    _health_at: dict[int, float]

    def _watched(self, name: str, limit_s: float) -> AbstractContextManager[None]:
        raise NotImplementedError

    def _apart(self, key: tuple[str, Hashable], body: Job) -> None:
        """In a thread of the crew, unless it is still at it."""

        def watched() -> None:
            limit_s = float(settings.WATCHDOG_S) * HOUSEKEEPING_LIMITS
            with self._watched(f"{key[0]} of host {key[1]}", limit_s):
                body()

        self._crew.do_alone(key, watched)

    def _keep_house(self) -> None:
        """Reconcile each host that is due, one worker a host; end what has expired."""
        expire_overdue()
        due = Q(reconcile_after__isnull=True) | Q(reconcile_after__lte=Now())
        for host in DockerHost.objects.trusted():
            self._look_after(host)
        for host in DockerHost.objects.trusted().filter(due):
            # Not claimed while the last pass hangs: another worker may have more luck.
            if self._crew.is_busy(("reconcile", host.pk)):
                continue
            mine = DockerHost.objects.filter(due, pk=host.pk).update(
                reconcile_after=Now() + RECONCILE_INTERVAL
            )
            if mine:
                self._apart(("reconcile", host.pk), partial(self._reconcile, host))
        self._stopping.wait(1.0)

    def _look_after(self, host: DockerHost) -> None:
        """See every few seconds that it answers: each process for itself."""
        if time.monotonic() >= self._health_at.get(host.pk, 0.0):
            self._health_at[host.pk] = time.monotonic() + HEALTH_INTERVAL_S
            self._apart(("health", host.pk), partial(self._check, host))

    def _check(self, host: DockerHost) -> None:
        try:
            hosts.connect(host, timeout_s=HEALTH_LIMIT_S).ping()
        except errors.HostUnreachable as error:
            if not host.problem or isinstance(error, errors.WrongEngine):
                logger.warning("host=%s: %s", host, error.detail)
                hosts.note_failure(host, error)
            return
        if host.problem:
            logger.info("host=%s answers again", host)
            host.reconcile_soon()
            # What it owes is paid now, not at the next try (FAILURES F71, F108).
            Operation.objects.hurry(host)

    def _reconcile(self, host: DockerHost) -> None:
        try:
            reconcile(host)
            rotate_secret.settle(host)
        except errors.HostUnreachable as error:
            hosts.note_failure(host, error)
            logger.warning("host=%s: %s", host, error.detail)

    def _measure(self) -> None:
        """Hold each host's databases to their disk limits: Docker may take long."""
        due = Q(measure_after__isnull=True) | Q(measure_after__lte=Now())
        for host in DockerHost.objects.trusted().filter(due):
            if self._stopping.is_set() or self._crew.is_busy(("measure", host.pk)):
                continue
            mine = DockerHost.objects.filter(due, pk=host.pk).update(
                measure_after=Now() + MEASURE_INTERVAL
            )
            if mine:
                self._apart(("measure", host.pk), partial(self._measure_one, host))
        self._stopping.wait(1.0)

    def _measure_one(self, host: DockerHost) -> None:
        try:
            measure(host)
            host_disk.measure_if_due(host)
        except errors.HostUnreachable as error:
            logger.warning("host=%s is not measured: %s", host, error.detail)
