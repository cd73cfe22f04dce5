"""An update that breaks off: what it has set in the engine is taken back."""

import itertools
from typing import Any
from unittest import mock

import pytest

from instances import errors
from instances.models import Operation
from instances.operations import succession, update
from instances.operations.execution import run
from tests.fakes import AFTER, BEFORE, OFFERING_ID, Crash, claim, drain, expire_leases
from tests.instances.base import ACTOR, DomainTestCase

WANTED = {"max_connections": 30}


class UndoTest(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned()

    def begin(self, **wanted: Any) -> Operation:
        _, operation = update.accept(
            guid=self.instance.guid,
            offering_id=OFFERING_ID,
            plan_id="",
            wanted=wanted,
            context={},
            maintenance_version="",
            actor=ACTOR,
        )
        return claim(operation)

    def break_off(self) -> None:
        """Let the next update fail once the engine has its new settings."""
        self.faults.on("update_database", errors.ContainerFailed(), moment=AFTER)

    def settings(self) -> dict[str, Any]:
        return self.world.engine.parameters[self.instance.database]

    def test_a_setting_that_had_no_value_before_is_as_before(self):
        """OSB 2.17, Updating: all of it or nothing."""
        self.break_off()
        run(self.begin(**WANTED))
        assert self.settings() == {}
        self.instance.refresh_from_db()
        assert self.instance.parameters == {}

    def test_a_setting_that_had_one_has_it_again(self):
        run(self.begin(**WANTED))
        self.break_off()
        run(self.begin(max_connections=40, sql_mode=["ANSI_QUOTES"]))
        assert self.settings() == WANTED

    def test_what_was_is_noted_before_anything_is_changed(self):
        operation = self.begin(**WANTED)
        self.faults.on("update_database", Crash())
        with pytest.raises(Crash):
            run(operation)
        operation.refresh_from_db()
        assert operation.request["former_settings"] == {}

    def test_a_second_attempt_does_not_take_half_an_update_for_the_former_state(self):
        operation = self.begin(**WANTED)
        self.faults.on("update_database", Crash(), moment=AFTER)
        with pytest.raises(Crash):
            run(operation)
        assert self.settings() == WANTED
        expire_leases()
        self.break_off()
        drain()
        assert self.settings() == {}

    def test_the_database_is_restarted_when_that_takes_one(self):
        self.break_off()
        engine = self.world.engine
        with mock.patch.object(engine, "restore_settings", return_value=True):
            run(self.begin(**WANTED))
        assert self.faults.calls.count("restart") == 1

    def test_what_does_not_answer_any_more_is_given_up_and_said_to_be_unusable(self):
        operation = self.begin(**WANTED)
        self.break_off()
        self.faults.on("limit", lambda: setattr(self.world.engine, "is_down", True))
        with mock.patch.object(succession, "SETTLE_LIMIT_S", 0.1):
            run(operation)
        operation.refresh_from_db()
        assert operation.state == "failed"
        assert operation.request["instance_usable"] is False

    def test_a_crash_while_it_is_undone_leaves_no_half_of_it(self):
        """F22: it is not said to have failed before everything is as it was."""
        calls = ("limit", "former_settings", "restore_settings")
        points = itertools.product(calls, (BEFORE, AFTER))
        for number, (call, moment) in enumerate(points):
            operation = self.begin(max_connections=30 + number)
            self.break_off()
            self.faults.on(call, Crash(), moment=moment)
            with self.subTest(call, moment=moment):
                with pytest.raises(Crash):
                    run(operation)
                expire_leases()
                drain()
                self.instance.refresh_from_db()
                assert self.settings() == self.instance.parameters
            self.faults.clear()

    def test_a_late_attempt_undoes_nothing_of_what_another_has_done(self):
        late = self.begin(**WANTED)
        self.faults.on("update_database", expire_leases)
        self.faults.on("update_database", drain, moment=AFTER)
        run(late)
        assert self.settings() == WANTED
        late.refresh_from_db()
        assert late.state == "succeeded"
