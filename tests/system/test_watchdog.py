"""The worker's process as the platform sees it: whether it ends, and with which status.

It has an empty database and no Docker host.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from django.test import SimpleTestCase

from instances.worker import EXIT_HUNG
from tests.system.site import ROOT, wait_for, wait_until_stopped

LIMIT_S = 1.0
HANGING = f"""
import sys, threading
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from instances import worker
settings.WATCHDOG_S = {LIMIT_S}
worker.BEAT_S = 0.3
def hang_for_ever(*_):
    threading.Event().wait()
if sys.argv[1:]:
    setattr(worker.WorkerProcess, sys.argv[1], hang_for_ever)
call_command("worker")
"""


class WorkerTest(SimpleTestCase):
    def setUp(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.database = Path(folder) / "brokersite.sqlite3"
        self.log = Path(folder) / "log"
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "brokersite.settings",
            "SECRET_KEY": "system-" + "0123456789" * 5,
            "ENCRYPTION_KEYS": "bm90LWEtc2VjcmV0LWtleS1mb3ItdGVzdHMtb25seSE=",
            "DATABASE_PATH": str(self.database),
            "LOG_FORMAT": "json",
            "CF_INSTANCE_INDEX": "0",
        }
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=self.environment, check=True)

    def start(self, *hanging: str) -> "subprocess.Popen[bytes]":
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", HANGING, *hanging],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def beats(self) -> list[str]:
        connection = sqlite3.connect(self.database, timeout=20)
        found = connection.execute("SELECT seen_at FROM instances_worker").fetchall()
        connection.close()
        return [seen_at for (seen_at,) in found]

    def test_a_thread_that_hangs_ends_it_and_is_named(self):
        """F29."""
        for hanging, name in (("_beat", "beat"), ("_dispatch", "dispatch")):
            process = self.start(hanging)
            assert process.wait(30) == EXIT_HUNG, self.log.read_text()
            line = next(line for line in self.lines() if line["level"] == "CRITICAL")
            assert f"{name} has shown no life" in line["message"]
            assert "hang_for_ever" in line["message"]
            assert (line["process"], line["instance_index"]) == ("-c", "0")

    def test_the_time_in_which_it_was_stopped_is_no_silence(self):
        """F29: SIGSTOP is no reason to end."""
        process = self.start()
        wait_for(self.beats, "the first heartbeat")
        process.send_signal(signal.SIGSTOP)
        wait_until_stopped(process)
        # Not to wait for something: the time itself is what is tested.
        time.sleep(8 * LIMIT_S)
        before = self.beats()
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: self.beats() not in ([], before), "another heartbeat")
        assert process.poll() is None
        self.assert_stops(process)

    def test_sigterm_ends_it_in_order(self):
        """F28."""
        process = self.start()
        wait_for(self.beats, "the first heartbeat")
        self.assert_stops(process)

    def assert_stops(self, process: "subprocess.Popen[bytes]") -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0, self.log.read_text()
        assert self.beats() == []
        assert {line["level"] for line in self.lines()} == {"INFO"}
