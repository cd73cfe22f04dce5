"""The certificates of the first Docker host."""

from datetime import UTC, datetime
from pathlib import Path

from brokersite.environment import pem
from brokersite.environment.reader import Reader
from instances import certificates

_FIELDS = {
    "tls_ca": ("DOCKER_TLS_CA", "ca.pem"),
    "tls_certificate": ("DOCKER_TLS_CERT", "cert.pem"),
    "tls_key": ("DOCKER_TLS_KEY", "key.pem"),
}
"""Variable, and the file of Docker's own tools."""


def read(reader: Reader) -> dict[str, str]:
    """DOCKER_TLS_*, or the files of DOCKER_CERT_PATH as Docker's own tools do.

    All three as PEM, or all empty.
    """
    tls = {field: pem.unfold(reader.text(name)) for field, (name, _) in _FIELDS.items()}
    named = {field: name for field, (name, _) in _FIELDS.items()}
    if not any(tls.values()) and reader.text("DOCKER_TLS_VERIFY"):
        tls = _files(reader)
        named = dict.fromkeys(named, "DOCKER_CERT_PATH")
    missing = [field for field, text in tls.items() if not text]
    if len(missing) == len(tls):
        return tls
    for field in missing:
        reader.complain(named[field], "is missing: CA, certificate and key go together")
    found = certificates.mistakes(
        ca=tls["tls_ca"],
        certificate=tls["tls_certificate"],
        key=tls["tls_key"],
        now=datetime.now(UTC),
    )
    for field, sentence in found:
        if field not in missing:
            reader.complain(named[field], f"is not usable ({field}): {sentence}")
    return tls


def _files(reader: Reader) -> dict[str, str]:
    folder = Path(reader.text("DOCKER_CERT_PATH", str(Path.home() / ".docker")))
    try:
        return {
            field: (folder / file).read_text() for field, (_, file) in _FIELDS.items()
        }
    except (OSError, ValueError) as error:
        reader.complain(
            "DOCKER_CERT_PATH",
            f"is {str(folder)!r}, and DOCKER_TLS_VERIFY wants ca.pem, cert.pem and "
            f"key.pem there: {error}",
        )
        return dict.fromkeys(_FIELDS, "")
