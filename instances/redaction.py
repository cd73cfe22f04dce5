"""Take secrets out of a text: a second net under code that logs none (SECURITY S20).

What is known, the values of this process's own secrets, goes wherever it stands; the
rest goes by its looks or by the name that it stands beside.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

HIDDEN = "***"
SHORTEST = 8
"""A shorter value would be found in words that are no secret."""

_NAME = (
    r"(?:password|passwd|passphrase|secret|token|credential|private_?key"
    r"|encryption_?key|api_?key)"
)
# Bounds everywhere: no text may make a pattern look at it again and again.
_VALUE = (
    # "using password: YES" says much to an operator, and nothing to others.
    r"(?!(?:YES|NO|None|null|True|False)\b)"
    r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\{[^{}]*\}|\[[^\[\]]*\]"
    r"|[^\s,;&(){}\[\]'\"]+)"
)
_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    # Words without which it is not worth looking, in lower case; pattern; replacement.
    (
        ("://",),
        re.compile(r"(\b[a-zA-Z][\w+.-]*://[^\s:/@'\"]*:)[^\s/?#'\"]+@"),
        rf"\1{HIDDEN}@",
    ),
    (
        ("private key-",),
        re.compile(
            r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.S
        ),
        HIDDEN,
    ),
    # Before the names: a header's value has two parts.
    (
        ("authorization",),
        re.compile(
            r"(?i)(\bauthorization['\"]?\s*[:=,]\s*b?['\"]?)(?:\w+\s+)?[^\s'\",]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        ("basic", "bearer"),
        re.compile(r"\b((?i:basic|bearer)\s+)(?=[\w+/.~-]*[A-Z0-9=])[\w+/.~-]{8,}=*"),
        rf"\1{HIDDEN}",
    ),
    # SQL, Redis
    (
        ("identified", "password"),
        re.compile(
            r"(?i)\b(identified\s+(?:by|via\s+\w+\s+using)|password)\s+'[^']*'?"
        ),
        rf"\1 {HIDDEN}",
    ),
    (
        ("setuser",),
        re.compile(r"(?i)(\bsetuser\s[^\n]{0,200}?[>#])[^\s'\"]+"),
        rf"\1{HIDDEN}",
    ),
    # "password": "…", password=…, but no comparison
    (
        ("pass", "secret", "token", "credential", "key"),
        re.compile(
            rf"(?i)({_NAME}[\w-]{{0,40}}[\"']?\s{{0,9}}(?:=(?!=)|:(?!:))\s{{0,9}}b?){_VALUE}"
        ),
        rf"\1{HIDDEN}",
    ),
    # Fernet: its keys, and what they have encrypted
    (("=",), re.compile(r"(?<![\w-])[\w-]{43}=(?![\w=])"), HIDDEN),
    (("gaaaaa",), re.compile(r"\bgAAAAA[\w-]{50,}=*"), HIDDEN),
)
_SECRET_VARIABLE = re.compile(r"(?:PASSWORD|SECRET|TOKEN|KEYS?)$")
# URIs go by their looks: most of one is no secret.
_SECRET_FIELD = re.compile(rf"(?i){_NAME}|^key$")


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """What takes these secrets, and whatever looks like one, out of a text."""
    known = {form for secret in secrets for form in _forms(secret)}
    longest_first = sorted(known, key=len, reverse=True)

    def redact(text: str) -> str:
        for value in longest_first:
            if value in text:
                text = text.replace(value, HIDDEN)
        lower = text.lower()
        for words, pattern, replacement in _RULES:
            for word in words:
                if word in lower:
                    text = pattern.sub(replacement, text)
                    break
        return text

    return redact


def known_secrets(source: Mapping[str, str]) -> Iterator[str]:
    """The secrets that an environment has, those of the bound services included."""
    for name, value in source.items():
        if _SECRET_VARIABLE.search(name):
            yield value
            yield from (part.strip() for part in value.split(","))
    yield from _in_document(_services(source))


def _services(source: Mapping[str, str]) -> Any:
    path = source.get("VCAP_SERVICES_FILE_PATH", "")
    try:
        text = Path(path).read_text() if path else source.get("VCAP_SERVICES", "")
        return json.loads(text or "{}")
    except (OSError, ValueError):
        return {}  # whoever needs it complains


def _in_document(node: Any, *, is_secret: bool = False) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            # What is in "credentials" is not all secret: its host is not.
            inner = _SECRET_FIELD.search(str(name)) and name != "credentials"
            yield from _in_document(value, is_secret=bool(inner))
    elif isinstance(node, list):
        for value in node:
            yield from _in_document(value, is_secret=is_secret)
    elif is_secret and isinstance(node, str):
        yield node
        yield from (part.strip() for part in node.split(","))


def _forms(secret: str) -> Iterator[str]:
    if len(secret) >= SHORTEST:
        yield from {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
