"""The certificates of the first Docker host, from the environment."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from instances import certificates


class Reader(Protocol):
    def text(self, name: str, default: str) -> str: ...

    def complain(self, name: str, mistake: str) -> None: ...


def docker_tls(reader: Reader) -> dict[str, str]:
    """DOCKER_TLS_*, or the files of DOCKER_CERT_PATH as Docker's own tools do."""
    names = {
        "tls_ca": "DOCKER_TLS_CA",
        "tls_certificate": "DOCKER_TLS_CERT",
        "tls_key": "DOCKER_TLS_KEY",
    }
    tls = {key: reader.text(name, "") for key, name in names.items()}
    variables = names
    if not any(tls.values()) and reader.text("DOCKER_TLS_VERIFY", ""):
        tls = _docker_cert_path(reader)
        variables = dict.fromkeys(names, "DOCKER_CERT_PATH")
    if any(tls.values()):
        found = certificates.mistakes(
            ca=tls["tls_ca"],
            certificate=tls["tls_certificate"],
            key=tls["tls_key"],
            now=datetime.now(UTC),
        )
        for name, sentence in found:
            reader.complain(variables[name], f"({names[name]}): {sentence}")
    return tls


def _docker_cert_path(reader: Reader) -> dict[str, str]:
    folder = Path(reader.text("DOCKER_CERT_PATH", str(Path.home() / ".docker")))
    files = {"tls_ca": "ca.pem", "tls_certificate": "cert.pem", "tls_key": "key.pem"}
    try:
        return {name: (folder / file).read_text() for name, file in files.items()}
    except (OSError, ValueError) as error:
        reader.complain(
            "DOCKER_CERT_PATH",
            f"is {str(folder)!r}, and DOCKER_TLS_VERIFY wants ca.pem, cert.pem and "
            f"key.pem there: {error}",
        )
        return dict.fromkeys(files, "")
