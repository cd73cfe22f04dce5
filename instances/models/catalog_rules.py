"""What Cloud Controller refuses in a catalog, or drops without a word.

One wrong entry makes it refuse the whole catalog, so none is ever stored. Each
rule looks at a value and returns sentences that name the cure; what needs other
rows is in service_offering.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.core import exceptions
from jsonschema_rs import Draft4Validator, ReferencingError, ValidationError

LONGEST_TAGS = 2048
LARGEST_METADATA = 65_535
"""Bytes of JSON: Cloud Controller keeps it in a TEXT column."""
LARGEST_SCHEMA = 65_536
LONGEST_MAINTENANCE_INFO = 2000
OFFERING_TEXTS = (
    "displayName",
    "longDescription",
    "imageUrl",
    "providerDisplayName",
    "documentationUrl",
    "supportUrl",
)
DRAFTS = ("http://json-schema.org/draft-04/", "http://json-schema.org/draft-06/")

# As https://semver.org has it.
_NUMBER = r"(?:0|[1-9]\d*)"
_LABEL = rf"(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-{_LABEL}(?:\.{_LABEL})*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)

Mistake = tuple[str, str]
"""A field and a sentence."""


def refuse(mistakes: Iterable[Mistake]) -> None:
    """Raise Django's ValidationError with every sentence at its field, if any."""
    found: dict[str, list[str]] = {}
    for field, sentence in mistakes:
        found.setdefault(field, []).append(sentence)
    if found:
        raise exceptions.ValidationError(found)


def texts(row: Any, *fields: str) -> Iterator[Mistake]:
    """Spaces alone are no text; what is empty, the field itself refuses."""
    for field in fields:
        value = getattr(row, field)
        if isinstance(value, str) and value and not value.strip():
            yield field, "Give a text, not spaces alone."


def tags(value: Any) -> Iterator[Mistake]:
    if not _are_texts(value):
        yield "tags", 'Give a list of texts, such as ["mysql", "relational"].'
    elif len("".join(value)) > LONGEST_TAGS:
        length = len("".join(value))
        yield (
            "tags",
            f"All tags together have {length} characters: "
            f"{LONGEST_TAGS} are allowed. Remove some.",
        )
    elif not is_sendable(value):
        yield "tags", "Remove the characters that JSON cannot carry."


def offering_metadata(value: Any) -> Iterator[Mistake]:
    yield from _metadata(value, OFFERING_TEXTS)
    if isinstance(value, dict) and not isinstance(value.get("shareable", True), bool):
        yield "metadata", "shareable: give true or false, without quotes."


def plan_metadata(value: Any) -> Iterator[Mistake]:
    yield from _metadata(value, ("displayName",))
    if not isinstance(value, dict):
        return
    if not _are_texts(value.get("bullets", [])):
        yield "metadata", "bullets: give a list of texts."
    for sentence in costs(value.get("costs", [])):
        yield "metadata", f"costs: {sentence}"


def _metadata(value: Any, text_keys: Iterable[str]) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield "metadata", 'Give a JSON object, such as {"displayName": "MariaDB"}.'
        return
    if not is_sendable(value):
        yield "metadata", "Remove what JSON cannot carry: NaN, infinity, NUL, a date."
    elif len(json.dumps(value, ensure_ascii=False).encode()) > LARGEST_METADATA:
        yield "metadata", "Give less than 64 KiB: link to images, do not embed them."
    for key in text_keys:
        if not isinstance(value.get(key, ""), str):
            yield "metadata", f"{key}: give a text."


def costs(value: Any) -> Iterator[str]:
    """Cloud Controller drops all costs without a word if one of them is wrong."""
    example = 'such as {"amount": {"usd": 9.5}, "unit": "MONTHLY"}'
    if not isinstance(value, list):
        yield f"Give a list of objects, {example}."
        return
    for position, cost in enumerate(value, start=1):
        if not isinstance(cost, dict):
            yield f"Entry {position} is not an object, {example}."
            continue
        unit, amount = cost.get("unit"), cost.get("amount")
        if not isinstance(unit, str) or not unit.strip():
            yield f"Entry {position} needs a unit, such as MONTHLY."
        if not isinstance(amount, dict) or not amount:
            yield f'Entry {position} needs an amount, such as {{"usd": 9.5}}.'
        elif not all(_is_amount(*item) for item in amount.items()):
            yield (
                f"Entry {position}: give each currency a number without quotes, "
                "such as 9.5."
            )


def _is_amount(currency: Any, number: Any) -> bool:
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    return is_number and isinstance(currency, str) and bool(currency.strip())


def maintenance(version: Any, description: Any) -> Iterator[Mistake]:
    if description and not version:
        yield "maintenance_version", "Give the version that the description is about."
    if version and not _SEMVER.fullmatch(version):
        yield (
            "maintenance_version",
            "Give a Semantic Version 2.0: three numbers, such as 1.0.0 or 1.4.2+build, "
            "without a v in front.",
        )
    document = {"version": version, "description": description}
    if len(json.dumps(document, ensure_ascii=False)) > LONGEST_MAINTENANCE_INFO:
        yield "maintenance_description", "Give a shorter description."


def image(value: Any) -> Iterator[Mistake]:
    if isinstance(value, str) and value.strip() and re.search(r"\s", value):
        yield "image", "Remove the spaces: an image is named like mariadb:10.11."


def settings(value: Any) -> Iterator[Mistake]:
    """What they mean, the engine knows."""
    if not isinstance(value, dict):
        yield "settings", 'Give an object, such as {"port": 8080}.'
    elif not is_sendable(value):
        yield "settings", "Remove what JSON cannot carry: NaN, infinity, NUL."
    elif len(json.dumps(value, ensure_ascii=False).encode()) > LARGEST_METADATA:
        yield "settings", "Give less than 64 KiB."


def schema(value: Any) -> Iterator[str]:
    """What is wrong with the JSON schema of parameters."""
    if not isinstance(value, dict):
        yield "a schema is a JSON object."
    elif not str(value.get("$schema", "")).startswith(DRAFTS):
        yield "$schema must name draft-04 or draft-06 of JSON Schema."
    elif len(json.dumps(value)) > LARGEST_SCHEMA:
        yield "a schema has at most 64 KiB."
    elif not all(reference.startswith("#") for reference in _references(value)):
        yield "a $ref must stay within the schema, such as #/definitions/name."
    else:
        yield from _against_draft_4(value)


def _against_draft_4(schema: dict[str, Any]) -> Iterator[str]:
    """Cloud Controller holds every schema against this draft, then compiles it."""
    try:
        Draft4Validator({**schema, "$schema": f"{DRAFTS[0]}schema#"})
    except ValidationError as error:
        place = "/".join(str(part) for part in error.instance_path) or "the schema"
        yield f"{place}: draft-04 of JSON Schema refuses it: {error.message[:200]}"
    except (ReferencingError, ValueError) as error:
        yield f"it cannot be compiled: {str(error)[:200]}"


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _references(item)


def is_sendable(value: Any) -> bool:
    """Whether it is JSON for every reader and database, not for Python alone."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return "\\u0000" not in text


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
