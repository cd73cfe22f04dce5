"""Typed access to the variables; wrong ones are collected, not raised."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from instances.redaction import redactor

SHORTEST_PASSWORD = 12


class Reader:
    """A variable that is not set may come from the service that holds the secrets."""

    def __init__(self, source: Mapping[str, str]) -> None:
        self._source = source
        self._secrets: Mapping[str, str] = {}
        self._mistakes: list[str] = []

    def fall_back_to(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def complain(self, name: str, mistake: str) -> None:
        line = f"{name} {mistake}"
        if line not in self._mistakes:
            self._mistakes.append(line)

    def raise_if_wrong(self) -> None:
        if self._mistakes:
            listing = "".join(f"\n  - {mistake}" for mistake in self._mistakes)
            message = f"The environment is not usable:{listing}"
            raise ImproperlyConfigured(redactor(())(message))

    def text(self, name: str, default: str = "") -> str:
        given = self._source.get(name, "").strip()
        return given or self._secrets.get(name, "").strip() or default

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            self.complain(name, f"is {text!r}: give a number from {low} to {high}")
            return default
        return int(text)

    def flag(self, name: str) -> bool:
        return self.choice(name, "0", ("0", "1", "false", "true")) in ("1", "true")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.text(name, default)
        if text not in choices:
            named = ", ".join(filter(None, choices))
            self.complain(name, f"is {text!r}: give one of {named}")
            return default
        return text

    def password(self, name: str) -> str:
        password = self.text(name)
        if password and len(password) < SHORTEST_PASSWORD:
            self.complain(name, f"is short: give {SHORTEST_PASSWORD} characters")
        return password

    def json_object(self, name: str, text: str | None = None) -> dict[str, Any]:
        """The variable, or a text that stands in its place."""
        try:
            value = json.loads(self.text(name, "{}") if text is None else text)
        except ValueError as error:
            # Not the error's own words: they may quote what is secret.
            where = getattr(error, "pos", 0)
            self.complain(name, f"is not JSON, from character {where} on")
            return {}
        if not isinstance(value, dict):
            self.complain(name, "is not a JSON object")
            return {}
        return value

    def file(self, name: str) -> str:
        """The content of the file that the variable names; empty without one."""
        path = self.text(name)
        try:
            return Path(path).read_text() if path else ""
        except (OSError, ValueError) as error:
            self.complain(name, f"names a file that cannot be read: {error}")
            return ""

    def secret_key(self) -> str:
        key = self.text("SECRET_KEY")
        if len(key) < 50 or len(set(key)) < 5:
            self.complain("SECRET_KEY", "is missing or weak: give 50 random characters")
        return key

    def encryption_keys(self) -> tuple[str, ...]:
        texts = self.text("ENCRYPTION_KEYS").split(",")
        keys = tuple(key.strip() for key in texts if key.strip())
        if not keys:
            self.complain(
                "ENCRYPTION_KEYS", "is missing: give Fernet keys, newest first"
            )
        for position, key in enumerate(keys, start=1):
            try:
                Fernet(key)
            except ValueError:
                self.complain("ENCRYPTION_KEYS", f"key {position} is not a Fernet key")
        return keys
