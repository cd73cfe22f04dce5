"""Logins with every credential that there ever was, and what is found inside."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.chaos import doors
from tests.chaos.evidence import RUNNING, Evidence
from tests.chaos.finding import Finding
from tests.chaos.history import Bound, History, Instance, State

LOGINS = 8


def findings(evidence: Evidence, history: History) -> Iterator[Finding]:
    """Many at once: a login that has to time out would keep the others."""
    with ThreadPoolExecutor(LOGINS) as pool:
        for found in pool.map(lambda w: _tried(w, evidence), list(history.instances)):
            yield from found


def _tried(wish: Instance, evidence: Evidence) -> list[Finding]:
    found: list[Finding] = []
    for binding in wish.bindings:
        if binding.credentials and binding.state == State.DELETED:
            found += _refused(wish, binding, evidence)
        elif binding.state == State.LIVE and wish.state == State.LIVE:
            found += _let_in(wish, binding)
    if wish.state == State.LIVE and wish.is_whole:
        found += [*_users(wish, evidence), *_data(wish)]
    return found


def _refused(wish: Instance, binding: Bound, evidence: Evidence) -> Iterator[Finding]:
    """I5: refused; a time-out proves nothing, nor an outage of what is there."""
    is_there = wish.state == State.LIVE and wish.is_whole
    if not is_there and (
        _is_anothers(wish, binding, evidence) or _is_kept(binding, evidence)
    ):
        return
    try:
        doors.knock(binding.credentials)
    except doors.Refused:
        return
    except doors.Down as error:
        said = str(error)
        if not is_there and "timed out" not in said.lower():
            return
        said = f"binding {binding.guid} is not refused: {said}"
    else:
        said = f"binding {binding.guid} still lets in"
    yield Finding("live_after_unbind", wish.guid, said)


def _is_kept(binding: Bound, evidence: Evidence) -> bool:
    """Whether only Docker's proxy answers there, of a container that has gone."""
    return any(
        binding.credentials["port"] in evidence.kept_ports(host.key)
        for host in evidence.hosts
        if host.address == binding.credentials["hostname"]
    )


def _is_anothers(wish: Instance, binding: Bound, evidence: Evidence) -> bool:
    """Whether what listens there today is of another engine, and says nothing to it."""
    place = (binding.credentials["hostname"], binding.credentials["port"])
    for row in evidence.rows["containers"]:
        admin = evidence.admin(row) if row["state"] in RUNNING else None
        if admin and (admin["hostname"], admin["port"]) == place:
            return bool(row["engine"] != wish.engine)
    return False


def _let_in(wish: Instance, binding: Bound) -> Iterator[Finding]:
    """I4."""
    try:
        doors.knock(binding.credentials)
    except (doors.Refused, doors.Down) as error:
        if wish.is_whole:
            said = f"binding {binding.guid}: {type(error).__name__}: {error}"
            yield Finding("dead_credentials", wish.guid, said)


def _users(wish: Instance, evidence: Evidence) -> Iterator[Finding]:
    """I6: users are those of the bindings that the platform has."""
    row = evidence.instance(wish.guid)
    container = row and evidence.container(row["container_id"])
    admin = container and evidence.admin(container)
    if not admin:
        return  # it is lost, and said to be so
    try:
        found = doors.users(admin)
    except (doors.Refused, doors.Down):
        return  # dead credentials say it, too
    known = {str(b.credentials["username"]) for b in wish.bound()}
    for name in sorted(found - known):
        yield Finding("ghost_users", wish.guid, f"user {name} is nobody's")


def _data(wish: Instance) -> Iterator[Finding]:
    """I11: what was acknowledged is there, but for what a restore went back behind."""
    for binding in wish.bound():
        try:
            missing = wish.expected() - doors.read(binding.credentials)
        except (doors.Refused, doors.Down):
            continue  # dead credentials say it
        if missing:
            said = f"{len(missing)} of {len(wish.expected())}: {sorted(missing)[:10]}"
            yield Finding("lost_data", wish.guid, said)
        return
