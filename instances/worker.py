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
from django.utils import timezone

from instances import errors
from instances.models import BackupCopy, DockerHost, HostImage, Operation, Worker
from instances.operations import backup_copies, prestage
from instances.operations.back_up import PAUSE_LIMIT_S
from instances.operations.disk import measure
from instances.operations.execution import run
from instances.operations.expire import expire_overdue
from instances.operations.proof import prove_next
from instances.operations.reconcile import reconcile
from instances.operations.retention import sweep
from instances.operations.standby import Standbys
from instances.watchdog import Pulse, Watchdog

logger = logging.getLogger(__name__)

IDLE_POLL_S = 0.025
LOOK_S = 0.5
BEAT_S = 10.0
"""A third of what a worker may be silent for, at most."""
STOP_LIMIT_S = 7.0
"""Cloud Foundry kills ten seconds after SIGTERM."""
RECONCILE_INTERVAL = timedelta(seconds=30)
MEASURE_INTERVAL = timedelta(seconds=60)
ERROR_PAUSE_S = 2.0
BACKUP_POLL_S = 1.0
HOUSEKEEPING_LIMITS = 6
"""Times WATCHDOG_S for what may go on over many containers and images."""
EXIT_HUNG = 70
"""The exit status, EX_SOFTWARE, of a process that has ended itself."""
SWEEP_INTERVAL_S = 15.0


class WorkerProcess:
    """Threads that run operations, and some that look after everything else."""

    def __init__(self, threads: int) -> None:
        self.name = f"worker-{os.uname().nodename[:40]}-{os.getpid()}"
        self._owners = [f"{self.name}-{number}" for number in range(threads)]
        self._stopping = threading.Event()
        self._sweep_at = 0.0
        self._watchdog = Watchdog(LOOK_S)
        self._lost: list[Pulse] = []
        self._here = threading.local()
        self._standbys = Standbys(is_stopping=self._is_stopping)

    @property
    def has_hung(self) -> bool:
        return bool(self._lost)

    def run(self) -> None:
        """Work until stop() is called; then finish or hand back within seconds."""
        logger.info("worker=%s starts with %s threads", self.name, len(self._owners))
        threads = [self._start(*loop) for loop in self._loops()]
        # With a time-out: a signal that another thread receives does not wake this one.
        while not self._stopping.wait(LOOK_S):
            self._look()
        deadline = time.monotonic() + STOP_LIMIT_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._hand_back()
        logger.info("worker=%s stops", self.name)

    def stop(self) -> None:
        self._stopping.set()

    def _loops(self) -> list[tuple[str, Callable[[], None], float]]:
        """Name, body and how long it may be silent."""
        limit_s = float(settings.WATCHDOG_S)
        housekeeping = [
            self._keep_house,
            self._measure,
            self._keep_standbys,
            self._keep_backups,
            self._prestage,
            self._copy_backups,
        ]
        return [
            ("beat", self._beat, limit_s + BEAT_S),
            *(
                (body.__name__.strip("_"), body, limit_s * HOUSEKEEPING_LIMITS)
                for body in housekeeping
            ),
            *((owner, partial(self._work, owner), limit_s) for owner in self._owners),
        ]

    def _start(
        self, name: str, body: Callable[[], None], limit_s: float
    ) -> threading.Thread:
        pulse = self._watchdog.pulse(name, limit_s)
        pulse.thread = threading.Thread(
            target=self._guarded, args=(body, pulse), name=name, daemon=True
        )
        pulse.thread.start()
        return pulse.thread

    def _look(self) -> None:
        """End the process if a thread hangs: whoever restarts it cures that (F29)."""
        self._lost = self._watchdog.look()
        for pulse in self._lost:
            logger.critical(
                "worker=%s: %s has shown no life for %.0f s: ending the process\n%s",
                *(self.name, pulse.name, pulse.silent_s, pulse.stack()),
            )
        if self._lost:
            # What hangs may be the database, which is asked once more.
            end = threading.Timer(STOP_LIMIT_S + 1, os._exit, (EXIT_HUNG,))
            end.daemon = True
            end.start()
            self.stop()

    def _guarded(self, body: Callable[[], None], pulse: Pulse | None = None) -> None:
        """Repeat the body until told to stop; a database that is down is waited for."""
        self._here.pulse = pulse
        while not self._stopping.is_set():
            if pulse is not None:
                pulse.beat()
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

    def _is_stopping(self) -> bool:
        """What all work asks at each step: a sign of life of its thread."""
        pulse: Pulse | None = getattr(self._here, "pulse", None)
        if pulse is not None:
            pulse.show_life()
        return self._stopping.is_set()

    def _work(self, owner: str) -> None:
        operation = Operation.objects.claim_next(owner)
        if operation is None:
            self._stopping.wait(IDLE_POLL_S)
        else:
            self._expect(operation)
            run(operation, is_stopping=self._is_stopping)

    def _expect(self, operation: Operation) -> None:
        """One call of it may last until its deadline. Deletions go on after theirs."""
        pulse: Pulse | None = getattr(self._here, "pulse", None)
        if pulse is not None:
            left = operation.deadline_at - timezone.now()
            pulse.expect(max(left.total_seconds(), PAUSE_LIMIT_S))

    def _beat(self) -> None:
        Worker.objects.beat(self.name)
        for owner in self._owners:
            Operation.objects.renew(owner)
        HostImage.objects.renew(self.name)
        BackupCopy.objects.renew(self.name)
        self._stopping.wait(min(BEAT_S, settings.OPERATION_LEASE_S / 3))

    def _keep_house(self) -> None:
        """Reconcile each host that is due, one worker a host; end what has expired."""
        expire_overdue()
        due = Q(reconcile_after__isnull=True) | Q(reconcile_after__lte=Now())
        for host in DockerHost.objects.filter(due):
            mine = DockerHost.objects.filter(due, pk=host.pk).update(
                reconcile_after=Now() + RECONCILE_INTERVAL
            )
            if mine and not self._is_stopping():
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
            if mine and not self._is_stopping():
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
            backup_copies.sweep()
        if not prove_next(is_stopping=self._is_stopping):
            self._stopping.wait(BACKUP_POLL_S)

    def _prestage(self) -> None:
        """One image at a time: a build takes all of a machine."""
        image = HostImage.objects.claim_next(self.name)
        if image is None:
            self._stopping.wait(1.0)
        else:
            prestage.perform(image, is_stopping=self._is_stopping)

    def _copy_backups(self) -> None:
        """One at a time: each takes the network of two hosts."""
        copy = BackupCopy.objects.claim_next(self.name)
        if copy is None:
            self._stopping.wait(1.0)
        else:
            backup_copies.perform(copy, is_stopping=self._is_stopping)

    def _hand_back(self) -> None:
        """Whatever a thread could not finish is anyone's again."""
        # What one that hangs is at was an attempt, and counts (FAILURES F26).
        hung = {pulse.name for pulse in self._lost}
        for owner in self._owners:
            if owner in hung:
                continue
            released = Operation.objects.release(owner)
            if released:
                logger.warning("worker=%s hands back %s operations", owner, released)
        if "prestage" not in hung:
            HostImage.objects.release(self.name)
        if "copy_backups" not in hung:
            BackupCopy.objects.release(self.name)
        Worker.objects.filter(name=self.name).delete()
