"""Calls to the outside: counted, and interrupted where a test says so."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.db import connection

from instances import errors

BEFORE, AFTER = "before", "after"


class Crash(BaseException):
    """kill -9: no handler of the product catches it."""


class Late(Exception):
    """The caller gives up with this error; the call is executed when it is over."""

    def __init__(self, error: Exception) -> None:
        self.error = error


@dataclass(eq=False)
class _Fault:
    action: Callable[[], Any]
    moment: str
    call: str | None
    remaining: int
    """How many calls pass before it strikes."""


class Faults:
    """The calls so far, and what is to happen before or after one of them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.late: list[Callable[[], Any]] = []
        """Calls that are still to be executed, although nobody waits for them."""
        self.is_dead = False
        """Whether the process has been killed: none of its handlers calls anything."""
        self._plan: list[_Fault] = []
        self._depth = _transaction_depth()

    def on(
        self,
        call: str | None,
        action: Callable[[], Any] | BaseException,
        *,
        nth: int = 1,
        moment: str = BEFORE,
    ) -> None:
        """Do the action, or raise the error, once: at the nth such call from now.

        The call None stands for any call.
        """
        run = functools.partial(_throw, action)
        if not isinstance(action, BaseException):
            run = action
        self._plan.append(_Fault(run, moment, call, nth - 1))

    @property
    def is_armed(self) -> bool:
        return bool(self._plan)

    def clear(self) -> None:
        """Forget what has not happened yet."""
        self._plan.clear()

    def refuse_transaction(self, call: str) -> None:
        """F113: a call to the outside would hold the transaction's locks."""
        assert _transaction_depth() <= self._depth, f"{call} inside a transaction"

    def kill(self) -> None:
        """As Crash, and what the process would do on its way out is not done."""
        self.is_dead = True
        raise Crash

    @contextmanager
    def burial(self) -> Iterator[None]:
        """What kill() ends, ends here, and it writes nothing any more either."""

        def refuse(execute: Any, sql: str, *rest: Any) -> Any:
            if self.is_dead and not sql.startswith(("ROLLBACK", "RELEASE")):
                raise Crash
            return execute(sql, *rest)

        try:
            with connection.execute_wrapper(refuse):
                yield
        except Crash:
            pass
        finally:
            self.is_dead = False

    def deliver(self) -> None:
        """Execute what is late; whatever is not possible any more, is not."""
        late, self.late = self.late, []
        for call in late:
            with suppress(errors.BrokerError):
                call()

    def strike(self, moment: str, call: str) -> None:
        if self.is_dead:
            raise Crash
        if moment == BEFORE:
            self.calls.append(call)
        for fault in list(self._plan):
            if fault.moment != moment or fault.call not in (None, call):
                continue
            if fault not in self._plan:
                continue  # What was done before it has made calls of its own.
            if fault.remaining:
                fault.remaining -= 1
            else:
                self._plan.remove(fault)
                fault.action()


def counted(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let the object's `faults` see each call of the method."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **options: Any) -> Any:
        self.faults.refuse_transaction(method.__name__)
        try:
            self.faults.strike(BEFORE, method.__name__)
        except Late as late:
            kept = functools.partial(method, self, *args, **options)
            self.faults.late.append(kept)
            raise late.error from None
        self.refuse_if_down()
        answer = method(self, *args, **options)
        self.faults.strike(AFTER, method.__name__)
        return answer

    return call


def _throw(error: BaseException) -> None:
    raise error


def _transaction_depth() -> int:
    return int(connection.in_atomic_block) + len(connection.savepoint_ids)
