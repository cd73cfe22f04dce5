"""Samples: what hosts and databases do, noted about every minute for the console.

Nothing else depends on it. A container that an exclusive operation has in hand is left
alone, and a host that does not answer has no more than its own row's numbers.
"""

import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime

from django.db import connection
from django.db.models import Count, Q, Sum
from django.utils import timezone

from instances import errors
from instances.containers import ContainerUsage
from instances.engines import Watchable, get_engine
from instances.models import (
    Container,
    ContainerSample,
    DockerHost,
    HostSample,
    Operation,
    ServiceBinding,
)
from instances.models.docker_host import HOLDING
from instances.models.sample import COARSE
from instances.operations import hosts

logger = logging.getLogger(__name__)

LIMIT_S = 25.0
"""For all containers of a host; asking their databases has as much."""
AT_ONCE = 8
"""Databases of one host that are asked side by side."""
MOST_CONTAINERS = 200
"""On one host in one minute: with more, each has its turn."""
MOST_BATCHES = 50
"""In a minute: more than so many hosts' containers bring."""


def sample(host: DockerHost) -> None:
    """Note how a host is, and what its databases use. Raise HostUnreachable."""
    sample_host(host, timezone.now())
    sample_containers(host)


def sample_host(host: DockerHost, now: datetime) -> None:
    """From the rows alone."""
    state = Container.State
    there = host.containers.filter(state__in=HOLDING).aggregate(
        number=Count("pk"),
        given=Sum("memory_mb"),
        standbys=Count("pk", filter=Q(state=state.STANDBY)),
        instances=Count("pk", filter=Q(state=state.IN_USE)),
    )
    here = Operation.objects.filter(instance__container__host=host)
    # So long that thinning loses none.
    failed = here.filter(state=Operation.State.FAILED, finished_at__gt=now - COARSE)
    HostSample.objects.create(
        host=host,
        at=now,
        is_coarse=not HostSample.objects.counted("host", [host.pk], now),
        memory_mb=host.memory_mb,
        given_mb=there["given"] or 0,
        free_bytes=host.free_bytes,
        ports=host.port_max - host.port_min + 1,
        ports_used=host.ports.count(),
        containers=there["number"],
        standbys=there["standbys"],
        instances=there["instances"],
        operations_running=here.filter(state=Operation.State.RUNNING).count(),
        operations_failed=failed.count(),
    )


def sample_containers(host: DockerHost) -> None:
    """Raise HostUnreachable."""
    rows = _likely_first(_whose_turn(host))
    by_name = {row.name: row for row in rows}
    if not by_name:
        return
    found = hosts.connect(host).usage(list(by_name), limit_s=LIMIT_S)
    used = [(by_name[name], usage) for name, usage in found.items()]
    sessions = _sessions([row for row, _ in used])
    now = timezone.now()
    keys = [row.pk for row, _ in used]
    has_one = ContainerSample.objects.counted("container", keys, now)
    ContainerSample.objects.bulk_create(
        (
            _made(row, usage, now, sessions.get(row), is_coarse=row.pk not in has_one)
            for row, usage in used
        ),
        batch_size=100,
    )
    _note_connected(sessions, now)


def _whose_turn(host: DockerHost) -> list[Container]:
    busy = Operation.objects.unfinished().filter(exclusive_instance__isnull=False)
    rows = (
        host.containers.filter(state=Container.State.IN_USE, instance__isnull=False)
        .exclude(instance__in=busy.values("exclusive_instance"))
        .select_related("host", "lease", "instance")
        .order_by("pk")
    )
    number = rows.count()
    if number <= MOST_CONTAINERS:
        return list(rows)
    turns = -(-number // MOST_CONTAINERS)
    first = int(time.time() // 60) % turns * MOST_CONTAINERS
    return list(rows[first : first + MOST_CONTAINERS])


def _likely_first(rows: list[Container]) -> list[Container]:
    """Those that answered lately: where time runs out, it is not theirs.

    The others come in any order, so that none is always the last.
    """
    lately = ContainerSample.objects.filter(
        container__in=rows, at__gt=timezone.now() - COARSE, connections__isnull=False
    )
    answering = set(lately.order_by().values_list("container", flat=True))
    random.shuffle(rows)
    return sorted(rows, key=lambda row: row.pk not in answering)


def _made(
    row: Container,
    usage: ContainerUsage,
    now: datetime,
    sessions: dict[str, int] | None,
    *,
    is_coarse: bool,
) -> ContainerSample:
    return ContainerSample(
        container=row,
        at=now,
        is_coarse=is_coarse,
        cpu_ms=usage.cpu_ms,
        memory_bytes=usage.memory_bytes,
        received_bytes=usage.received_bytes,
        sent_bytes=usage.sent_bytes,
        read_bytes=usage.read_bytes,
        written_bytes=usage.written_bytes,
        disk_bytes=row.disk_bytes,
        processes=usage.processes,
        connections=None if sessions is None else sum(sessions.values()),
    )


def _sessions(rows: Sequence[Container]) -> dict[Container, dict[str, int]]:
    """Who is connected where, as far as the engines say so in time.

    One that is silent takes a thread and nobody's turn (FAILURES I13).
    """
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sessions")
    try:
        asked = {pool.submit(_sessions_of, row): row for row in rows}
        done, _ = wait(asked, timeout=LIMIT_S)
    finally:
        # Not waited for: the engines' own limits end what still hangs.
        pool.shutdown(wait=False, cancel_futures=True)
    found = {asked[answer]: answer.result() for answer in done}
    return {row: known for row, known in found.items() if known is not None}


def _sessions_of(row: Container) -> dict[str, int] | None:
    try:
        return sessions(row)
    finally:
        # The thread's own, should anything have asked for a row.
        connection.close()


def sessions(container: Container) -> dict[str, int] | None:
    """Connections by user; None if its engine does not know, or does not answer."""
    engine = get_engine(container.engine)
    if not isinstance(engine, Watchable):
        return None
    try:
        return engine.sessions(hosts.endpoint(container))
    except errors.BrokerError as error:
        logger.info("container=%s is not asked who is there: %s", container, error)
        return None


def _note_connected(sessions: dict[Container, dict[str, int]], now: datetime) -> None:
    """On the bindings whose users are there."""
    names = {name for known in sessions.values() for name in known}
    if not names:
        return
    instances = [row.instance.pk for row in sessions]
    bound = ServiceBinding.objects.exclude(state=ServiceBinding.State.GONE)
    rows = bound.filter(instance__in=instances).only("pk")
    keys = [row.pk for row in rows if row.username in names]
    ServiceBinding.objects.filter(pk__in=keys).update(connected_at=now)


def thin() -> None:
    """Let go of those samples whose time is over, in batches: no lock is held long."""
    now = timezone.now()
    for model in (HostSample, ContainerSample):
        for _ in range(MOST_BATCHES):
            if not model.objects.over(now).delete()[0]:
                break
