"""Test a host's connection: what is wrong or will be, each with its cure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from django.db.models.functions import Now
from django.utils import timezone

from instances import certificates, containers, errors
from instances.containers import ContainerHost, HostDescription
from instances.models import Actor, AuditEvent, DockerHost
from instances.operations import hosts
from instances.operations.host_images import planned

GOOD, WARNING, BAD = "good", "warning", "bad"
KNOWN_STORAGE = ("overlay2", "overlayfs", "fuse-overlayfs", "btrfs", "zfs")


@dataclass(frozen=True)
class Finding:
    level: str
    text: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.cure}".strip()


def check(host: DockerHost) -> list[Finding]:
    """Ask the host, and keep what was found in its row.

    A host whose known engine answers is no longer quarantined.
    """
    found = list(_findings(host))
    DockerHost.objects.filter(pk=host.pk).update(
        findings=[asdict(finding) for finding in found], checked_at=Now()
    )
    return found


def accept_engine(host: DockerHost, engine_id: str, *, actor: Actor) -> None:
    """Know the engine that answers now as this host's; an operator has said so.

    Raise Conflict if it is another one than the operator has seen.
    """
    if not host.is_quarantined or host.other_engine_id != engine_id:
        raise errors.Conflict(
            "Another Docker Engine answers by now: test the connection again."
        )
    AuditEvent.objects.create(
        actor_kind=actor.kind,
        actor_name=actor.name,
        action="accept Docker Engine",
        target=f"Docker host {host.name}",
        changes={"engine_id": [host.engine_id, engine_id]},
    )
    host.settle(engine_id)


def is_bad(found: list[Finding]) -> bool:
    return any(finding.level == BAD for finding in found)


def _findings(host: DockerHost) -> Iterator[Finding]:
    yield from _expiry(host)
    # Not hosts.connect(): one in quarantine is asked all the same. And without the
    # known id: what answers is told, and compared here.
    docker = containers.connect(replace(hosts.access(host), engine_id=""))
    try:
        told = docker.describe()
        yield Finding(GOOD, f"Docker {told.version} answers, API {told.api_version}.")
        yield from _identity(host, told)
        yield from _engine(told)
        yield from _room(host, told)
        yield from _network(host, docker)
    except errors.HostUnreachable as error:
        host.note_contact(error.detail)
        yield Finding(BAD, error.detail)
    else:
        if not host.is_quarantined:
            host.note_contact()


def _expiry(host: DockerHost) -> Iterator[Finding]:
    expiry, now = host.expires_at, timezone.now()
    if expiry is None or not certificates.is_soon(expiry, now):
        return
    has_expired = expiry < now
    yield Finding(
        BAD if has_expired else WARNING,
        f"A certificate of this host {'has expired' if has_expired else 'expires'} on "
        f"{expiry:%Y-%m-%d}.",
        "Give a new one in the fields of this page.",
    )


def _identity(host: DockerHost, told: HostDescription) -> Iterator[Finding]:
    twin = (
        DockerHost.objects.filter(engine_id=told.engine_id).exclude(pk=host.pk).first()
    )
    if twin is not None:
        yield Finding(
            BAD,
            f"It has the same Docker id as host {twin}.",
            "Cordon one of the two if they are one engine: its memory and ports would "
            "be given twice. A machine that was cloned needs an id of its own: remove "
            "/etc/docker/key.json and engine-id in Docker's data folder, restart it.",
        )
    if not host.engine_id:
        host.pin(told.engine_id)
    elif told.engine_id != host.engine_id:
        host.quarantine(told.engine_id)
        problem = errors.WrongEngine(found=told.engine_id, known=host.engine_id)
        host.note_contact(problem.detail)
        yield Finding(
            BAD,
            f"Another Docker Engine answers ({told.engine_id}) than the known one "
            f"({host.engine_id}). Nothing is done on this host until that is settled.",
            "Correct the name or address so that the known one answers, and test "
            "again; or accept the new one, if the machine was set up anew: its "
            "databases are then looked for there.",
        )
    elif host.is_quarantined:
        host.settle(host.engine_id)
        host.other_engine_id = ""
        yield Finding(GOOD, "The known Docker Engine answers again: work goes on.")


def _engine(told: HostDescription) -> Iterator[Finding]:
    if told.operating_system not in ("linux", ""):
        yield Finding(
            BAD,
            f"Its containers run {told.operating_system}.",
            "Switch it to Linux containers.",
        )
    if told.storage_driver not in KNOWN_STORAGE:
        yield Finding(
            WARNING,
            f"The storage driver is {told.storage_driver}: starts and backups are slow "
            "there, or fail.",
            "Let dockerd use overlay2.",
        )
    if told.missing_limits:
        yield Finding(
            WARNING,
            f"Docker there cannot limit: {', '.join(told.missing_limits)} (cgroup "
            f"{told.cgroup}).",
            "Boot with these cgroup controllers on, such as "
            "cgroup_enable=memory swapaccount=1.",
        )


def _room(host: DockerHost, told: HostDescription) -> Iterator[Finding]:
    if host.memory_mb > told.memory_mb:
        yield Finding(
            WARNING,
            f"The memory budget is {host.memory_mb} MiB, and the machine has "
            f"{told.memory_mb}.",
            f"Give a budget of {int(told.memory_mb * 0.8)} MiB or less.",
        )


def _network(host: DockerHost, docker: ContainerHost) -> Iterator[Finding]:
    """Seen by a container, of one of the plans' images: Docker itself tells neither."""
    images = [row.reference for row in planned(host)]
    image = next((name for name in images if docker.images.find(name)), None)
    if image is None:
        yield Finding(
            WARNING,
            "It has no image of any plan: nothing can be made there, and its addresses "
            "and ports were not looked at.",
            "Prestage the images on this page.",
        )
        return
    try:
        seen = docker.look_around(image)
    except (errors.ContainerFailed, errors.HostRefused) as error:
        yield Finding(
            WARNING,
            f"Its addresses and ports could not be looked at: {error.detail}",
        )
        return
    if host.publish_address not in {*seen.addresses, "0.0.0.0", "::"}:  # noqa: S104
        shown = ", ".join(sorted(seen.addresses, key=lambda text: (":" in text, text)))
        yield Finding(
            BAD,
            f"{host.publish_address} is no address of that machine.",
            f"Let databases listen on one of {shown}.",
        )
    first, last = seen.ephemeral_ports
    if host.port_min <= last and first <= host.port_max:
        yield Finding(
            WARNING,
            f"The ports {host.port_min} to {host.port_max} overlap with {first} to "
            f"{last}, from which that machine serves programs that want any port.",
            f"Give ports below {first}, or change net.ipv4.ip_local_port_range.",
        )
