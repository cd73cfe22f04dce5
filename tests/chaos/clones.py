"""Backups are begun anew as service instances, and have what was there then (I12)."""

import random
import uuid
from collections.abc import Iterator

from tests.chaos import doors
from tests.chaos.client import Client
from tests.chaos.crowd import new_instance
from tests.chaos.evidence import gather
from tests.chaos.finding import Finding
from tests.chaos.history import Backup, History, Instance
from tests.chaos.lab import Site

MOST = 5


def findings(site: Site, history: History, *, seed: int) -> list[Finding]:
    """Of some backups that the broker calls verified; the instances are deleted."""
    keys = {
        row["operation_id"]: str(uuid.UUID(row["id"]))
        for row in gather(site).rows["backups"]
        if row["state"] == "verified"
    }
    known = [
        (wish, backup)
        for wish in history.live()
        for backup in wish.backups
        if backup.operation in keys
    ]
    chosen = random.Random(seed).sample(known, min(MOST, len(known)))  # noqa: S311
    client = Client("cloner", site, history)
    return [
        found
        for wish, backup in chosen
        for found in _tried(client, history, wish, backup, keys[backup.operation])
    ]


def _tried(
    client: Client, history: History, wish: Instance, backup: Backup, key: str
) -> Iterator[Finding]:
    clone = new_instance(wish.engine, str(uuid.uuid4()))
    clone.ids = wish.ids
    history.instances.append(clone)
    source = {"instance": wish.guid, "backup": key}
    if not client.provision(clone, restore_from=source):
        yield Finding("lost_backups", wish.guid, f"{key} cannot be begun anew")
        return
    try:
        yield from _inside(client, clone, wish, backup, key)
    finally:
        client.delete(clone)


def _inside(
    client: Client, clone: Instance, wish: Instance, backup: Backup, key: str
) -> Iterator[Finding]:
    if not client.bind(clone):
        yield Finding("lost_backups", wish.guid, f"a clone of {key} cannot be bound")
        return
    try:
        missing = wish.expected_in(backup) - doors.read(clone.bound()[0].credentials)
    except (doors.Refused, doors.Down) as error:
        yield Finding("lost_backups", wish.guid, f"a clone of {key}: {error}")
        return
    if missing:
        said = f"a clone of {key} lacks {len(missing)}: {sorted(missing)[:10]}"
        yield Finding("lost_backups", wish.guid, said)
