"""Calls to the outside: counted, and interrupted where a test says so."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection

BEFORE, AFTER = "before", "after"


class Crash(BaseException):
    """kill -9: no handler of the product catches it."""


@dataclass
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

    def clear(self) -> None:
        """Forget what has not happened yet."""
        self._plan.clear()

    def refuse_transaction(self, call: str) -> None:
        """F113: a call to the outside would hold the transaction's locks."""
        assert _transaction_depth() <= self._depth, f"{call} inside a transaction"

    def strike(self, moment: str, call: str) -> None:
        if moment == BEFORE:
            self.calls.append(call)
        for fault in list(self._plan):
            if fault.moment != moment or fault.call not in (None, call):
                continue
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
        self.faults.strike(BEFORE, method.__name__)
        self.refuse_if_down()
        answer = method(self, *args, **options)
        self.faults.strike(AFTER, method.__name__)
        return answer

    return call


def _throw(error: BaseException) -> None:
    raise error


def _transaction_depth() -> int:
    return int(connection.in_atomic_block) + len(connection.savepoint_ids)
