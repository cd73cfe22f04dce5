"""What comes of backups that leave their host, or come from elsewhere."""

import re
from dataclasses import dataclass, field

from brokersite.environment.reader import Reader

_REPOSITORY = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-][a-z0-9]+)*)+")


@dataclass(frozen=True)
class BackupPlaces:
    upload_limit_mb: int
    """What an uploaded backup may hold, unpacked."""
    registry: str
    """Where operators may push backups: registry/path; empty: nowhere."""
    registry_username: str
    registry_password: str = field(repr=False)


def read(reader: Reader) -> BackupPlaces:
    return BackupPlaces(
        upload_limit_mb=reader.integer(
            "BACKUP_UPLOAD_LIMIT_MB", 20480, low=1, high=2**20
        ),
        registry=_repository(reader, "BACKUP_REGISTRY"),
        registry_username=reader.text("BACKUP_REGISTRY_USERNAME"),
        registry_password=reader.text("BACKUP_REGISTRY_PASSWORD"),
    )


def _repository(reader: Reader, name: str) -> str:
    """As docker push takes it, without a tag."""
    text = reader.text(name).rstrip("/")
    if text and not _REPOSITORY.fullmatch(text):
        reader.complain(
            name, f"is {text!r}: give REGISTRY/PATH, such as r.example.com/backups"
        )
        return ""
    return text
