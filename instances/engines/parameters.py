"""Parameters: schemas for platforms and forms, and the check before they are used.

The schemas are JSON Schema draft 4, which every Cloud Controller takes. The check
knows the words that are used here and no others; an engine repeats it, so that what
reaches a statement is one of its own words or a number (SECURITY S33, S35).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from instances import errors

NONE: Mapping[str, Any] = MappingProxyType({})

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
}


def schema(title: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """An object with these properties, all of them optional, and no others."""
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": title,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def nothing(title: str, reason: str) -> dict[str, Any]:
    """No property at all, with a sentence for who gives one."""
    return {**schema(title), "description": reason}


def choice(title: str, description: str, values: Iterable[str]) -> dict[str, Any]:
    words = {"title": title, "description": description}
    return {**words, "type": "string", "enum": list(values)}


def choices(title: str, description: str, values: Iterable[str]) -> dict[str, Any]:
    words = {"title": title, "description": description}
    items = {"type": "string", "enum": list(values)}
    return {**words, "type": "array", "items": items, "uniqueItems": True}


def number(
    title: str, description: str, *, lowest: int, highest: int
) -> dict[str, Any]:
    words = {"title": title, "description": description}
    return {**words, "type": "integer", "minimum": lowest, "maximum": highest}


def flag(title: str, description: str) -> dict[str, Any]:
    return {"title": title, "description": description, "type": "boolean"}


BIND_SCHEMA = schema(
    "Service binding",
    read_only=flag("Read only", "The user can read everything and change nothing."),
)


def check(wanted: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Raise InvalidRequest with a sentence on the first that the schema refuses."""
    known = wanted["properties"]
    for name, value in parameters.items():
        if name not in known:
            expected = ", ".join(sorted(known)) or "none"
            raise _refusal(name, f"is unknown; known are: {expected}")
        _check_value(name, known[name], value)


def _check_value(name: str, wanted: Mapping[str, Any], value: Any) -> None:
    # To Python, True is a number.
    is_odd = isinstance(value, bool) and wanted["type"] != "boolean"
    if is_odd or not isinstance(value, _TYPES[wanted["type"]]):
        raise _refusal(name, f"must be of type {wanted['type']}")
    if "enum" in wanted and value not in wanted["enum"]:
        raise _refusal(name, f"must be one of {', '.join(wanted['enum'])}")
    if "minimum" in wanted and not wanted["minimum"] <= value <= wanted["maximum"]:
        limits = f"{wanted['minimum']} to {wanted['maximum']}"
        raise _refusal(name, f"must be a number from {limits}")
    if "items" in wanted:
        for item in value:
            _check_value(name, wanted["items"], item)
        if len(set(value)) != len(value):
            raise _refusal(name, "must not repeat a value")


def _refusal(name: str, reason: str) -> errors.InvalidRequest:
    return errors.InvalidRequest(f"parameters: {name[:100]!r} {reason}.")
