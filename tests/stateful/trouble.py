"""What goes wrong at one call, and how the caller sees it."""

from collections.abc import Callable
from typing import Any

from instances import errors
from tests.fakes import AFTER, BEFORE, Late
from tests.fakes.faults import Faults

ENGINES = {
    *("check", "create_database", "update_database", "former_settings"),
    *("restore_settings", "create_user", "drop_user", "real_data_path"),
    *("leave_witness", "remove_witness", "inventory", "set_read_only"),
}
CHANGING = {
    *("create", "start", "restart", "stop", "limit", "remove", "discard", "commit"),
    *("resume", "remove_image", "write_archive", "create_database"),
    *("update_database", "restore_settings", "create_user", "drop_user"),
    *("leave_witness", "remove_witness", "set_read_only"),
}
LOOKS_FIRST = {"remove_witness"}
"""It changes nothing where nothing is left: of a clone, it is asked for a day."""
TAKES_WORDS = {"commit", "write_archive"}
KINDS = ("killed before", "killed after", "refused", "lost", "late")


def arm(faults: Faults, kind: str, nth: int, call: str | None = None) -> None:
    """The nth call from now, of this name or of any."""
    moment = AFTER if kind in ("killed after", "lost") else BEFORE
    faults.on(call, _action(faults, kind), nth=nth, moment=moment)


def _action(faults: Faults, kind: str) -> Callable[[], Any]:
    def act() -> None:
        if kind.startswith("killed"):
            faults.kill()
        call = faults.calls[-1]
        error = _unreachable(call)
        if kind == "late" and call in CHANGING - TAKES_WORDS:
            raise Late(error)
        raise error

    return act


def _unreachable(call: str) -> errors.BrokerError:
    if call in ENGINES:
        return errors.EngineUnreachable(detail=f"{call}: no answer")
    return errors.HostUnreachable(detail=f"{call}: no answer")
