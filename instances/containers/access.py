"""How a container host is reached, and what proves who is at the other end."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Access:
    """A URL and its credentials; what is empty is not used."""

    url: str
    tls_ca: str = field(default="", repr=False)
    """PEM: who may sign the engine's certificate; nobody else may."""
    tls_certificate: str = field(default="", repr=False)
    tls_key: str = field(default="", repr=False)
    ssh_key: str = field(default="", repr=False)
    ssh_host_key: str = field(default="", repr=False)
    """As in known_hosts, without the host's name."""
    engine_id: str = ""
    """The engine that must answer; empty: any."""

    def __str__(self) -> str:
        return self.url

    @property
    def has_tls(self) -> bool:
        return bool(self.tls_ca)


@contextmanager
def private_files(contents: Mapping[str, str]) -> Iterator[Path]:
    """A folder that only this user can read, with these files, for a moment.

    ssl and ssh want paths. Secrets are on a disk no longer than a connection takes.
    """
    with tempfile.TemporaryDirectory(prefix="brokersite-") as name:
        folder = Path(name)
        for file_name, content in contents.items():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(folder / file_name, flags, 0o600), "w") as file:
                file.write(content)
        yield folder
