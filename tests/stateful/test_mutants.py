"""A test of the test: histories find what is broken on purpose.

All mutants by `make mutants`, which prints how soon; in every run those that are
found soon.
"""

import os
import time
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import QUICK, Histories
from tests.stateful.mutants import BY_PART, MUTANTS

LATE = (
    "a_port_is_free_before_its_container_is_gone",
    "a_ready_database_moves_to_a_free_port",
    "a_stopped_database_stays_down",
    "nobody_looks_at_the_lease",
    "a_failed_provision_keeps_its_container",
    "a_failed_restore_is_not_undone",
    "a_revocation_is_given_up",
    "a_failed_instance_is_unknown",
    "provision_is_over_when_it_is_created",
    "a_commit_does_not_pause",
    "images_of_failed_backups_stay",
    "a_restore_begins_empty",
    "nobody_looks_at_a_standby_s_claim",
    "a_deletion_is_given_up",
    "a_deletion_cancels_nothing",
)
"""Not found within twelve histories, or not measured yet: `make mutants` tries them."""
CHOSEN = os.environ.get("MUTANTS", "")
NAMES = tuple(MUTANTS) if CHOSEN == "all" else tuple(filter(None, CHOSEN.split(",")))
SOON = tuple(name for name in MUTANTS if name not in LATE)
MOST_HISTORIES = int(os.environ.get("EXAMPLES", "60"))


@dataclass
class Hunt:
    """How far it is with one mutant."""

    histories: int = 0
    found: str = ""

    def go(self, name: str) -> None:
        settings_ = settings(QUICK, max_examples=MOST_HISTORIES)
        counted = type("Counted", (_Counted,), {"hunt": self})
        with MUTANTS[name]():
            try:
                run_state_machine_as_test(seed(1)(counted), settings=settings_)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                self.found = f"{type(error).__name__}: {error}".splitlines()[0]


class _Counted(Histories):
    hunt: Hunt

    def __init__(self) -> None:
        super().__init__()
        self.hunt.histories += 1


@pytest.mark.timeout(0)
@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES or SOON)
def test_it_is_found(name: str, capsys: Any) -> None:
    hunt, begun = Hunt(), time.process_time()
    hunt.go(name)
    seconds = time.process_time() - begun
    with capsys.disabled():
        how = hunt.found or "NOT FOUND"
        print(f"\n{name}: {hunt.histories} histories, {seconds:.1f} s: {how}")
    assert hunt.found, f"{name}: no history of {hunt.histories} finds it"


def test_there_are_enough_and_of_each_kind() -> None:
    assert len(MUTANTS) >= 20 and all(BY_PART.values())
    assert sum(map(len, BY_PART.values())) == len(MUTANTS)
    assert set(LATE) <= set(MUTANTS)
