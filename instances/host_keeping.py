"""A worker's look after its Docker hosts, each in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from instances import errors
from instances.crew import Crew, Job
from instances.models import DockerHost, Evidence, Operation, Tombstone
from instances.operations import drain, host_disk, hosts, rotate_secret
from instances.operations.disk import measure
from instances.operations.expire import expire_overdue
from instances.operations.reconcile import reconcile
from instances.operations.sampling import sample, thin

logger = logging.getLogger(__name__)

RECONCILE_INTERVAL = timedelta(seconds=30)
MEASURE_INTERVAL = timedelta(seconds=60)
SAMPLE_INTERVAL = timedelta(seconds=60)
THIN_INTERVAL_S = 60.0
HEALTH_INTERVAL_S = 5.0
TROUBLED_INTERVAL_S = 1.0
"""Of one that is down: what it owes is to be paid soon after it is back (F71)."""
HEALTH_LIMIT_S = 5
HOUSEKEEPING_LIMITS = 6
"""Times WATCHDOG_S for what may go on over many containers and images."""


class HostKeeping:
    """The part of a worker that reconciles, measures and pings hosts."""

    _stopping: threading.Event
    _crew: Crew
    _health_at: dict[int, float]
    _thin_at = 0.0

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
            if host.state == DockerHost.State.DRAINING:
                self._apart(("drain", host.pk), partial(drain.advance, host))
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
            pause_s = TROUBLED_INTERVAL_S if host.problem else HEALTH_INTERVAL_S
            self._health_at[host.pk] = time.monotonic() + pause_s
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
        Evidence.objects.expire()

    def _measure(self) -> None:
        """Hold each host's databases to their disk limits: Docker may take long."""
        due = Q(measure_after__isnull=True) | Q(measure_after__lte=Now())
        after = {"measure_after": Now() + MEASURE_INTERVAL}
        self._begin("measure", due, after, self._measure_one)
        self._stopping.wait(1.0)

    def _begin(
        self,
        name: str,
        due: Q,
        after: dict[str, Any],
        body: Callable[[DockerHost], None],
    ) -> None:
        """On each host that is due, by one worker, which moves the next time on."""
        for host in DockerHost.objects.trusted().filter(due):
            if self._stopping.is_set() or self._crew.is_busy((name, host.pk)):
                continue
            if DockerHost.objects.filter(due, pk=host.pk).update(**after):
                self._apart((name, host.pk), partial(body, host))

    def _measure_one(self, host: DockerHost) -> None:
        try:
            measure(host)
            host_disk.measure_if_due(host)
        except errors.HostUnreachable as error:
            logger.warning("host=%s is not measured: %s", host, error.detail)

    def _sample(self) -> None:
        """A row for each host and minute, and some for what runs there."""
        if time.monotonic() >= self._thin_at:
            self._thin_at = time.monotonic() + THIN_INTERVAL_S
            thin()
            Tombstone.objects.prune()
        due = Q(sample_after__isnull=True) | Q(sample_after__lte=Now())
        after = {"sample_after": Now() + SAMPLE_INTERVAL}
        self._begin("sample", due, after, self._sample_one)
        self._stopping.wait(1.0)

    def _sample_one(self, host: DockerHost) -> None:
        try:
            sample(host)
        except errors.HostUnreachable as error:
            logger.info("host=%s is not sampled: %s", host, error.detail)
