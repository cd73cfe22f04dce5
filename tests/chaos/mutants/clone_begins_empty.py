"""A new service instance of a backup begins without its data (I12)."""

from tests.chaos import clones
from tests.chaos.finding import Finding
from tests.chaos.history import History
from tests.chaos.lab import Site
from tests.chaos.scene import Scene
from tests.system.site import wait_for

CATCHES = ("lost_backups",)
WAIT_S = 0.0


def install() -> None:
    from instances.operations import beginning

    beginning.filler = lambda work, instance, container: lambda created: None
    beginning.settle = lambda work, instance, container: None


def play(scene: Scene) -> None:
    row, _ = scene.bound()
    assert scene.client.back_up(row)
    states = "SELECT state FROM instances_backup"
    wait_for(lambda: ("verified",) in scene.site.rows(states), "the backup's proof")


def look(site: Site, history: History) -> list[Finding]:
    return clones.findings(site, history, seed=1)
