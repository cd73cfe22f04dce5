"""Requests as the specification has them; unknown fields are ignored (OSB 2.17)."""

import json
import math
import re
from typing import IO, Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.parsers import BaseParser

from osbapi.errors import MalformedRequest

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
LONGEST_ID = 500
DEEPEST = 40


class BodyParser(BaseParser):
    """JSON, also under no content type; a body of another type is malformed."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> dict[str, Any]:
        kind = (media_type or "").split(";")[0].strip().lower()
        if kind not in ("", "application/json"):
            raise MalformedRequest(f"Content-Type: send application/json, not {kind}.")
        try:
            body = json.loads(
                parser_context["request"]._request.body,
                parse_constant=_refuse_number,
                parse_float=_finite,
                object_pairs_hook=_without_duplicates,
            )
            _check_storable(body, levels=DEEPEST)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else error
            raise MalformedRequest(f"The body is not JSON: {reason}.") from None
        if not isinstance(body, dict):
            raise MalformedRequest("The body is not a JSON object.")
        return body


def _refuse_number(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return document


def _check_storable(value: Any, *, levels: int) -> None:
    """Raise ValueError for what the parser takes and a database does not."""
    if levels == 0:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    if isinstance(value, str):
        value.encode()  # a lone surrogate is a UnicodeEncodeError, so a ValueError
        if "\0" in value:
            raise ValueError("it contains a null character")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_storable(name, levels=levels - 1)
            _check_storable(item, levels=levels - 1)
    elif isinstance(value, list):
        for item in value:
            _check_storable(item, levels=levels - 1)


class TextField(serializers.CharField):
    """A string as it is: DRF would take a number for one, and trim it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class ObjectField(serializers.DictField):
    """A JSON object; null counts as absent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, default=dict, **options)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        return data

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        is_empty, value = super().validate_empty_values(data)
        return is_empty, {} if is_empty and value is None else value


class MaintenanceField(serializers.Serializer[Any]):
    """Only the version counts; {} is as good as absent (OSB-CHECKLIST 67)."""

    version = TextField(required=False, max_length=100)


class ProvisionRequest(serializers.Serializer[Any]):
    service_id = TextField()
    plan_id = TextField()
    organization_guid = TextField(required=False, max_length=255)
    space_guid = TextField(required=False, max_length=255)
    context = ObjectField()  # type: ignore[assignment]
    parameters = ObjectField()
    maintenance_info = MaintenanceField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """organization_guid and space_guid may come in the context instead."""
        for name in ("organization_guid", "space_guid"):
            value = attrs.get(name) or attrs["context"].get(name) or ""
            if not value and not attrs["context"]:
                raise serializers.ValidationError(
                    {name: "It is required, here or in the context."}
                )
            attrs[name] = str(value)[:255]
        maintenance = attrs.pop("maintenance_info", None) or {}
        attrs["maintenance_version"] = maintenance.get("version", "")
        return attrs


class UpdateRequest(serializers.Serializer[Any]):
    """previous_values is a hint that this broker does not need (OSB-CHECKLIST 101)."""

    service_id = TextField()
    plan_id = TextField(required=False, allow_null=True)
    context = ObjectField()  # type: ignore[assignment]
    parameters = ObjectField()
    maintenance_info = MaintenanceField(required=False, allow_null=True)


class BindRequest(serializers.Serializer[Any]):
    """A rotation may name its predecessor and nothing else (OSB-CHECKLIST 120)."""

    service_id = TextField(required=False)
    plan_id = TextField(required=False)
    predecessor_binding_id = TextField(
        required=False, allow_null=True, max_length=LONGEST_ID
    )
    app_guid = TextField(required=False, allow_null=True, max_length=255)
    bind_resource = ObjectField()
    parameters = ObjectField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        names = ("service_id", "plan_id")
        missing = [name for name in names if name not in attrs]
        if missing and not attrs.get("predecessor_binding_id"):
            raise serializers.ValidationError(
                dict.fromkeys(missing, "This field is required.")
            )
        return attrs


class DeletionQuery(serializers.Serializer[Any]):
    """OSB 2.17: service_id and plan_id are required in the query of a DELETE."""

    service_id = TextField()
    plan_id = TextField()


def read(kind: type[serializers.Serializer[Any]], source: Any) -> dict[str, Any]:
    """Raise a ValidationError that names every wrong field."""
    serializer = kind(data=source)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def accepts_incomplete(query: QueryDict) -> bool:
    """Raise MalformedRequest for anything but true, false or nothing."""
    text = query.get("accepts_incomplete", "false")
    if text not in ("true", "false"):
        raise MalformedRequest(f"accepts_incomplete: send true or false, not {text}.")
    return text == "true"


def check_id(name: str, text: str) -> None:
    """Raise MalformedRequest for an id that must reach neither logs nor rows."""
    if len(text) > LONGEST_ID:
        raise MalformedRequest(f"{name}: more than {LONGEST_ID} characters.")
    if _CONTROL.search(text):
        raise MalformedRequest(f"{name}: it contains control characters.")
