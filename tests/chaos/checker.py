"""The checker: what must hold when all is quiet again (FAILURES, Invariants).

It believes the hosts, real logins and what the clients were told. The broker's rows are
what it compares these with: of what it finds in Docker, each must be somebody's.
"""

from collections.abc import Iterator

from tests.chaos import logins
from tests.chaos.evidence import RUNNING, Evidence, Host, Row, backup_of, name_of
from tests.chaos.finding import Finding
from tests.chaos.history import History, State

NETWORK = "brokersite"


def findings(evidence: Evidence, history: History) -> list[Finding]:
    """All that is wrong now; some of it is only not done yet."""
    return [
        *_operations(evidence),
        *_instances(evidence, history),
        *(f for host in evidence.hosts for f in _containers(host, evidence, history)),
        *(f for host in evidence.hosts for f in _ports(host, evidence)),
        *(f for host in evidence.hosts for f in _images(host, evidence)),
        *(f for host in evidence.hosts for f in _others(host)),
        *_backups(evidence, history),
        *logins.findings(evidence, history),
    ]


def _operations(evidence: Evidence) -> Iterator[Finding]:
    guids = {row["id"]: row["guid"] for row in evidence.rows["instances"]}
    for row in evidence.unfinished:
        said = f"{row['kind']} {row['id']} is {row['state']}: {row['detail'][:200]}"
        yield Finding("stuck_operations", guids[row["instance_id"]], said)


def _instances(evidence: Evidence, history: History) -> Iterator[Finding]:
    """I3, I10: what is there is what was acknowledged and not deleted since."""
    asked = {row.guid: row for row in history.instances}
    for row in evidence.rows["instances"]:
        known = asked.get(row["guid"])
        if row["live_key"] and (known is None or known.state == State.DELETED):
            said = f"it is {row['state']}, and was deleted or never asked for"
            yield Finding("leaked_containers", row["guid"], said)
    for wish in history.live():
        found = evidence.instance(wish.guid)
        if found is None or found["state"] != "ready":
            said = (
                f"it is {found['state'] if found else 'unknown'}, and was acknowledged"
            )
            yield Finding("lost_instances", wish.guid, said)
        elif wish.is_whole and not _runs(evidence, found["container_id"]):
            said = f"its container {found['container_id']} does not run"
            yield Finding("lost_instances", wish.guid, said)


def _runs(evidence: Evidence, key: str) -> bool:
    name = f"brokersite-{key}"
    return any(
        name_of(container) == name and container["State"] == "running"
        for host in evidence.hosts
        for container in host.containers
    )


def _containers(host: Host, evidence: Evidence, history: History) -> Iterator[Finding]:
    """I1: each is the current one of a live instance, or a standby that is wanted."""
    owners = {
        row["container_id"]: row["guid"]
        for row in evidence.rows["instances"]
        if row["live_key"] and row["container_id"]
    }
    rows = evidence.rows
    surplus = sum(row["state"] == "standby" for row in rows["containers"])
    surplus -= sum(row["standby"] for row in rows["plans"])
    if surplus > 0:
        yield Finding("leaked_containers", "", f"there are {surplus} standbys too many")
    for container in host.containers:
        name = name_of(container)
        row = evidence.container(name.removeprefix("brokersite-"))
        if row is None:
            yield Finding("leaked_containers", "", f"{name} on {host.name} has no row")
        elif row["host_id"] != host.key:
            said = f"{name} is on {host.name}, and its row elsewhere"
            yield Finding("leaked_containers", "", said)
        elif row["state"] == "standby":
            continue
        elif row["id"] not in owners or row["state"] != "in_use":
            said = (
                f"{name} on {host.name} is {container['State']}, its row {row['state']}"
            )
            yield Finding("leaked_containers", owner(row, evidence), said)


def owner(row: Row, evidence: Evidence) -> str:
    """Whose it was, or is to be: by way of the one that it succeeds."""
    keys = {row["id"], row["succeeds_id"]} - {""}
    rows = (r for r in evidence.rows["instances"] if r["container_id"] in keys)
    return str(next((r["guid"] for r in rows), ""))


def _ports(host: Host, evidence: Evidence) -> Iterator[Finding]:
    """I2: leased is what is published, and published is what is leased.

    What Docker keeps for nobody (F132) is known, and given to nobody.
    """
    rows = {row["id"]: row for row in evidence.rows["containers"]}
    leased = {}
    for lease in evidence.rows["leases"]:
        if lease["host_id"] == host.key and lease["container_id"]:
            owner = rows[lease["container_id"]]
            if owner["state"] not in RUNNING:
                said = (
                    f"{host.name}:{lease['number']} is leased to a {owner['state']} one"
                )
                yield Finding("leaked_ports", owner(owner, evidence), said)
            leased[lease["number"]] = owner
    told = evidence.kept_ports(host.key)
    for number in sorted(set(host.listening) - set(leased) - told):
        who = host.listening[number]
        yield Finding(
            "leaked_ports", "", f"{host.name}:{number} listens without a lease: {who}"
        )


def _images(host: Host, evidence: Evidence) -> Iterator[Finding]:
    """I1, F133: each is a verified backup; a dangling one is nobody's."""
    backups = {row["id"]: row for row in evidence.rows["backups"]}
    for image in host.images:
        tags = [tag for tag in image["RepoTags"] or () if tag != "<none>:<none>"]
        row = backups.get(backup_of(image))
        label = f"{tags or 'dangling'} {image['Id'][7:19]} on {host.name}"
        if row is None or not tags:
            yield Finding("leaked_images", "", f"{label} is nobody's")
        elif row["state"] != "verified":
            yield Finding("leaked_images", "", f"{label} is {row['state']}")


def _others(host: Host) -> Iterator[Finding]:
    for name in host.volumes:
        yield Finding("leaked_volumes", "", f"{name} on {host.name}")
    for name in host.networks:
        if name != NETWORK or host.networks.count(name) > 1:
            yield Finding("leaked_networks", "", f"{name} on {host.name}")


def _backups(evidence: Evidence, history: History) -> Iterator[Finding]:
    """I12: acknowledged ones are proved, and those that are proved have an image."""
    there = {backup_of(image) for host in evidence.hosts for image in host.images}
    owners = {
        backup.operation: wish.guid
        for wish in history.live()
        for backup in wish.backups
        if wish.is_whole
    }
    for row in evidence.rows["backups"]:
        owner, state = owners.get(row["operation_id"], ""), row["state"]
        said = f"backup {row['id']} is {state}: {row['problem'][:300]}"
        if state in ("taking", "committed"):
            yield Finding("stuck_operations", owner, said)
        elif state == "missing" or (owner and state == "failed"):
            yield Finding("lost_backups", owner, said)
        elif state == "verified" and row["id"] not in there:
            yield Finding("lost_backups", owner, f"backup {row['id']} has no image")
