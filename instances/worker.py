"""The worker process: claims operations, keeps leases, reconciles hosts."""

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.db.models import Q
from django.db.models.functions import Now

from instances import errors
from instances.models import DockerHost, HostImage, Operation, Worker
from instances.operations import prestage
from instances.operations.disk import measure
from instances.operations.execution import run
from instances.operations.expire import expire_overdue
from instances.operations.proof import prove_next
from instances.operations.reconcile import reconcile
from instances.operations.retention import sweep
from instances.operations.standby import Standbys

logger = logging.getLogger(__name__)

IDLE_POLL_S = 0.025
STOP_LIMIT_S = 7.0
"""Cloud Foundry kills ten seconds after SIGTERM."""
RECONCILE_INTERVAL = timedelta(seconds=30)
MEASURE_INTERVAL = timedelta(seconds=60)
ERROR_PAUSE_S = 2.0
BACKUP_POLL_S = 1.0
SWEEP_INTERVAL_S = 15.0


class WorkerProcess:
    """Threads that run operations, and four that look after everything else."""

    def __init__(self, threads: int) -> None:
        self.name = f"worker-{os.uname().nodename[:40]}-{os.getpid()}"
        self._owners = [f"{self.name}-{number}" for number in range(threads)]
        self._stopping = threading.Event()
        self._sweep_at = 0.0
        self._standbys = Standbys(is_stopping=lambda: self._stopping.is_set())

    def run(self) -> None:
        """Work until stop() is called; then finish or hand back within seconds."""
        logger.info("worker=%s starts with %s threads", self.name, len(self._owners))
        bodies: list[Callable[[], None]] = [
            self._beat,
            self._keep_house,
            self._measure,
            self._keep_standbys,
            self._keep_backups,
            self._prestage,
        ]
        bodies += [partial(self._work, owner) for owner in self._owners]
        threads = [
            threading.Thread(target=self._guarded, args=(body,), daemon=True)
            for body in bodies
        ]
        for thread in threads:
            thread.start()
        # With a time-out: a signal that another thread receives does not wake this one.
        while not self._stopping.wait(0.5):
            pass
        deadline = time.monotonic() + STOP_LIMIT_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._hand_back()
        logger.info("worker=%s stops", self.name)

    def stop(self) -> None:
        self._stopping.set()

    def _guarded(self, body: Callable[[], None]) -> None:
        """Repeat the body until told to stop; a database that is down is waited for."""
        while not self._stopping.is_set():
            try:
                close_old_connections()
                body()
            except DatabaseError as error:
                logger.warning("worker=%s: database: %s", self.name, error)
                self._stopping.wait(ERROR_PAUSE_S)
            except Exception:
                logger.exception("worker=%s has a bug", self.name)
                self._stopping.wait(ERROR_PAUSE_S)
        connection.close()

    def _work(self, owner: str) -> None:
        operation = Operation.objects.claim_next(owner)
        if operation is None:
            self._stopping.wait(IDLE_POLL_S)
        else:
            run(operation, is_stopping=self._stopping.is_set)

    def _beat(self) -> None:
        Worker.objects.beat(self.name)
        for owner in self._owners:
            Operation.objects.renew(owner)
        HostImage.objects.renew(self.name)
        self._stopping.wait(settings.OPERATION_LEASE_S / 3)

    def _keep_house(self) -> None:
        """Reconcile each host that is due, one worker a host; end what has expired."""
        expire_overdue()
        due = Q(reconcile_after__isnull=True) | Q(reconcile_after__lte=Now())
        for host in DockerHost.objects.filter(due):
            mine = DockerHost.objects.filter(due, pk=host.pk).update(
                reconcile_after=Now() + RECONCILE_INTERVAL
            )
            if mine:
                self._reconcile(host)
        self._stopping.wait(1.0)

    def _reconcile(self, host: DockerHost) -> None:
        try:
            reconcile(host)
        except errors.HostUnreachable as error:
            host.note_contact(error.detail)
            logger.warning("host=%s: %s", host, error.detail)

    def _measure(self) -> None:
        """Hold each host's databases to their disk limits, in a thread of its own.

        Docker may take long to tell the sizes: the other hosts wait for no more.
        """
        due = Q(measure_after__isnull=True) | Q(measure_after__lte=Now())
        for host in DockerHost.objects.filter(due):
            mine = DockerHost.objects.filter(due, pk=host.pk).update(
                measure_after=Now() + MEASURE_INTERVAL
            )
            if mine and not self._stopping.is_set():
                try:
                    measure(host)
                except errors.HostUnreachable as error:
                    logger.warning("host=%s is not measured: %s", host, error.detail)
        self._stopping.wait(1.0)

    def _keep_standbys(self) -> None:
        if not self._standbys.replenish():
            self._stopping.wait(1.0)

    def _keep_backups(self) -> None:
        if time.monotonic() > self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_INTERVAL_S
            sweep()
        if not prove_next(is_stopping=self._stopping.is_set):
            self._stopping.wait(BACKUP_POLL_S)

    def _prestage(self) -> None:
        """One image at a time: a build takes all of a machine."""
        image = HostImage.objects.claim_next(self.name)
        if image is None:
            self._stopping.wait(1.0)
        else:
            prestage.perform(image, is_stopping=self._stopping.is_set)

    def _hand_back(self) -> None:
        """Whatever a thread could not finish is anyone's again."""
        for owner in self._owners:
            released = Operation.objects.release(owner)
            if released:
                logger.warning("worker=%s hands back %s operations", owner, released)
        HostImage.objects.release(self.name)
        Worker.objects.filter(name=self.name).delete()
