"""TLS certificates as PEM: read, compared, and what is wrong with them in words."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

WARN_BEFORE = timedelta(days=30)
FIELDS = ("tls_ca", "tls_certificate", "tls_key")

Mistake = tuple[str, str]
"""Field and sentence."""


def mistakes(
    *, ca: str, certificate: str, key: str, now: datetime
) -> Iterator[Mistake]:
    """What keeps the three from being used together."""
    cas, own = _read(ca), _read(certificate)
    if not cas:
        yield (
            "tls_ca",
            "This is no certificate in PEM. Give the CA that signed the certificate of "
            "dockerd, from -----BEGIN CERTIFICATE----- on (Docker's ca.pem).",
        )
    if not own:
        yield (
            "tls_certificate",
            "This is no certificate in PEM. Give the client certificate, from "
            "-----BEGIN CERTIFICATE----- on (Docker's cert.pem).",
        )
    yield from _key_mistakes(key, own[0] if own else None)
    for number, authority in enumerate(cas, start=1):
        yield from _ca_mistakes(authority, number, now)
    if own:
        yield from _own_mistakes(own, cas, now)


def expires_at(*pems: str) -> datetime | None:
    """When the first of all these certificates expires; None if there is none."""
    found = [row.not_valid_after_utc for pem in pems for row in _read(pem)]
    return min(found, default=None)


def is_soon(expiry: datetime | None, now: datetime) -> bool:
    return expiry is not None and expiry < now + WARN_BEFORE


def _read(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return []


def _key_mistakes(key: str, certificate: x509.Certificate | None) -> Iterator[Mistake]:
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except TypeError:
        yield (
            "tls_key",
            "This key has a passphrase. Give it without one: openssl pkey -in key.pem.",
        )
        return
    except ValueError:
        yield (
            "tls_key",
            "This is no private key in PEM. Give the key of the client certificate, "
            "from -----BEGIN … PRIVATE KEY----- on (Docker's key.pem).",
        )
        return
    if certificate is not None and _public(private.public_key()) != _public(
        certificate.public_key()
    ):
        yield (
            "tls_key",
            "This key does not belong to the client certificate. Give the one that "
            "the certificate was made for.",
        )


def _public(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    made: bytes = key.public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined]
    return made


def _ca_mistakes(
    authority: x509.Certificate, number: int, now: datetime
) -> Iterator[Mistake]:
    if authority.not_valid_after_utc < now:
        yield (
            "tls_ca",
            f"Certificate {number} has expired on {_day(authority)}. Remove it, or "
            "give the new CA.",
        )
    try:
        constraints = authority.extensions.get_extension_for_class(
            x509.BasicConstraints
        )
        is_ca = constraints.value.ca
    except x509.ExtensionNotFound:
        is_ca = authority.issuer == authority.subject
    if not is_ca:
        yield (
            "tls_ca",
            f"Certificate {number} is no CA's. Give the CA that signed the certificate "
            "of dockerd, not that certificate.",
        )


def _own_mistakes(
    own: list[x509.Certificate], cas: list[x509.Certificate], now: datetime
) -> Iterator[Mistake]:
    first = own[0]
    if first.not_valid_after_utc < now:
        yield "tls_certificate", f"It has expired on {_day(first)}. Give a new one."
    if first.not_valid_before_utc > now:
        yield (
            "tls_certificate",
            f"It is not valid before {first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC. "
            "Wait, or correct the clock of the machine that the broker runs on.",
        )
    try:
        usage = first.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        may = {
            ExtendedKeyUsageOID.CLIENT_AUTH,
            ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        }
        if not may & set(usage):
            yield (
                "tls_certificate",
                "It is not for clients. Give one with extendedKeyUsage=clientAuth.",
            )
    except x509.ExtensionNotFound:
        pass
    if cas and not _is_signed(own, cas):
        yield (
            "tls_certificate",
            "No CA of this host has signed it. Give the certificate that belongs to "
            "the CA, or add the CA that signed it to the CAs.",
        )


def _is_signed(own: list[x509.Certificate], cas: list[x509.Certificate]) -> bool:
    """Whether a way leads from the first one, over the others, to a CA."""
    subject, left = own[0], [*own[1:], *cas]
    while True:
        signer = next((row for row in left if _has_signed(row, subject)), None)
        if signer is None or signer in cas:
            return signer is not None
        left.remove(signer)
        subject = signer


def _has_signed(signer: x509.Certificate, subject: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _day(certificate: x509.Certificate) -> str:
    return f"{certificate.not_valid_after_utc.astimezone(UTC):%Y-%m-%d}"
