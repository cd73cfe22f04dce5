"""Reconcile: make a host's containers what the rows say.

What a host has is looked at and compared with the rows; what differs is a finding, and
each kind of them is settled in its own way, or stays until a person has seen to it.

Only what has a row of ours is touched. A container that carries this broker's label and
has no row at all is shown for adoption and left alone: the database may have been
restored from an older copy (FAILURES F120). Throw-away containers alone are swept
without a row: no database was ever in use there.
"""

import logging

from instances.models import DockerHost, Finding
from instances.operations.reconcile import observation
from instances.operations.reconcile.findings import Found, compare
from instances.operations.reconcile.observation import Seen
from instances.operations.reconcile.settling import settle, wipe

logger = logging.getLogger(__name__)


def reconcile(host: DockerHost, *, is_full: bool = False) -> list[Found]:
    """Bring one host in line; return what was found. Running it twice changes nothing.

    A full pass looks closely at every container, and not only at those whose turn
    it is. Raise HostUnreachable.
    """
    seen = observation.look(host, is_full=is_full)
    observation.note(seen)
    found = list(compare(seen))
    standing = [row for one in found if (row := settle(seen, one)) is not None]
    for row in Finding.objects.sync(host, standing, seen.is_unseen):
        logger.warning("host=%s %s %s", host, row, row.text)
    if not any(one.kind == Finding.Kind.BRAKE for one in found):
        # They are back, or an operator has said that they are gone.
        host.unbrake()
    wipe(seen)
    return found


def look(host: DockerHost) -> list[Found]:
    """What a full pass would find. Nothing is changed. Raise HostUnreachable."""
    return list(compare(observation.look(host, is_full=True)))


__all__ = ["Found", "Seen", "look", "reconcile"]
