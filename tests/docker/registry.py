"""A registry on loopback, which Docker trusts without TLS."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: {deletes}}}}}
http: {{addr: "{address}"}}
"""


def is_missing() -> bool:
    """CI has it, or fails."""
    return not shutil.which("docker-registry") and not os.environ.get("CI")


class Registry:
    """Use as a context manager; `address` is how its images' names begin."""

    def __init__(self, *, deletes: bool = False) -> None:
        self._deletes = str(deletes).lower()

    def __enter__(self) -> "Registry":
        self._folder = Path(tempfile.mkdtemp(prefix="brokersite-registry-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        config = self._folder / "config.yml"
        config.write_text(
            CONFIG.format(
                folder=self._folder, address=self.address, deletes=self._deletes
            )
        )
        self._process = subprocess.Popen(["docker-registry", "serve", str(config)])
        deadline = time.monotonic() + 30
        while not self._answers(port):
            assert time.monotonic() < deadline and self._process.poll() is None
            time.sleep(0.05)
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)

    def _answers(self, port: int) -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", port)) == 0
