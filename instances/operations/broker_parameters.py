"""What an app developer may ask of the broker itself with -c, whatever the engine.

`restore_from` with cf create-service; `backup` and `restore` with cf update-service.
"""

from typing import Any

from instances.engines import Engine, find_configurable

_WHICH = {
    "title": "Backup",
    "description": "latest, or the id of a verified backup.",
    "type": "string",
    "minLength": 1,
    "maxLength": 100,
}


def _wish(
    title: str, description: str, required: list[str], **properties: Any
) -> dict[str, Any]:
    words = {"title": title, "description": description}
    schema = {
        **words,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    # Draft 4 refuses an empty list.
    return {**schema, "required": required} if required else schema


CREATE = {
    "restore_from": _wish(
        "Restore from",
        "Begin with the data of a backup, of this organization and space.",
        ["backup"],
        instance={
            "title": "Service instance",
            "description": "The GUID of the one whose latest backup is meant.",
            "type": "string",
            "minLength": 1,
            "maxLength": 500,
        },
        backup=_WHICH,
    )
}
UPDATE = {
    "backup": _wish(
        "Back up",
        "Take a backup now.",
        [],
        note={"title": "Note", "type": "string", "maxLength": 255},
    ),
    "restore": _wish(
        "Restore",
        "Go back to the data of a backup; one of now is taken first.",
        ["backup"],
        backup=_WHICH,
    ),
}


_WORDS: dict[str, dict[str, Any]] = {"create_schema": CREATE, "update_schema": UPDATE}


def schema_of(engine: Engine | None, name: str) -> dict[str, Any]:
    """The engine's create_schema, update_schema or bind_schema and the broker's words.

    Empty if there is none.
    """
    schema: dict[str, Any] = getattr(engine, name, None) or {}
    if engine is None or "properties" not in schema or find_configurable(engine.name):
        return schema  # nothing is known of its data
    return {**schema, "properties": {**schema["properties"], **_WORDS.get(name, {})}}


def engines_own(parameters: dict[str, Any]) -> dict[str, Any]:
    """Without the broker's words: what the engine understands."""
    return {
        name: value
        for name, value in parameters.items()
        if name not in CREATE and name not in UPDATE
    }


def wishes(parameters: dict[str, Any]) -> dict[str, Any]:
    """The broker's words for an instance that exists."""
    return {name: parameters[name] for name in UPDATE if name in parameters}
