"""The checker is proved: it catches each build that was broken on purpose."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import mutants
from tests.chaos.history import History
from tests.chaos.lab import Lab, Site, wait_until_served
from tests.chaos.platform import Platform
from tests.chaos.scene import Scene
from tests.chaos.settling import await_finding, settle
from tests.chaos.watcher import Watcher
from tests.system.docker_lab import cannot_run

NAMES = sorted(module.name for module in pkgutil.iter_modules(mutants.__path__))
pytestmark = [
    pytest.mark.skipif(cannot_run(), reason="needs root, iproute2 and a local dockerd"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chaos") / "template.sqlite3"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(["redis"]) as lab:
        yield lab


def small_site(lab: Lab, template: Path, mutant: str = "") -> Site:
    return Site(lab.daemons, web=1, workers=1, template=template, mutant=mutant)


def module_of(name: str) -> Any:
    return importlib.import_module(f"tests.chaos.mutants.{name}")


def play(site: Site, history: History, names: list[str]) -> None:
    wait_until_served(Platform(site.ports).is_there)
    with Watcher(site, history, pause_s=0.3):
        for name in names:
            scene = Scene(site, history, name)
            module_of(name).play(scene)
            scene.clear()


def test_an_unbroken_build_comes_clean_out_of_every_scene(
    lab: Lab, template: Path
) -> None:
    history = History()
    with small_site(lab, template) as site:
        play(site, history, NAMES)
        _, found = settle(site, history)
        looks = (getattr(module_of(name), "look", None) for name in NAMES)
        found += [one for look in looks if look for one in look(site, history)]
        assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("name", NAMES)
def test_broken_build_is_caught(lab: Lab, template: Path, name: str) -> None:
    history, broken = History(), module_of(name)
    with small_site(lab, template, mutant=name) as site:
        play(site, history, [name])
        look = getattr(broken, "look", None)
        found = (
            look(site, history)
            if look is not None
            else await_finding(site, history, broken.CATCHES, wait_s=broken.WAIT_S)
        )
        caught = {finding.kind for finding in found} & set(broken.CATCHES)
        assert caught, "\n".join(map(str, found)) or "nothing was found"
