"""What goes with a backup's image in a file: all that the image does not say.

It holds no secret, no name of a tenant's, and nothing that changes later: a second
download is the same file. What comes in is a stranger's, and checked field by field.
"""

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from instances import errors
from instances.engines.base import our_name, our_witness
from instances.models import Backup

FORMAT = 1
MOST_COUNTED = 20
_COUNTED = re.compile(r"[a-z]{1,30}")
_LOOKS = ("before", "after")
_IMAGE = re.compile(r"[\w][\w.:@/-]{0,254}", re.ASCII)


@dataclass(frozen=True)
class Description:
    engine: str
    database: str
    witness: str
    made_from: str
    memory_mb: int
    taken_at: datetime
    inventory: dict[str, dict[str, int]]
    """{"before": counts, "after": counts}"""


def of(backup: Backup) -> bytes:
    said = Description(
        engine=backup.engine,
        database=backup.database,
        witness=backup.witness,
        made_from=backup.made_from,
        memory_mb=backup.memory_mb,
        taken_at=backup.taken_at or backup.created_at,
        inventory={
            look: backup.inventory[look] for look in _LOOKS if look in backup.inventory
        },
    )
    fields = {**asdict(said), "taken_at": said.taken_at.isoformat()}
    return json.dumps({"format": FORMAT, **fields}, sort_keys=True).encode()


def read(content: bytes) -> Description:
    """Raise ArchiveRefused that names the field."""
    try:
        found = json.loads(content)
        if found["format"] != FORMAT:
            raise errors.ArchiveRefused(
                f"The file is of format {str(found['format'])[:20]}, "
                f"and this release knows format {FORMAT}."
            )
        return _read(found)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise errors.ArchiveRefused(
            "The file's description of the backup is damaged.", detail=repr(error)[:500]
        ) from None


def _read(found: dict[str, Any]) -> Description:
    """Raise KeyError, TypeError, ValueError."""
    taken_at = datetime.fromisoformat(found["taken_at"]).astimezone(UTC)
    if taken_at > timezone.now():
        raise ValueError("taken_at is in the future")
    memory_mb = _number(found["memory_mb"])
    if not _IMAGE.fullmatch(found["made_from"]):
        raise ValueError("made_from is no image")
    looks = found["inventory"]
    if "before" not in looks:
        raise ValueError("inventory has no before")
    return Description(
        engine=str(found["engine"])[:50],
        database=our_name(found["database"]),
        witness=our_witness(found["witness"]),
        made_from=found["made_from"],
        memory_mb=memory_mb,
        taken_at=taken_at,
        inventory={look: _counts(looks[look]) for look in looks if look in _LOOKS},
    )


def _counts(found: dict[str, Any]) -> dict[str, int]:
    if len(found) > MOST_COUNTED or not all(map(_COUNTED.fullmatch, found)):
        raise ValueError("inventory counts what is not known")
    return {name: _number(value) for name, value in found.items()}


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**40:
        raise ValueError(f"{value!r} is no number of anything")
    return value
