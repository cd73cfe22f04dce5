"""A Docker Engine over ssh: a real sshd on loopback that only runs the dial command."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers import Access, connect
from tests.docker import engine_under_test as real

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


def cannot_run() -> bool:
    """CI installs it, or fails."""
    can = Path(SSHD).exists() and shutil.which("ssh") and shutil.which("docker")
    return not can and not os.environ.get("CI")


@pytest.mark.skipif(cannot_run(), reason="needs Debian's openssh-server and docker")
class SshTest(SimpleTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="brokersite-sshd-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        for name in ("host", "client", "stranger"):
            path = str(cls.folder / name)
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True
            )
        cls.start_sshd()

    @classmethod
    def start_sshd(cls) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            cls.port = listener.getsockname()[1]
        forced = f'command="docker -H {real.url()} system dial-stdio",restrict '
        public = (cls.folder / "client.pub").read_text()
        (cls.folder / "authorized").write_text(forced + public)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        options = {
            "HostKey": cls.folder / "host",
            "AuthorizedKeysFile": cls.folder / "authorized",
            "ListenAddress": "127.0.0.1",
            "PidFile": "none",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
        }
        words = [f"-o{name}={value}" for name, value in options.items()]
        command = [SSHD, "-D", "-e", "-f", "/dev/null", "-p", str(cls.port), *words]
        with (cls.folder / "log").open("wb") as log:
            sshd = subprocess.Popen(command, stderr=log)
        cls.addClassCleanup(sshd.wait)
        cls.addClassCleanup(sshd.kill)
        deadline = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", cls.port)):
            assert time.monotonic() < deadline, (cls.folder / "log").read_text()
            time.sleep(0.05)

    def access(self, **changes: str) -> Access:
        name = subprocess.run(["id", "-un"], capture_output=True, text=True)
        access = Access(
            url=f"ssh://{name.stdout.strip()}@127.0.0.1:{self.port}",
            ssh_key=(self.folder / "client").read_text(),
            ssh_host_key=(self.folder / "host.pub").read_text(),
        )
        return replace(access, **changes)

    def trouble(self, access: Access) -> str:
        with pytest.raises(errors.HostUnreachable) as caught:
            connect(access).describe()
        return caught.value.detail

    def test_the_engine_answers_as_it_does_without(self):
        over_ssh = connect(self.access()).describe()
        assert over_ssh == connect(Access(real.url())).describe()

    def test_the_key_is_gone_once_it_is_connected(self):
        """S17."""
        with tempfile.TemporaryDirectory() as empty:
            before = tempfile.tempdir
            tempfile.tempdir = empty
            self.addCleanup(setattr, tempfile, "tempdir", before)
            host = connect(
                self.access(engine_id=connect(self.access()).describe().engine_id)
            )
            host.ping()
            assert list(Path(empty).iterdir()) == []
            host.ping()  # over the connection that is there

    def test_a_machine_with_another_host_key_is_not_talked_to(self):
        """F44: nobody else is given commands."""
        other = (self.folder / "stranger.pub").read_text()
        text = self.trouble(self.access(ssh_host_key=other))
        assert "host key in the row is not that of the machine" in text

    def test_a_key_that_is_not_authorized(self):
        stranger = (self.folder / "stranger").read_text()
        assert "authorized_keys" in self.trouble(self.access(ssh_key=stranger))

    def test_no_sshd_at_that_port(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        text = self.trouble(self.access(url=f"ssh://u@127.0.0.1:{port}"))
        assert "No sshd listens" in text
