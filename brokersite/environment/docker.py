"""The first Docker host: where it is, and how its databases are reached."""

import ipaddress
from dataclasses import dataclass

from brokersite.environment import pem
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
    tls_key: str = ""


def read(reader: Reader) -> DockerEndpoint:
    """DOCKER_HOST, DOCKER_PORT and DATABASE_HOST mean what they did in 2014."""
    url = reader.text("DOCKER_HOST", "unix:///var/run/docker.sock")
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "tcp", url
    if scheme in ("http", "https"):
        scheme = "tcp"
    if scheme == "tcp" and ":" not in rest:
        rest = f"{rest}:{reader.integer('DOCKER_PORT', 2375, low=1, high=65535)}"
    if scheme not in ("unix", "tcp") or not rest:
        reader.complain(
            "DOCKER_HOST", f"is {url!r}: give unix://PATH or tcp://HOST:PORT"
        )
    if is_insecure(f"{scheme}://{rest}") and not reader.flag("ALLOW_INSECURE_DOCKER"):
        reader.complain("DOCKER_HOST", f"is {url!r}. {REFUSAL}")
    database_host, publish_address = _addresses(reader)
    ca, certificate, key = _certificates(reader)
    return DockerEndpoint(
        url=f"{scheme}://{rest}",
        database_host=database_host,
        publish_address=publish_address,
        tls_ca=ca,
        tls_certificate=certificate,
        tls_key=key,
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


def _certificates(reader: Reader) -> tuple[str, str, str]:
    """The host's CA, and our certificate with its key: all three or none."""
    names = ("DOCKER_TLS_CA", "DOCKER_TLS_CERT", "DOCKER_TLS_KEY")
    ca, certificate, key = (pem.unfold(reader.text(name)) for name in names)
    given = [name for name in names if reader.text(name)]
    for name in names:
        if given and name not in given:
            reader.complain(name, f"is missing: it belongs to {' and '.join(given)}")
    for name, text in zip(names, (ca, certificate, ""), strict=True):
        if text and not pem.is_certificates(text):
            reader.complain(name, "is not a certificate in PEM")
    if key and not pem.is_key(key):
        reader.complain("DOCKER_TLS_KEY", "is not a private key in PEM")
    elif key and pem.is_certificates(certificate) and not pem.fit(certificate, key):
        reader.complain("DOCKER_TLS_KEY", "is not the key of DOCKER_TLS_CERT")
    return ca, certificate, key
