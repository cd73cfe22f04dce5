"""Backups and restores of a site: asked for in its own code, seen in its rows."""

import uuid

from tests.system.site import Site, wait_for

ASK = """
from instances.models import Actor, Backup, ServiceInstance
from instances.operations import back_up, restore
actor = Actor(kind="operator", name="tester")
"""
BACK_UP = """
instance = ServiceInstance.objects.get_live({guid!r})
back_up.accept(instance, trigger="operator", actor=actor, method={method!r})
"""
RESTORE = """
backup = Backup.objects.get(pk={backup!r})
restore.accept(backup, actor=actor, is_safe=False)
"""
UNFINISHED = "SELECT kind FROM instances_operation WHERE state IN ('queued', 'running')"


def back_up(site: Site, guid: str, method: str = "paused") -> None:
    """Ask for one, as the console does."""
    site.manage("shell", "-c", ASK + BACK_UP.format(guid=guid, method=method))


def restore(site: Site, backup: str) -> None:
    site.manage("shell", "-c", ASK + RESTORE.format(backup=backup))


def last(site: Site) -> tuple[str, str, str]:
    """Its id, state and problem."""
    sql = "SELECT id, state, problem FROM instances_backup ORDER BY created_at DESC"
    (found, *_) = site.rows(sql)
    return found


def wait_until_verified(site: Site) -> str:
    """The id of the last one."""

    def is_proved() -> bool:
        _, state, problem = last(site)
        assert state != "failed", problem
        return state == "verified"

    wait_for(is_proved, "the backup to be verified", limit_s=60)
    return last(site)[0]


def wait_until_done(site: Site) -> None:
    wait_for(lambda: not site.rows(UNFINISHED), "the operation to end", limit_s=60)


def states(site: Site) -> list[str]:
    """Of all containers that Docker has of this broker."""
    return sorted(found["State"] for found in site.containers())


def images(site: Site) -> dict[str, str]:
    """Backup images in Docker: reference to backup id."""
    return {
        reference: str(uuid.UUID(row["Labels"]["brokersite.backup"]))
        for row in site.backup_images()
        for reference in row["RepoTags"] or [row["Id"]]
    }


def rows_with_image(site: Site) -> set[str]:
    sql = "SELECT id FROM instances_backup WHERE state IN ('committed', 'verified')"
    return {str(uuid.UUID(found)) for (found,) in site.rows(sql)}


def reconcile_soon(site: Site) -> None:
    site.execute("UPDATE instances_dockerhost SET reconcile_after = NULL")


def wait_until_in_order(site: Site) -> None:
    """One container, which runs; and no image without a row, nor the reverse."""
    wait_until_done(site)

    def is_in_order() -> bool:
        reconcile_soon(site)
        found = images(site)
        return (
            states(site) == ["running"]
            and set(found.values()) == rows_with_image(site)
            and len(found) == len(set(found.values()))
        )

    wait_for(is_in_order, "containers and images to be in order", limit_s=60)
