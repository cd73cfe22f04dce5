"""Docker hosts over TLS, each a dockerd in a network namespace of its own.

For tests of a fleet: hosts that freeze, are cut off, come back.
"""

import json
import os
import shutil
from dataclasses import dataclass
from typing import Any

from tests.authority import Authority
from tests.system.private_docker import PrivateDocker
from tests.system.site import Site

ADD_HOST = """
import json, os
from instances.models import DockerHost
DockerHost.objects.create(**json.loads(os.environ["NEW_DOCKER_HOST"]))
"""


def cannot_run() -> bool:
    """A network namespace takes root and iproute2; CI has both, or fails."""
    can = os.geteuid() == 0 and shutil.which("ip") and shutil.which("dockerd")
    return not can and not os.environ.get("CI")


@dataclass(frozen=True)
class Credentials:
    tls_ca: str
    tls_certificate: str
    tls_key: str


class TlsDocker(PrivateDocker):
    """Reached by clients of the authority at tls_url; the checker uses its socket."""

    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self.tls_url = f"tcp://{self.address}:2376"
        server = authority.server(self.address)
        self._files = {
            "tlscacert": authority.ca,
            "tlscert": server.certificate,
            "tlskey": server.key,
        }
        for name, pem in self._files.items():
            (self.root / f"{name}.pem").write_text(pem)
            (self.root / f"{name}.pem").chmod(0o600)

    def options(self) -> list[str]:
        files = [
            word
            for name in self._files
            for word in (f"--{name}", str(self.root / f"{name}.pem"))
        ]
        return ["--host", self.tls_url, "--tlsverify", *files]

    def surroundings(self) -> list[str]:
        """Before Docker 23 its id is in /etc/docker: it sees one of its own."""
        own = self.root / "etc"
        own.mkdir(exist_ok=True)
        script = 'mkdir -p /etc/docker; mount --bind "$0" /etc/docker; exec "$@"'
        return ["unshare", "--mount", "sh", "-ec", script, str(own)]


class Lab:
    """Some TLS hosts of one authority, the first of them a site's first host."""

    def __init__(self, number: int = 2) -> None:
        self.authority = Authority("lab")
        client = self.authority.client()
        self.credentials = Credentials(
            self.authority.ca, client.certificate, client.key
        )
        self.hosts = [TlsDocker(self.authority) for _ in range(number)]
        self._entered: list[TlsDocker] = []

    def __enter__(self) -> "Lab":
        try:
            for host in self.hosts:
                self._entered.append(host)
                host.__enter__()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        for host in self._entered:
            host.thaw()
            host.reconnect()
            host.__exit__()

    def site(self, **environment: str) -> Site:
        first = self.hosts[0]
        return Site(
            docker_url=first.url,
            database_host=first.address,
            environment={
                "DOCKER_HOST": first.tls_url,
                "DOCKER_TLS_CA": self.credentials.tls_ca,
                "DOCKER_TLS_CERT": self.credentials.tls_certificate,
                "DOCKER_TLS_KEY": self.credentials.tls_key,
                **environment,
            },
        )

    def add_others(self, site: Site) -> None:
        """Rows for the hosts after the first."""
        for number, host in enumerate(self.hosts[1:], start=2):
            self.add(site, host, f"host{number}")

    def add(self, site: Site, host: TlsDocker, name: str) -> None:
        """A row for the host, with the budget and ports of the site's first one."""
        sql = "SELECT memory_mb, port_min, port_max FROM instances_dockerhost"
        memory, low, high = site.rows(sql)[0]
        row = {
            "name": name,
            "url": host.tls_url,
            "database_host": host.address,
            "publish_address": host.address,
            "memory_mb": memory,
            "port_min": low,
            "port_max": high,
            **vars(self.credentials),
        }
        site.manage("shell", "-c", ADD_HOST, NEW_DOCKER_HOST=json.dumps(row))
