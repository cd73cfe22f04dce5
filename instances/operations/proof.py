"""Proof: a backup is started where nothing can reach it, and its data is counted.

The image counts by itself and ends; what it prints is compared with what was counted
around the commit. A worker that dies leaves a claim that runs out.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from django.db.models import F
from django.db.models.functions import Now

from instances import errors
from instances.engines import get_engine, new_secret
from instances.engines.base import read_inventory
from instances.models import Backup, Container
from instances.operations import hosts

logger = logging.getLogger(__name__)

MOST_PROOFS = 3
PROOF_LIMIT_S = 900.0
POLL_S = 0.1
LOG_LINES = 200


def prove_next(*, is_stopping: Callable[[], bool] = lambda: False) -> bool:
    """Prove the oldest backup that waits for it. Return whether there was one."""
    backup = Backup.objects.unproved().order_by("created_at").first()
    if backup is None:
        return False
    try:
        backup.claim(proofs=F("proofs") + 1)
        prove(backup, is_stopping=is_stopping)
    except errors.Stopped as error:
        logger.info("backup=%s proof stops: %s", backup.pk, error.detail)
    except errors.Transient as error:
        # The claim runs out, and then somebody tries again.
        logger.warning("backup=%s no proof yet: %s", backup.pk, error.detail)
    except errors.BrokerError as error:
        _refute(backup, error.detail or str(error))
    return True


def prove(backup: Backup, *, is_stopping: Callable[[], bool]) -> None:
    """Find in the image what was counted. Raise ContainerFailed if it is not there."""
    with scratch(backup) as container:
        found = _counted(backup, container, is_stopping)
    compare(backup.inventory, found)
    backup.refresh_from_db(fields=["inventory"])
    backup.move(
        Backup.State.VERIFIED,
        only_from=(Backup.State.COMMITTED,),
        inventory={**backup.inventory, "found": found},
        verified_at=Now(),
        claimed_until=None,
        problem="",
    )
    logger.info("backup=%s instance=%s is verified", backup.pk, backup.instance_id)


@contextmanager
def scratch(backup: Backup, image: str = "") -> Iterator[Container]:
    """A throw-away container of the backup, for a row's time; prolong() keeps it.

    Of another image, it serves the making of the backup.
    """
    container = Container.objects.create(
        host=backup.host,
        plan=backup.plan,
        engine=backup.engine,
        image=image or backup.reference,
        memory_mb=backup.memory_mb,
        cpus=backup.plan.cpus,
        pids=backup.plan.pids,
        admin_secret=new_secret(),
        state=Container.State.SCRATCH,
    )
    container.prolong()
    try:
        yield container
    finally:
        container.retire()
        hosts.remove_if_unwanted(container)


def _counted(
    backup: Backup, container: Container, is_stopping: Callable[[], bool]
) -> dict[str, int]:
    host = hosts.connect(backup.host)
    engine = get_engine(backup.engine)
    question = engine.proof(backup.database, backup.witness)
    host.create(hosts.proof_spec(container, question))
    host.start(container.name)
    deadline = time.monotonic() + PROOF_LIMIT_S
    while (status := host.find(container.name)) and status.is_running:
        backup.hold()
        container.prolong()
        if is_stopping():
            raise errors.Interrupted
        if time.monotonic() > deadline:
            raise errors.ContainerFailed(detail="its proof did not end in time")
        time.sleep(POLL_S)
    log = host.logs(container.name, lines=LOG_LINES)
    if status is None or status.exit_code:
        code = status.exit_code if status else "none"
        raise errors.ContainerFailed(
            detail=f"its proof ended with exit code {code}. The last lines:\n{log}"
        )
    return read_inventory(log)


def compare(counted: Mapping[str, Mapping[str, int]], found: dict[str, int]) -> None:
    """Raise ContainerFailed if less is there than was counted around the commit.

    More may be: what apps have removed meanwhile. Keys end by themselves; that those
    before the witness are there is what the order of Redis's file says.
    """
    before = counted["before"]
    after = counted.get("after", before)
    if found.get("witness") != 1:
        raise errors.ContainerFailed(
            detail="what was written last before the backup is not in it"
        )
    for name in set(before) - {"witness", "keys"}:
        lowest = min(before[name], after.get(name, 0))
        if found.get(name, 0) < lowest:
            raise errors.ContainerFailed(
                detail=f"{name}: {lowest} were counted, {found.get(name, 0)} are in it"
            )


def _refute(backup: Backup, problem: str) -> None:
    """Once more, in case the machine was to blame; then it is no backup."""
    backup.refresh_from_db(fields=["proofs"])
    logger.warning("backup=%s proof %s: %s", backup.pk, backup.proofs, problem)
    committed = Backup.objects.filter(pk=backup.pk, state=Backup.State.COMMITTED)
    if backup.proofs < MOST_PROOFS:
        committed.update(problem=problem, claimed_until=None)
    else:
        committed.update(state=Backup.State.FAILED, problem=problem, claimed_until=None)
