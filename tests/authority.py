"""Certificates for tests: an authority of their own, for servers and clients."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    certificate: str
    key: str


class Authority:
    def __init__(self, name: str = "tests", *, days: float = 365) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(f"{name} CA")
        builder = _builder(self._name, self._name, self._key, days)
        ca = x509.BasicConstraints(ca=True, path_length=None)
        builder = builder.add_extension(ca, critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def ca(self) -> str:
        return _pem(self._certificate)

    def server(self, *names: str, days: float = 365) -> Pair:
        return self._issue("server", ExtendedKeyUsageOID.SERVER_AUTH, names, days)

    def client(self, *, days: float = 365) -> Pair:
        return self._issue("client", ExtendedKeyUsageOID.CLIENT_AUTH, (), days)

    def _issue(
        self, name: str, usage: Any, names: tuple[str, ...], days: float
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(name), self._name, key, days)
        usages = x509.ExtendedKeyUsage([usage])
        builder = builder.add_extension(usages, critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName(list(map(_alternative, names)))
            builder = builder.add_extension(alternatives, critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        return Pair(_pem(made), private_pem(key))


def private_pem(key: Any, passphrase: bytes = b"") -> str:
    locked: Any = serialization.NoEncryption()
    if passphrase:
        locked = serialization.BestAvailableEncryption(passphrase)
    form = serialization.PrivateFormat.PKCS8
    made: bytes = key.private_bytes(serialization.Encoding.PEM, form, locked)
    return made.decode()


def _builder(subject: Any, issuer: Any, key: Any, days: float) -> Any:
    ends = datetime.now(UTC) + days * DAY
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), ends) - 2 * DAY)
        .not_valid_after(ends)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
