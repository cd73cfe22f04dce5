"""Settle findings: each kind in its way. What cannot be settled stays as a row."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction

from instances import errors
from instances.models import (
    WORKER,
    AuditEvent,
    Container,
    Finding,
    Kind,
    ServiceInstance,
)
from instances.operations import debts, ghosts, hosts, recreate_user, run_state
from instances.operations.reconcile.findings import Found, is_to_run
from instances.operations.reconcile.observation import Seen

logger = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=2)
"""Before the first restart of what refuses its apps; twice as long before the next."""
_Kind = Finding.Kind
Settler = Callable[[Seen, Found], str | None]
"""Returns why it is still so; None if it is settled."""


def settle(seen: Seen, found: Found) -> Finding | None:
    """Do what is to be done about it; return what stays for a person, if it does.

    One that cannot be settled must not keep the others.
    """
    settler = SETTLERS.get(found.kind)
    if settler is None:
        return found.standing()
    try:
        reason = settler(seen, found)
    except errors.BrokerError as error:
        reason = error.detail or str(error)
    if reason is None:
        logger.warning(
            "host=%s %s: %s %s: %s",
            *(seen.host, found.name, found.sentence, found.text, found.cure),
        )
        return None
    return found.standing(reason)


def _brake(seen: Seen, found: Found) -> str:
    missing = int(found.details["missing"])
    if seen.host.brake(missing):
        AuditEvent.objects.create(
            actor_kind=WORKER.kind,
            actor_name=WORKER.name,
            action="brake",
            target=f"Docker host {seen.host.name}",
            changes={"missing": missing},
        )
    return found.text


def _remove(seen: Seen, found: Found) -> None:
    assert found.row is not None
    # Its row is read anew: it may have been written since the others were read.
    hosts.remove_if_unwanted(found.row)


def _remove_left(seen: Seen, found: Found) -> None:
    """By its label, no database: there is nothing in it that is nowhere else."""
    seen.docker.remove(found.name)


def _retire(seen: Seen, found: Found) -> None:
    assert found.row is not None
    found.row.retire()
    hosts.remove_if_unwanted(found.row)


def _replace(seen: Seen, found: Found) -> None:
    """Nobody's data is in a standby: another one takes its place."""
    assert found.row is not None
    if found.row.dismiss():
        hosts.remove_if_unwanted(found.row)


def _lose(seen: Seen, found: Found) -> str:
    """Mark it, once Docker has said so again; never make it anew, empty (F49)."""
    row = found.row
    assert row is not None
    if row.lost_at is None:
        if seen.docker.find(row.name) is not None:
            return "Docker knows it, and does not list it"
        with transaction.atomic():
            if row.lose():
                _record("lost", row)
    return found.text


def _take_back(seen: Seen, found: Found) -> None:
    assert found.row is not None
    with transaction.atomic():
        if found.row.reappear():
            _record("found again", found.row)


def _record(action: str, row: Container) -> None:
    instance = ServiceInstance.objects.filter(container=row).first()
    if instance is not None:
        where = {"container": row.name, "host": row.host.name}
        AuditEvent.record(WORKER, action, instance, **where)


def _start(seen: Seen, found: Found) -> str | None:
    """Docker's restart policy forgets some after a crash (FAILURES F40, F50)."""
    row, status = found.row, found.status
    assert row is not None and status is not None
    if status.state not in ("exited", "created", "dead"):
        return f"Docker says {status.state}: see the container's log"
    # One that a swap has stopped meanwhile has had that written before (I3).
    row.refresh_from_db(fields=["state"])
    if not is_to_run(row):
        return None
    try:
        hosts.start_again(row)
    except (errors.PortTaken, errors.ContainerFailed) as error:
        if row.state == Container.State.STANDBY:
            _replace(seen, found)
            return None
        return f"it does not start: {error.detail}"
    # At once: until then, whoever was unbound can log in (FAILURES F71).
    debts.pay(row)
    return None


def _resume(seen: Seen, found: Found) -> None:
    """By a commit whose daemon or worker has died (FAILURES F90)."""
    seen.docker.resume(found.name)


def _limit(seen: Seen, found: Found) -> None:
    assert found.row is not None
    seen.docker.limit(hosts.spec(found.row))


def _drop(seen: Seen, found: Found) -> None:
    assert found.row is not None
    ghosts.drop(found.row, found.user)


def _recreate(seen: Seen, found: Found) -> str | None:
    assert found.binding is not None
    try:
        recreate_user.accept(found.binding)
    except errors.ConcurrencyError:
        return "something else is done to the binding"
    return None


def _listen(seen: Seen, found: Found) -> str | None:
    """A restart makes Docker publish it again, and harms nobody: none can log in.

    Where a port is open as soon as the server is, one that reads its data for long
    would never end if it was restarted too often.
    """
    assert found.row is not None
    if found.row.state == Container.State.STANDBY:
        _replace(seen, found)
        return None
    same = Finding.objects.filter(host=seen.host, kind=found.kind, name=found.name)
    former = same.first()
    restarts = former.details.get("restarts", 0) if former else 0
    found.details["restarts"] = restarts
    patience = PATIENCE * (2 ** (restarts + 1) - 1)
    if former is None or seen.now < former.found_at + patience:
        return f"nobody listens on {found.text}; restarts: {restarts}"
    instance = ServiceInstance.objects.get(container=found.row)
    try:
        run_state.accept(instance, Kind.RESTART, actor=WORKER, reason=found.sentence)
    except errors.ConcurrencyError:
        return "something else is done to it"
    found.details["restarts"] = restarts + 1
    return f"nobody listens on {found.text}; restarts: {restarts + 1}"


def _leave_port(seen: Seen, found: Found) -> str:
    """It goes on resting: to be tried again when nothing answers there any more."""
    assert found.lease is not None
    found.lease.rest_on("something is there")
    return f"it was: {found.lease.reason}"


def wipe(seen: Seen) -> None:
    """Witnesses of the backups that instances began with; nobody waits for that."""
    for name in seen.users:
        try:
            ghosts.wipe(seen.rows[name])
        except errors.BrokerError as error:
            logger.info("host=%s %s keeps a witness: %s", seen.host, name, error.detail)


SETTLERS: dict[str, Settler] = {
    _Kind.BRAKE: _brake,
    _Kind.UNWANTED: _remove,
    _Kind.LEFT: _remove_left,
    _Kind.NOBODYS: _retire,
    _Kind.NO_STANDBY: _replace,
    _Kind.LOST: _lose,
    _Kind.BACK: _take_back,
    _Kind.DOWN: _start,
    _Kind.PAUSED: _resume,
    _Kind.LIMITS: _limit,
    _Kind.GHOST: _drop,
    _Kind.MISSING_USER: _recreate,
    _Kind.SILENT: _listen,
    _Kind.KEPT_PORT: _leave_port,
}
"""The others are only told."""
