"""Secrets at rest: Fernet under a ring of keys, as model fields.

The first key of settings.ENCRYPTION_KEYS encrypts; every key decrypts, so a new
one is put in front and `manage.py rotatekeys` rewrites what the old one wrote.
"""

import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from instances.errors import Unreadable


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    return _ring(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raise Unreadable if no key of the ring opens the token."""
    try:
        return _ring(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise Unreadable(
            detail="no key in ENCRYPTION_KEYS opens it: put the former key back"
        ) from None


def rotate(token: str) -> str:
    """Return the same secret under the first key. Raise Unreadable."""
    return encrypt(decrypt(token))


DUMPED = "encrypted:"
"""How a value begins in a file of dumpdata."""


class EncryptedTextField(models.TextField):
    """Text that the database only holds encrypted; empty stays empty."""

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return decrypt(value) if value else value

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return encrypt(text) if text else text

    def value_to_string(self, obj: models.Model) -> str:
        """What dumpdata writes: a file of it holds no secret either."""
        token = self.get_prep_value(self.value_from_object(obj))
        return f"{DUMPED}{token}" if token else ""

    def to_python(self, value: Any) -> Any:
        """What loaddata reads."""
        if isinstance(value, str) and value.startswith(DUMPED):
            return self.from_db_value(value.removeprefix(DUMPED))
        return value


class EncryptedJSONField(EncryptedTextField):
    """A JSON value that the database only holds encrypted."""

    def from_db_value(self, value: str | None, *_: Any) -> Any:
        return json.loads(decrypt(value)) if value else {}

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(json.dumps(value) if value else "")
