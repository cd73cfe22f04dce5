"""A short history under faults leaves nothing behind, and loses nothing."""

from collections.abc import Iterator

import pytest

from tests.chaos.crowd import Plan
from tests.chaos.lab import Lab
from tests.chaos.run import Score, run
from tests.system.docker_lab import cannot_run

ENGINES = ("redis", "mariadb")
SEED = 7
pytestmark = [
    pytest.mark.skipif(cannot_run(), reason="needs root, iproute2 and a local dockerd"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(list(ENGINES)) as lab:
        yield lab


def judge(score: Score) -> None:
    print(score.line())
    assert score.is_good, f"{score.story}\n{score.line()}"


def test_without_faults(lab: Lab) -> None:
    """The checker finds nothing where nothing was done to the broker."""
    score = run(lab, Plan(SEED, 20, ENGINES), faults=0)
    judge(score)
    assert score.history.errors == 0
    assert score.history.operations == 20


def test_with_faults(lab: Lab) -> None:
    """I1 to I8, I11, I14: a fault every seven operations."""
    score = run(lab, Plan(SEED, 100, ENGINES), faults=15, standbys={"redis": 1})
    judge(score)
    assert score.history.operations == 100
