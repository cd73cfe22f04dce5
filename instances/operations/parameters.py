"""Parameters, checked against the schemas that the catalog shows."""

from typing import Any

from jsonschema_rs import Draft4Validator

from instances import errors


def check(parameters: dict[str, Any], schema: dict[str, Any]) -> None:
    """Raise InvalidRequest that names everything that is wrong."""
    if parameters and not schema["properties"]:
        raise errors.InvalidRequest(f"parameters: {schema['description']}")
    mistakes = [
        _sentence([str(part) for part in mistake.instance_path], mistake.message)
        for mistake in Draft4Validator(schema).iter_errors(parameters)
    ]
    if mistakes:
        raise errors.InvalidRequest(f"parameters: {'; '.join(sorted(mistakes))}.")


def _sentence(path: list[str], message: str) -> str:
    return f"{'.'.join(path)}: {message[:200]}" if path else message[:200]
