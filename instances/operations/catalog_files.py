"""The catalog as a YAML file: load it, tell what differs, write it back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from django.core.exceptions import ValidationError
from django.db import models, transaction

from instances import errors
from instances.engines import get_engine
from instances.models import Actor, ServiceOffering, ServicePlan
from instances.operations import plan_settings
from instances.operations.catalog_changes import (
    Changes,
    Entry,
    fields_of,
    store,
)

LOADER = Actor(kind="operator", name="manage.py loadcatalog")
HEADER = """\
# The catalog of a brokersite, as manage.py dumpcatalog writes it. loadcatalog adds
# or changes offerings and plans by id. Platforms remember the ids: never change one.
"""


@dataclass(frozen=True)
class Difference:
    """One entry of a file beside what is stored."""

    row: Entry
    action: str
    """added, changed or kept"""
    changes: Changes


def load_catalog(
    path: Path, *, dry_run: bool = False, actor: Actor = LOADER
) -> list[Difference]:
    """Add or change the offerings and plans of a YAML file by id; remove none.

    All of it or, with a mistake, nothing. Raise InvalidRequest that names the
    entry and the field.
    """
    offerings = _read(path)
    seen: set[str] = set()
    done: list[Difference] = []
    with transaction.atomic():
        for number, entry in enumerate(offerings, start=1):
            label = _label("service offering", entry, number)
            plans = _listed(entry.get("plans", []), f"{label}: plans")
            fields = {name: value for name, value in entry.items() if name != "plans"}
            offering = _apply(ServiceOffering(), fields, label, actor, done, seen)
            for place, plan in enumerate(plans, start=1):
                label = _label(f"service plan {offering}/", plan, place)
                blank = ServicePlan(offering=offering)
                _apply(blank, plan, label, actor, done, seen)
        transaction.set_rollback(dry_run)
    return done


def unnamed(done: list[Difference]) -> list[Entry]:
    """What is stored and not in the file."""
    named = {difference.row.pk for difference in done}
    stored: list[Entry] = [*ServiceOffering.objects.all(), *ServicePlan.objects.all()]
    return [row for row in stored if row.pk not in named]


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise errors.InvalidRequest(f"{path} is not a catalog: {error}") from error
    if not isinstance(document, dict) or set(document) != {"offerings"}:
        raise errors.InvalidRequest(
            f"{path} is not a catalog: it must have one key, offerings."
        )
    return _listed(document["offerings"], f"{path}: offerings")


def _listed(value: Any, label: str) -> list[dict[str, Any]]:
    if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        return value
    raise errors.InvalidRequest(f"{label}: give a list of entries with an id each.")


def _label(prefix: str, entry: dict[str, Any], number: int) -> str:
    separator = "" if prefix.endswith("/") else " "
    return f"{prefix}{separator}{entry.get('name', entry.get('id', f'#{number}'))}"


def _apply(
    blank: Any,
    fields: dict[str, Any],
    label: str,
    actor: Actor,
    done: list[Difference],
    seen: set[str],
) -> Any:
    """The row with these fields, stored. What the file does not name stays."""
    try:
        _check_keys(blank, fields, seen)
        row = type(blank).objects.filter(pk=fields["id"]).first() or blank
        if isinstance(row, ServicePlan):
            row.offering = blank.offering
        for name, value in fields.items():
            setattr(row, name, _typed(row._meta.get_field(name), value))
        if isinstance(row, ServiceOffering):
            get_engine(row.engine)
        row.full_clean()
        if isinstance(row, ServicePlan):
            plan_settings.check(row)
    except ValidationError as error:
        raise errors.InvalidRequest(f"{label}: {_sentences(error)}") from error
    except errors.InvalidRequest as error:
        raise errors.InvalidRequest(f"{label}: {error}") from error
    is_new = row._state.adding
    changes = store(row, actor=actor)
    action = "added" if is_new else "changed" if changes else "kept"
    done.append(Difference(row, action, changes))
    return row


def _check_keys(blank: Any, fields: dict[str, Any], seen: set[str]) -> None:
    known = _fields(type(blank))
    unknown = sorted(str(name) for name in fields if name not in known)
    if unknown:
        raise errors.InvalidRequest(
            f"{', '.join(unknown)}: there is no such field; known are "
            f"{', '.join(known)}."
        )
    if not isinstance(fields.get("id"), str) or not fields["id"]:
        raise errors.InvalidRequest("id: give a text, such as a new UUID.")
    if fields["id"] in seen:
        raise errors.InvalidRequest(f"id: {fields['id']} is in this file twice.")
    seen.add(fields["id"])


def _fields(model: type[Entry]) -> list[str]:
    """What a file may set. A plan's offering is where it stands in the file."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if not isinstance(field, models.ForeignKey)
    ]


def _typed(field: Any, value: Any) -> Any:
    """YAML's value for that column: it has guessed types that are not meant.

    Raise ValidationError.
    """
    if isinstance(field, models.CharField) and not isinstance(value, str):
        raise ValidationError({field.name: "Give a text; put it in quotes."})
    if isinstance(field, models.JSONField):
        try:
            return json.loads(json.dumps(value))
        except (TypeError, ValueError) as error:
            raise ValidationError({field.name: f"This is not JSON: {error}"}) from error
    if isinstance(field, models.BooleanField) and not isinstance(value, bool):
        raise ValidationError({field.name: "Give true or false, without quotes."})
    is_number = isinstance(field, (models.IntegerField, models.DecimalField))
    # As it was written: 0.1 and True are other numbers to Python.
    return str(value) if is_number and isinstance(value, (float, bool)) else value


def _sentences(error: ValidationError) -> str:
    return " ".join(
        f"{field}: {sentence}" if field != "__all__" else sentence
        for field, sentences in error.message_dict.items()
        for sentence in sentences
    )


def dump_catalog() -> str:
    """Every offering and plan with every field: loading it changes nothing."""
    offerings = ServiceOffering.objects.prefetch_related("plans")
    entries = [
        {**_entry(offering), "plans": [_entry(plan) for plan in offering.plans.all()]}
        for offering in offerings
    ]
    return HEADER + yaml.dump(
        {"offerings": entries},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=88,
    )


class _Dumper(yaml.SafeDumper):
    """PyYAML loses the line ends of Unicode, unless they are escaped in quotes."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        style = '"' if set(text) & set("\x85\u2028\u2029") else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def _entry(row: Entry) -> dict[str, Any]:
    stored = fields_of(row)
    return {name: _plain(stored[name]) for name in _fields(type(row))}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def lines(done: list[Difference], *, with_added: bool = False) -> Iterator[str]:
    """The differences for a reader, an entry or a field on each line."""
    for difference in done:
        row = difference.row
        yield f"{difference.action} {row._meta.verbose_name} {row}"
        if difference.action == "added" and not with_added:
            continue
        for name, (before, after) in difference.changes.items():
            is_new = difference.action == "added"
            change = _shown(after) if is_new else f"{_shown(before)} → {_shown(after)}"
            yield f"    {name}: {change}"


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return "empty" if value in ("", None) else str(value)
