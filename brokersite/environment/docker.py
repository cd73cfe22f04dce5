"""The first Docker host: where it is, and how its databases are reached."""

import ipaddress
from dataclasses import dataclass, field

from brokersite.environment import docker_tls
from brokersite.environment.reader import Reader
from instances.addresses import REFUSAL, is_insecure


@dataclass(frozen=True)
class DockerEndpoint:
    """Where the first Docker host is and how its databases are reached."""

    url: str
    database_host: str
    """The host name or address that apps are given."""
    publish_address: str
    """The IP address of the Docker host on which databases listen."""
    tls_ca: str = ""
    """PEM, as the next two: what the host's certificate is verified against."""
    tls_certificate: str = ""
    tls_key: str = field(default="", repr=False)


def read(reader: Reader) -> DockerEndpoint:
    """DOCKER_HOST, DOCKER_PORT and DATABASE_HOST mean what they did in 2014."""
    url = reader.text("DOCKER_HOST", "unix:///var/run/docker.sock")
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "tcp", url
    if scheme in ("http", "https"):
        scheme = "tcp"
    tls = docker_tls.read(reader)
    has_tls = bool(tls["tls_ca"])
    if scheme == "tcp" and ":" not in rest:
        usual = 2376 if has_tls else 2375
        rest = f"{rest}:{reader.integer('DOCKER_PORT', usual, low=1, high=65535)}"
    if scheme not in ("unix", "tcp") or not rest:
        reader.complain(
            "DOCKER_HOST", f"is {url!r}: give unix://PATH or tcp://HOST:PORT"
        )
    is_open = is_insecure(f"{scheme}://{rest}", has_tls=has_tls)
    if is_open and not reader.flag("ALLOW_INSECURE_DOCKER"):
        reader.complain("DOCKER_HOST", f"is {url!r}. {REFUSAL}")
    database_host, publish_address = _addresses(reader)
    return DockerEndpoint(
        url=f"{scheme}://{rest}",
        database_host=database_host,
        publish_address=publish_address,
        **tls,
    )


def _addresses(reader: Reader) -> tuple[str, str]:
    database_host = reader.text("DATABASE_HOST", "127.0.0.1")
    publish_address = reader.text("DATABASE_BIND_ADDRESS", "")
    if not publish_address:
        publish_address = "127.0.0.1" if database_host == "localhost" else database_host
    try:
        ipaddress.ip_address(publish_address)
    except ValueError:
        reader.complain(
            "DATABASE_BIND_ADDRESS",
            f"must be the IP address of the Docker host on which databases listen, "
            f"since DATABASE_HOST {database_host!r} is a name",
        )
    return database_host, publish_address
