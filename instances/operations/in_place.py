"""What an update changes of a database in the container that it has."""

from typing import Any

from instances import placement
from instances.engines import get_engine
from instances.models import Container, DockerHost, ServicePlan
from instances.models.disk import HELD, HELD_TO
from instances.operations import disk, hosts
from instances.operations.starting import wait_until_ready
from instances.operations.work import Work

LIMITS = ("memory_mb", "cpus", "pids", *HELD_TO)


def reserve(work: Work, container: Container, plan: ServicePlan) -> None:
    """Take the memory from the host's budget before Docker is asked for it."""
    with work.fenced():
        host = DockerHost.objects.select_for_update().get(pk=container.host_id)
        more_mb = plan.memory_mb - container.memory_mb
        for name in LIMITS:
            setattr(container, name, getattr(plan, name))
        container.save(update_fields=LIMITS)
        if more_mb > 0:
            placement.make_room(host)


def ease(work: Work, container: Container) -> None:
    """Let go at once a database that was full for its former plan."""
    former = container.disk_state
    if former not in HELD:
        return
    work.step("looking whether the disk limit lets it go")
    disk.judge(container)
    if former == Container.DiskState.STOPPED != container.disk_state:
        hosts.start_again(container)
        wait_until_ready(container, step=work.step, check=work.check)
    disk.enforce(container)


def set_parameters(work: Work, container: Container, wanted: dict[str, Any]) -> None:
    if apply_parameters(container, work.operation.instance.database, wanted):
        work.step("restarting the database")
        hosts.connect(container.host).restart(container.name)
        wait_until_ready(container, step=work.step, check=work.check)


def apply_parameters(
    container: Container, database: str, wanted: dict[str, Any]
) -> bool:
    """Set those that can change; whether that takes a restart."""
    engine = get_engine(container.engine)
    known = engine.update_schema["properties"]
    changeable = {name: value for name, value in wanted.items() if name in known}
    return engine.update_database(hosts.endpoint(container), database, changeable)
