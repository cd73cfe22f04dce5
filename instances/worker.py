"""The worker process: claims operations, keeps leases, reconciles hosts.

What may hang on a host runs in a thread of its own: one slow or frozen host delays
only itself (FAILURES I13).
"""

import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import close_old_connections, connection
from django.utils import timezone

from instances.crew import Crew, Job, Lanes
from instances.host_keeping import HOUSEKEEPING_LIMITS, HostKeeping
from instances.models import BackupCopy, HostImage, Operation, Worker
from instances.operations import backup_copies, bulk, platform_lookup, prestage
from instances.operations.back_up import PAUSE_LIMIT_S
from instances.operations.execution import run
from instances.operations.proof import prove_next
from instances.operations.retention import sweep
from instances.operations.standby import Standbys
from instances.watchdog import Pulse, Watchdog

logger = logging.getLogger(__name__)

IDLE_POLL_S = 0.01
"""However many threads are idle: one looks for all."""
LOOK_S = 0.5
BEAT_S = 10.0
"""A third of what a worker may be silent for, at most."""
STOP_LIMIT_S = 7.0
"""Cloud Foundry kills ten seconds after SIGTERM."""
ERROR_PAUSE_S = 2.0
BACKUP_POLL_S = 1.0
BULK_POLL_S = 1.0
LOOK_UP_POLL_S = 5.0
EXIT_HUNG = 70
"""The exit status, EX_SOFTWARE, of a process that has ended itself."""
SWEEP_INTERVAL_S = 15.0


class WorkerProcess(HostKeeping):
    """Threads that look after everything, and a crew for what they begin."""

    def __init__(self, threads: int) -> None:
        """So many operations at a time on each host, and that are not placed yet."""
        self.name = f"worker-{os.uname().nodename[:40]}-{os.getpid()}"
        self._stopping = threading.Event()
        self._lanes = Lanes(threads)
        self._owners = (f"{self.name}-{number}" for number in itertools.count())
        self._free_owners: list[str] = []
        self._crew = Crew(self._once, farewell=lambda: connection.close())
        self._finished = threading.Event()
        self._sweep_at = 0.0
        self._health_at: dict[int, float] = {}
        self._watchdog = Watchdog(LOOK_S)
        self._lost: list[Pulse] = []
        self._here = threading.local()
        self._standbys = Standbys(is_stopping=self._is_stopping)

    @property
    def has_hung(self) -> bool:
        return bool(self._lost)

    def run(self) -> None:
        """Work until stop() is called; then finish or hand back within seconds."""
        logger.info("worker=%s starts", self.name)
        threads = [self._start(*loop) for loop in self._loops()]
        # With a time-out: a signal that another thread receives does not wake this one.
        while not self._stopping.wait(LOOK_S):
            self._look()
        deadline = time.monotonic() + STOP_LIMIT_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._crew.dismiss()
        for thread in self._crew.threads:
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
            self._sample,
            self._keep_standbys,
            self._keep_backups,
            self._prestage,
            self._copy_backups,
            self._advance_bulk_runs,
            self._look_up_platform,
        ]
        return [
            ("beat", self._beat, limit_s + BEAT_S),
            *(
                (body.__name__.strip("_"), body, limit_s * HOUSEKEEPING_LIMITS)
                for body in housekeeping
            ),
            ("dispatch", self._dispatch, limit_s),
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
            if not self._once(body):
                self._stopping.wait(ERROR_PAUSE_S)
        connection.close()

    @contextmanager
    def _watched(self, name: str, limit_s: float) -> Iterator[None]:
        """What a thread of the crew does in here has a pulse of its own."""
        pulse = self._watchdog.pulse(name, limit_s)
        pulse.thread = threading.current_thread()
        before = getattr(self._here, "pulse", None)
        self._here.pulse = before or pulse
        try:
            yield
        finally:
            self._here.pulse = before
            self._watchdog.forget(pulse)

    def _is_stopping(self) -> bool:
        """What all work asks at each step: a sign of life of its thread."""
        pulse: Pulse | None = getattr(self._here, "pulse", None)
        if pulse is not None:
            pulse.show_life()
        return self._stopping.is_set()

    def _once(self, body: Job) -> bool:
        """Run it, and let nothing out of it; whether it went well."""
        try:
            close_old_connections()
            body()
        except DatabaseTrouble as error:
            logger.warning("worker=%s: database: %s", self.name, error)
            return False
        except Exception:
            logger.exception("worker=%s has a bug", self.name)
            return False
        return True

    def _dispatch(self) -> None:
        """Claim what is due and hand it to the crew, a few at a time for each host."""
        self._finished.clear()
        owner = self._free_owners.pop() if self._free_owners else next(self._owners)
        full = self._lanes.full()
        operation = Operation.objects.claim_next(owner, except_on=full)
        if operation is None:
            self._free_owners.append(owner)
            # Somebody who ends makes room; else there may be something new.
            self._finished.wait(IDLE_POLL_S)
            return
        container = operation.instance.container
        self._lanes.enter(owner, container.host_id if container else None)
        self._crew.do(partial(self._work, operation, owner))

    def _work(self, operation: Operation, owner: str) -> None:
        """What the database cuts short is anyone's again once its lease has run out.

        Its owner is not used again: another operation's heartbeat would keep it.
        """
        try:
            with self._watched(owner, float(settings.WATCHDOG_S)):
                self._expect(operation)
                run(operation, is_stopping=self._is_stopping)
            self._free_owners.append(owner)
        finally:
            self._lanes.leave(owner)
            self._finished.set()

    def _expect(self, operation: Operation) -> None:
        """One call of it may last until its deadline. Deletions go on after theirs."""
        pulse: Pulse | None = getattr(self._here, "pulse", None)
        if pulse is not None:
            left = operation.deadline_at - timezone.now()
            pulse.expect(max(left.total_seconds(), PAUSE_LIMIT_S))

    def _beat(self) -> None:
        Worker.objects.beat(self.name)
        for owner in self._lanes.owners():
            Operation.objects.renew(owner)
        HostImage.objects.renew(self.name)
        BackupCopy.objects.renew(self.name)
        self._stopping.wait(min(BEAT_S, settings.OPERATION_LEASE_S / 3))

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

    def _advance_bulk_runs(self) -> None:
        bulk.advance()
        self._stopping.wait(BULK_POLL_S)

    def _look_up_platform(self) -> None:
        platform_lookup.look_up_if_due(is_stopping=self._is_stopping)
        self._stopping.wait(LOOK_UP_POLL_S)

    def _hand_back(self) -> None:
        """Whatever a thread could not finish is anyone's again."""
        # What one that hangs is at was an attempt, and counts (FAILURES F26).
        hung = {pulse.name for pulse in self._lost}
        for owner in self._lanes.owners():
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
