"""One attempt at an operation: its steps, its fence, its end."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from instances import errors
from instances.models import Operation
from instances.models.operation_kind import CANCELLABLE
from instances.operations.turns import recording

logger = logging.getLogger(__name__)


class Work:
    """What a verb's perform() is given.

    Every method raises LeaseLost once another owner or a cancellation has ended
    this attempt, and Interrupted when the process is about to stop; step() and check()
    raise Cancelled once if an operator has asked to give it up.
    """

    def __init__(
        self, operation: Operation, *, is_stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self.operation = operation
        self._is_stopping = is_stopping
        self._is_given_up = False
        self.is_late = False
        """Whether another owner has it, or its end came from somebody else."""

    def step(self, text: str) -> None:
        """Say what comes next, if this attempt still may."""
        # The fence first: who has lost the lease has to clean up, even in a hurry.
        self.operation.note(text)
        if self._is_stopping():
            raise errors.Interrupted
        self.refuse_cancelled()
        logger.info(
            "operation=%s instance=%s %s",
            self.operation.pk,
            self.operation.instance_id,
            text,
        )

    def check(self) -> None:
        """Raise if this attempt must not go on; for loops that wait."""
        self.operation.hold()
        if self._is_stopping():
            raise errors.Interrupted
        self.refuse_cancelled()

    def refuse_cancelled(self) -> None:
        """Raise Cancelled, once: giving up takes steps too."""
        if self._is_given_up or self.operation.kind not in CANCELLABLE:
            return
        if Operation.objects.filter(pk=self.operation.pk, cancel_asked=True).exists():
            self._is_given_up = True
            raise errors.Cancelled(detail="an operator has asked for its end")

    @contextmanager
    def fenced(self, step: str = "") -> Iterator[None]:
        """A transaction that only commits if this attempt still may write.

        A step is said with it, and costs no commit of its own.

        The operation's row comes first, so that a cancellation waits for it or
        is seen by it, and no two transactions lock rows in different orders.
        """
        with recording():
            if step:
                self.step(step)
            else:
                self.operation.hold()
            yield

    @contextmanager
    def succeeding(self) -> Iterator[None]:
        """The last transaction: the operation succeeds together with the rows."""
        with recording():
            self.operation.succeed()
            yield

    @contextmanager
    def failing(self, error: errors.BrokerError) -> Iterator[None]:
        """The last transaction of an operation that has been given up."""
        with recording():
            self.operation.fail(error)
            yield


@dataclass(frozen=True)
class Verb:
    """How one kind of operation is done, given up and cleaned up after."""

    perform: Callable[[Work], None]
    """Do it, however much an earlier attempt has done already."""
    give_up: Callable[[Work, errors.BrokerError], None]
    """Settle the failure in the rows; nothing half-done stays."""
    clean_up: Callable[[Work], None]
    """Undo what a late attempt may have done after it had lost its lease."""
    max_attempts: int | None
    """None: never given up, only slowed down."""
