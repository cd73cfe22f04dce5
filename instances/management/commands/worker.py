"""manage.py worker: run operations until SIGTERM or Ctrl-C."""

import os
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from instances.operations.installation import check_readable
from instances.worker import EXIT_HUNG, WorkerProcess


class Command(BaseCommand):
    help = "Run operations, reconcile the hosts and keep standby containers."

    def handle(self, *args: Any, **options: Any) -> None:
        check_readable()
        process = WorkerProcess(threads=settings.WORKER_THREADS)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: process.stop())
        process.run()
        # A thread may still hang in a call to a dead host: do not wait for it.
        self.stdout.flush()
        os._exit(EXIT_HUNG if process.has_hung else 0)
