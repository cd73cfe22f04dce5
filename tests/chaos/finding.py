"""What the checker finds, by kinds; each is counted in the score line."""

from dataclasses import dataclass

KINDS = (
    "leaked_containers",
    "leaked_ports",
    "leaked_volumes",
    "leaked_images",
    "leaked_networks",
    "lost_instances",
    "lost_backups",
    "stuck_operations",
    "live_after_unbind",
    "dead_credentials",
    "ghost_users",
    "lost_data",
    "not_idempotent",
    "wrong_ports",
    "secrets",
    "database",
    "tracebacks",
    "not_quiet",
    "grown",
    "harness",
)


@dataclass(frozen=True)
class Finding:
    kind: str
    about: str
    """A service instance's GUID, or empty."""
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence} ({self.about or 'no instance'})"
