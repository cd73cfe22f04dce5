"""A worker whose loops are run by the test, in its own thread."""

import threading
from unittest import mock

from instances.worker import WorkerProcess
from tests.instances.base import DomainTestCase


class WorkerParts(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.process = WorkerProcess(threads=1)
        self.process._stopping = mock.Mock(wraps=threading.Event())
        self.process._stopping.wait.side_effect = lambda *_: None
        # This thread's connection is the test's: it stays open.
        for name in ("connection", "close_old_connections"):
            self.enterContext(mock.patch(f"instances.worker.{name}"))
        self.process._crew.do = lambda job: job()
