"""Crash at every point of a verb, and let another worker go on.

A point is before or after a call to the outside, or a write of the operation's row.
"""

from collections.abc import Callable, Iterator
from unittest import mock

import pytest

from instances.models import DockerHost, Operation
from instances.operations.execution import run
from tests.fakes import AFTER, BEFORE, Crash, drain, expire_leases
from tests.instances.base import DomainTestCase

Start = Callable[[str], Operation]
"""Accept a wish under a guid; return its operation, claimed and not begun."""


class CrashTestCase(DomainTestCase):
    def setUp(self) -> None:
        super().setUp()
        # Each crash has an instance of its own.
        self.host.memory_mb = 10**6
        self.host.save()
        write = self.counted(Operation.write)
        self.enterContext(mock.patch.object(Operation, "write", write))

    def counted(self, method: Callable[..., None]) -> Callable[..., None]:
        def call(operation: Operation, **changes: object) -> None:
            self.faults.strike(BEFORE, "write")
            method(operation, **changes)
            self.faults.strike(AFTER, "write")

        return call

    def crash(self) -> None:
        raise Crash

    def begun(self, start: Start, guid: str) -> Operation:
        """Each has the same calls to make: nothing is remembered of the host."""
        operation = start(guid)
        DockerHost.objects.update(free_measured_at=None)
        return operation

    def forget(self, guid: str) -> None:
        """Where many that were used would make the next ones slow."""

    def crashes(self, start: Start) -> Iterator[str]:
        """Crash and recover at each point; yield the guid that was used."""
        operation = self.begun(start, "rehearsal")
        before = len(self.faults.calls)
        run(operation)
        drain()
        for number in range(1, len(self.faults.calls) - before + 1):
            for moment in (BEFORE, AFTER):
                guid = f"i-{number}-{moment}"
                operation = self.begun(start, guid)
                self.faults.on(None, self.crash, nth=number, moment=moment)
                with self.subTest(number, moment=moment):
                    with pytest.raises(Crash):
                        run(operation)
                    expire_leases()
                    drain()
                    yield guid
                    self.forget(guid)
