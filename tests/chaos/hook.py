"""What the lab does to the product's processes: shorter pauses, and perhaps a mutant.

Only how often the product looks is changed, never what it does then: the history is
compressed, and so is what it takes minutes for.
"""

import importlib
import os
import time
from datetime import datetime, timedelta, tzinfo

from django.apps import AppConfig
from django.utils import timezone


class ChaosConfig(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        compress()
        shift_clock(timedelta(seconds=int(os.environ.get("CHAOS_CLOCK_S", "0"))))
        mutant = os.environ.get("CHAOS_MUTANT")
        if mutant:
            importlib.import_module(f"tests.chaos.mutants.{mutant}").install()


def shift_clock(off: timedelta) -> None:
    """This process's own clock is so far off; that of its database is right (F25)."""
    if not off:
        return

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + off

    real = time.time
    time.time = lambda: real() + off.total_seconds()
    timezone.datetime = Shifted  # type: ignore[attr-defined]


def compress() -> None:
    from instances import host_keeping, worker
    from instances.containers import docker_disk
    from instances.operations import back_up, execution, ghosts
    from instances.operations.reconcile import findings, observation, settling

    host_keeping.RECONCILE_INTERVAL = timedelta(seconds=3)
    host_keeping.MEASURE_INTERVAL = timedelta(seconds=20)
    worker.SWEEP_INTERVAL_S = 3.0
    execution.LONGEST_DELAY_S = 8.0
    findings.NOBODYS_AFTER = findings.LEFT_AFTER = timedelta(seconds=20)
    observation.INSPECTED_EVERY_MIN = 1
    settling.PATIENCE = timedelta(seconds=5)
    back_up.PAUSE_LIMIT_S = 30.0
    docker_disk.LEFT_AFTER_S = 10
    ghosts.PERIOD_MIN = 1
