"""Workers that die, or are late, while they start a standby (FAILURES F22, F24)."""

from collections.abc import Callable
from unittest import mock

import pytest

from instances.models import Container
from instances.operations.reconcile import reconcile
from instances.operations.standby import Standbys
from tests.fakes import AFTER, BEFORE, Crash
from tests.instances.operations.test_standby import StandbyTestCase, expire_claims


class CrashTest(StandbyTestCase):
    """kill -9 before and after each call and each fence (F22)."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("hold", "stand_by"):
            method = self.counted(getattr(Container, name))
            self.enterContext(mock.patch.object(Container, name, method))

    def counted(self, method: Callable[..., None]) -> Callable[..., None]:
        def call(container: Container) -> None:
            self.faults.strike(BEFORE, "fence")
            method(container)
            self.faults.strike(AFTER, "fence")

        return call

    def test_the_next_worker_goes_on_with_the_same_container(self):
        self.change_plan(standby=1)
        before = len(self.faults.calls)
        Standbys().replenish()
        count = len(self.faults.calls) - before
        assert count >= 7
        for number in range(1, count + 1):
            for moment in (BEFORE, AFTER):
                Container.objects.all()[0].dismiss()
                reconcile(self.host)
                self.faults.on(None, Crash(), nth=number, moment=moment)
                with self.subTest(number, moment=moment):
                    self.crash_and_resume()

    def crash_and_resume(self) -> None:
        seen = Container.objects.count()
        with pytest.raises(Crash):
            Standbys().replenish()
        assert not Standbys().replenish(), "it is still the dead worker's"
        expire_claims()
        self.replenish()
        assert Container.objects.count() == seen + 1
        assert len(self.names()) == len(self.world.containers()) == 1
        self.assert_in_step()


class LateTest(StandbyTestCase):
    def test_a_worker_that_comes_late_harms_nothing(self):
        """F24: paused for longer than its claim lasts; another has gone on."""
        for call in ("create", "start", "check"):
            with self.subTest(call):
                self.faults.on(call, self.overtake, moment=AFTER)
                with self.assertLogs("instances", "WARNING"):
                    Standbys().replenish()
                assert len(self.names()) == len(self.world.containers()) == 2
                self.assert_in_step()
                self.change_plan(standby=0)
                self.replenish()
                self.change_plan(standby=2)

    def overtake(self) -> None:
        expire_claims()
        self.replenish()
