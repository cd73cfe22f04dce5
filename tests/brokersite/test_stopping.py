"""Stopping: the router hears of it a moment later than the process does."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection

from django.test import SimpleTestCase

from brokersite.stopping import ROUTE_REMOVAL_S

SERVER = """
import sys, time, types
from gunicorn.app.wsgiapp import run
def app(environ, start_response):
    time.sleep(float(environ["PATH_INFO"].strip("/") or 0))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
sys.modules["slow"] = types.SimpleNamespace(app=app)
run()
"""


class StopTest(SimpleTestCase):
    def setUp(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", SERVER, "slow:app"),
                *("--bind", f"127.0.0.1:{self.port}", "--workers", "1"),
                *("--worker-class", "gthread", "--threads", "4"),
                *("--config", "python:brokersite.serving"),
                *("--graceful-timeout", "5", "--no-control-socket"),
            ],
            env=os.environ | {"VCAP_APPLICATION": "{}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.wait_until_it_answers()

    def ask(self, path: str = "/") -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("PUT", path, body="x")
            return connection.getresponse().status
        finally:
            connection.close()

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self.ask()
                return
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def test_who_comes_after_the_signal_is_still_served(self):
        answers = []
        slow = threading.Thread(target=lambda: answers.append(self.ask("/3")))
        os.kill(self.process.pid, signal.SIGTERM)
        signalled = time.monotonic()
        slow.start()
        while time.monotonic() - signalled < ROUTE_REMOVAL_S / 2:
            assert self.ask() == 200
        assert self.process.wait(timeout=20) == 0
        slow.join()
        assert answers == [200], "what is under way is finished"
