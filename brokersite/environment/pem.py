"""Certificates and keys as text: read, judged, and kept for those who want files."""

import base64
import hashlib
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def unfold(text: str) -> str:
    """PEM as it was before a form, a shell or a broker made one line of it."""
    text = text.replace("\\n", "\n").replace("\r\n", "\n").strip()
    if text and "-----" not in text:
        try:
            text = base64.b64decode(text, validate=True).decode().strip()
        except ValueError:
            return text
    return f"{text}\n" if text else ""


def is_certificates(text: str) -> bool:
    try:
        return bool(x509.load_pem_x509_certificates(text.encode()))
    except ValueError:
        return False


def is_key(text: str) -> bool:
    try:
        serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):
        return False
    return True


def fit(certificate: str, key: str) -> bool:
    """Whether it is the key of the (first) certificate."""
    first = x509.load_pem_x509_certificates(certificate.encode())[0]
    private = serialization.load_pem_private_key(key.encode(), password=None)
    form = (
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )
    ours: bytes = private.public_key().public_bytes(*form)
    return ours == first.public_key().public_bytes(*form)


def keep(text: str, folder: Path) -> Path:
    """A file with that content which only this user can read.

    Its name is a digest of the content: any number of processes write the same.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.pem"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        unfinished.replace(path)
    return path
