"""Killed with -9 in a backup or a restore of PostgreSQL and Redis; a few, for real.

Every call is crashed at in memory (tests/instances/operations/test_backup_crashes.py),
and MariaDB's are in test_backup_crashes.
"""

import signal
from collections.abc import Iterator

import pytest

from tests.system import backups
from tests.system.engine_apps import APPS, App
from tests.system.site import Site
from tests.system.test_backup_crashes import ended

BACKUP_POINTS = ["commit:before", "commit:after"]
RESTORE_POINTS = ["write_archive:after", "start:after"]


class Life:
    """A site with one instance, an app, and one verified backup."""

    def __init__(self, engine: str) -> None:
        self.site = Site(engine=engine)
        self.engine = engine
        self.app: App

    def begin(self) -> None:
        worker = self.site.start_worker()
        self.site.provisioned("i")
        self.app = APPS[self.engine](self.site.bind("i").body["credentials"])
        self.app.open()
        self.app.add(1)
        ended(worker)

    def survive(self) -> None:
        """A worker with nothing in its memory goes on."""
        worker = self.site.start_worker()
        backups.wait_until_done(self.site)
        backups.wait_until_verified(self.site)
        backups.wait_until_in_order(self.site)
        ended(worker)
        assert self.app.is_let_in()
        assert self.app.extras() == [], "no witness is left"


@pytest.fixture(scope="module", params=sorted(APPS))
def life(request: pytest.FixtureRequest) -> Iterator[Life]:
    made = Life(request.param)
    with made.site:
        made.begin()
        yield made


@pytest.mark.parametrize("point", BACKUP_POINTS)
def test_a_backup_is_verified_all_the_same(life: Life, point: str) -> None:
    """F22, F89, I12."""
    life.site.arm(point)
    doomed = life.site.start_worker()
    backups.back_up(life.site, "i")
    assert doomed.wait(30) == -signal.SIGKILL
    life.survive()
    assert life.app.numbers() == [1]


@pytest.mark.parametrize("point", RESTORE_POINTS)
def test_a_restored_database_has_the_data_of_then(life: Life, point: str) -> None:
    """F22, F97, F102, I4: the same credentials, the same port."""
    backup, *_ = backups.last(life.site)
    life.app.add(2)
    life.site.arm(point)
    doomed = life.site.start_worker()
    backups.restore(life.site, backup)
    assert doomed.wait(30) == -signal.SIGKILL
    life.survive()
    assert life.app.numbers() == [1]
