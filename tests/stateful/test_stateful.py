"""Histories that nobody wrote, and the invariants of the failure catalogue."""

import pytest
from django.test import TestCase
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import PROFILE, Histories


@pytest.mark.timeout(0)
class HistoriesTest(TestCase):
    def test_no_history_breaks_an_invariant(self):
        """F4, F12, F22, F24, F32, F35, F36, F49, F50, F54, F68, F71, F97, F98, F102.

        F109, F111.

        I1 to I12 and I15, after every step or at rest. STATEFUL=nightly makes it long
        and random; else the histories are the same each time.
        """
        machine = seed(1)(Histories) if PROFILE.max_examples < 1000 else Histories
        run_state_machine_as_test(machine, settings=PROFILE)
