"""Form fields for lists and objects, which operators write as plain lines."""

import json
import re
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError

from instances.models import catalog_rules

_COST = re.compile(r"(?P<amounts>[^/]+?)\s*/\s*(?P<unit>\S.*)")
_AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s+(?P<currency>[^\s\d,]\S*)")


def wide() -> AdminTextInputWidget:
    return AdminTextInputWidget(attrs={"class": "vTextField wide"})


def box(rows: int, *, is_code: bool = False) -> AdminTextareaWidget:
    name = "vLargeTextField code" if is_code else "vLargeTextField"
    return AdminTextareaWidget(attrs={"class": name, "rows": rows})


class ParagraphField(forms.CharField):
    """Text as it is: a browser's line ends become those that were stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **{"widget": box(3), **kwargs})

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n") if text.strip() else ""


class LinesField(forms.CharField):
    """A list of texts, one on each line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": box(4), **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        lines = (super().to_python(value) or "").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed([] if initial is None else initial, data)


class ArgumentsField(LinesField):
    """Arguments of a command, one on each line, or as a JSON list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": box(4, is_code=True), **kwargs})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        text = "\n".join(map(str, value))
        is_same = not text.startswith("[") and super().to_python(text) == value
        return text if is_same else json.dumps(value, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        return _parse_json(text) if text.startswith("[") else super().to_python(value)


class VariablesField(forms.CharField):
    """Variables such as NAME=value, one on each line, or as a JSON object."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": box(4, is_code=True), **kwargs})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        text = "\n".join(f"{name}={value}" for name, value in value.items())
        try:
            is_same = not text.startswith("{") and _variables(text) == value
        except ValidationError:
            is_same = False
        return text if is_same else json.dumps(value, indent=2, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").strip()
        return _parse_json(text) if text.startswith("{") else _variables(text)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed({} if initial is None else initial, data)


class ObjectField(forms.JSONField):
    """A JSON object; an empty one is shown as nothing."""

    default_error_messages = {
        "invalid": 'This is not JSON. Give an object, such as {"color": "blue"}.'
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": box(4, is_code=True), **kwargs})

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed is shown again as it was."""
        return data

    def prepare_value(self, value: Any) -> Any:
        if value == {}:
            return ""
        is_text = isinstance(value, str)
        return value if is_text else json.dumps(value, indent=2, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        try:
            found = super().to_python(value)
        except RecursionError:
            raise ValidationError("This is nested too deeply.") from None
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed({} if initial is None else initial, data)


class CostsField(forms.CharField):
    """Costs, one on each line, such as "9.50 usd / MONTHLY", or as JSON."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": box(3), **kwargs})

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        lines = _as_lines(value)
        if lines is not None:
            return lines
        return json.dumps(value, indent=2, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").strip()
        if text.startswith(("[", "{")):
            return _parse_json(text)
        return [_parse_line(line.strip()) for line in text.splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed([] if initial is None else initial, data)

    def validate(self, value: Any) -> None:
        super().validate(value)
        sentences = list(catalog_rules.costs(value))
        if sentences:
            raise ValidationError(sentences)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValidationError(f"This is not JSON: {error}") from None


def _variables(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, separator, value = line.partition("=")
        if not separator or name in found:
            reason = "there already" if separator else "no variable"
            raise ValidationError(f"“{line}” is {reason}. Write it like NAME=value.")
        found[name] = value
    return found


def _parse_line(line: str) -> dict[str, Any]:
    match = _COST.fullmatch(line)
    amounts = [_AMOUNT.fullmatch(part.strip()) for part in _parts(match)]
    if match is None or not all(amounts):
        raise ValidationError(
            f"“{line}” is not a cost. Write it like 9.50 usd / MONTHLY, or with "
            "several currencies like 9.50 usd, 8.90 eur / MONTHLY."
        )
    amount = {found["currency"]: _number(found["number"]) for found in amounts if found}
    return {"amount": amount, "unit": match["unit"]}


def _parts(match: re.Match[str] | None) -> list[str]:
    return match["amounts"].split(",") if match else []


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _as_lines(value: Any) -> str | None:
    """The costs as they are written on lines, if they can be."""
    try:
        lines = [
            ", ".join(f"{number} {name}" for name, number in cost["amount"].items())
            + f" / {cost['unit']}"
            for cost in value
        ]
        is_same = [_parse_line(line) for line in lines] == value
    except (ValidationError, KeyError, TypeError, AttributeError):
        return None
    return "\n".join(lines) if is_same else None
