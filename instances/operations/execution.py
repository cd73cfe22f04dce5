"""Run an operation: an attempt, then success, another try, or giving up."""

import logging
import os
import threading
from collections.abc import Callable
from functools import partial

from django.db import Error as DatabaseTrouble
from django.db import connection

from instances import errors, tracing, transactions
from instances.models import Kind, Operation
from instances.operations import (
    adopt,
    back_up,
    bind,
    deprovision,
    expire,
    move,
    provision,
    recreate_user,
    restore,
    rotate_secret,
    run_state,
    unbind,
    update,
    upload,
)
from instances.operations.work import Verb, Work

logger = logging.getLogger(__name__)

VERBS: dict[str, Verb] = {
    Kind.PROVISION: provision.VERB,
    Kind.UPDATE: update.VERB,
    Kind.BIND: bind.VERB,
    Kind.UNBIND: unbind.VERB,
    Kind.BACK_UP: back_up.VERB,
    Kind.RESTORE: restore.VERB,
    Kind.MOVE: move.VERB,
    Kind.UPLOAD: upload.VERB,
    Kind.EXPIRE: expire.VERB,
    Kind.RECREATE_USER: recreate_user.VERB,
    Kind.ADOPT: adopt.VERB,
    Kind.RESTART: run_state.RESTART,
    Kind.STOP: run_state.STOP,
    Kind.START: run_state.START,
    Kind.ROTATE_SECRET: rotate_secret.VERB,
    Kind.DEPROVISION: deprovision.VERB,
}
LONGEST_DELAY_S = 60.0


def web_owner() -> str:
    """The name under which a request's thread holds an operation."""
    return f"web-{os.uname().nodename[:40]}-{os.getpid()}-{threading.get_ident()}"


def run(
    operation: Operation,
    *,
    is_stopping: Callable[[], bool] = lambda: False,
    once: bool = False,
    is_new: bool = False,
) -> None:
    """Make one attempt at a claimed operation. What goes wrong ends in its row.

    With once there is no other attempt, except at what is never given up. One that
    is new, accepted a moment ago, is not asked whether its time is over.
    """
    verb = VERBS[operation.kind]
    work = Work(operation, is_stopping=is_stopping)
    attempt = partial(_attempt, verb, work, once=once, is_new=is_new)
    with tracing.at(
        operation=str(operation.pk),
        instance=str(operation.instance_id),
        request_identity=operation.request_id,
    ):
        try:
            _persevere(attempt, operation)
        except errors.LeaseLost:
            logger.warning("operation=%s was taken away; cleaning up", operation.pk)
            operation.refresh_from_db()
            work.is_late = True
            _clean_up(verb, work)
        except errors.Interrupted:
            Operation.objects.release(operation.owner)


def run_now(operation: Operation, *, once: bool = True) -> Operation:
    """Make the attempt inside the request that has accepted it; return how it went.

    The operation must be claimed by web_owner(). A failed attempt stays in the
    queue if its kind is never given up.
    """
    run(operation, once=once, is_new=True)
    return operation


def _persevere(attempt: Callable[[], None], operation: Operation) -> None:
    """Make the attempt again if the database has undone a part of it (F118).

    Where the connection was lost, a commit may have happened: the row says so, and
    what it says is not done again (F117).
    """
    if connection.in_atomic_block:
        return attempt()
    is_begun = False
    for pause in transactions.pauses():
        try:
            if is_begun and not operation.is_still_to_do():
                return None
            is_begun = True
            return attempt()
        except DatabaseTrouble as error:
            if not transactions.is_passing(error):
                raise
            pause(error)
        connection.close_if_unusable_or_obsolete()
    return attempt() if operation.is_still_to_do() else None


def _attempt(verb: Verb, work: Work, *, once: bool, is_new: bool) -> None:
    operation = work.operation
    try:
        if not is_new and _is_spent(verb, operation):
            raise _last_error(operation)
        work.refuse_cancelled()
        verb.perform(work)
    except errors.Stopped:
        raise
    except errors.Transient as error:
        _log_failure(operation, error)
        if verb.max_attempts is None or not (
            once or operation.tries >= verb.max_attempts
        ):
            operation.retry_later(error, delay_s=_delay_s(operation.tries))
        else:
            _give_up(verb, work, error)
    except errors.BrokerError as error:
        _log_failure(operation, error)
        _settle(verb, work, error)
    except Exception as error:
        if transactions.is_passing(error):
            raise
        logger.exception("operation=%s crashed", operation.pk)
        _settle(
            verb, work, errors.BrokerError(detail=f"{type(error).__name__}: {error}")
        )


def _settle(verb: Verb, work: Work, error: errors.BrokerError) -> None:
    """A failure that another try would only repeat; deletions try all the same."""
    if verb.max_attempts is None:
        work.operation.retry_later(error, delay_s=LONGEST_DELAY_S)
    else:
        _give_up(verb, work, error)


def _give_up(verb: Verb, work: Work, error: errors.BrokerError) -> None:
    try:
        verb.give_up(work, error)
    except errors.HostUnreachable as trouble:
        # Nobody can tell yet what there is to go back to.
        _log_failure(work.operation, trouble)
        return work.operation.retry_later(error, delay_s=LONGEST_DELAY_S)
    _clean_up(verb, work)


def _clean_up(verb: Verb, work: Work) -> None:
    try:
        verb.clean_up(work)
    except errors.BrokerError as error:
        # Reconciliation will find what is left.
        _log_failure(work.operation, error)


def _is_spent(verb: Verb, operation: Operation) -> bool:
    """Attempts that ended in a crash count too, so that none goes on for ever."""
    if verb.max_attempts is None:
        return False
    return operation.tries > verb.max_attempts or operation.is_overdue()


def _last_error(operation: Operation) -> errors.BrokerError:
    return errors.BrokerError(
        operation.error or "The service broker was interrupted too often.",
        detail=operation.detail or f"{operation.tries - 1} attempts did not finish",
    )


def _delay_s(tries: int) -> float:
    return float(min(2 ** max(0, tries - 1), LONGEST_DELAY_S))


def _log_failure(operation: Operation, error: errors.BrokerError) -> None:
    logger.warning(
        "operation=%s instance=%s attempt=%s %s failed: %s",
        operation.pk,
        operation.instance_id,
        operation.attempts,
        operation.kind,
        error.detail,
    )
