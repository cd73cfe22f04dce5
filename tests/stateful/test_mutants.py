"""A test of the test: histories find what is broken on purpose.

All mutants by `make mutants`; in every run only some that are found soon.
"""

import logging
import os

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import QUICK, Histories
from tests.stateful.mutants import MUTANTS

SOON = (
    "a_port_is_never_given_back",
    "a_restore_forgets_the_users",
    "a_removal_removes_the_row_alone",
    "another_wish_under_an_id_is_a_repeat",
)
CHOSEN = os.environ.get("MUTANTS", "")
NAMES = tuple(MUTANTS) if CHOSEN == "all" else tuple(filter(None, CHOSEN.split(",")))


@pytest.mark.timeout(0)
@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES or SOON)
def test_it_is_found(name: str) -> None:
    many = settings(QUICK, max_examples=QUICK.max_examples)
    with MUTANTS[name](), pytest.raises(BaseException) as raised:
        run_state_machine_as_test(seed(1)(Histories), settings=many)
    assert not isinstance(raised.value, KeyboardInterrupt | SystemExit)
    logging.getLogger(__name__).info("%s: %s", name, raised.value)
