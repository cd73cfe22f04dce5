"""PostgreSQL's hot recipe: its own online backup, by the low-level functions.

The files are copied between pg_backup_start and pg_backup_stop; the log of that time
and the label that says where to begin it make them one moment's. A temporary slot
keeps the log from being recycled by checkpoints meanwhile: without it, copies that
take longer than one do not start (DOCKER-LIMITS 5). Both end with the session.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import LiteralString

from psycopg.sql import Literal

from instances.engines.base import Endpoint, our_witness
from instances.engines.hot import Files, HotRecipe
from instances.engines.postgres_session import Session, open_session

COPY_LIMIT_S = 3600.0
"""How long the files may be copied."""

SLOT: LiteralString = (
    "SELECT pg_create_physical_replication_slot("
    "'brokersite_backup_' || pg_backend_pid(), true, true)"
)
START: LiteralString = (
    "SELECT pg_walfile_name(pg_backup_start('brokersite', fast => true))"
)
STOP: LiteralString = (
    "SELECT pg_walfile_name(lsn), labelfile FROM pg_backup_stop(false)"
)
# Of one timeline, as the names of first and last are.
_LOG: LiteralString = (
    "SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{{24}}$'"
    ' AND name COLLATE "C" BETWEEN {} AND {} ORDER BY name COLLATE "C"'
)
_READ: LiteralString = "SELECT pg_read_binary_file({})"
CONTROL = "global/pg_control"


class PostgresHot:
    script = ""
    owner = 999

    @contextmanager
    def open(self, endpoint: Endpoint) -> Iterator[Callable[[], Files]]:
        with open_session(endpoint, limit_s=COPY_LIMIT_S) as session:
            session.run(SLOT)
            ((first,),) = session.run(START)
            yield lambda: _rest(session, first)

    def close(self, endpoint: Endpoint) -> None:
        """The server ends a backup with the session, and drops its slot."""

    @contextmanager
    def writer(self, endpoint: Endpoint, witness: str) -> Iterator[Callable[[], None]]:
        named = Literal(our_witness(witness))
        with open_session(endpoint, limit_s=COPY_LIMIT_S) as session:

            def write() -> None:
                session.run("UPDATE brokersite.witness SET witness = {}", named)

            yield write


def _rest(session: Session, first: str) -> Iterator[tuple[str, bytes]]:
    """Read while the session, and with it the slot, is there."""
    control = _settled(session, CONTROL)
    ((last, label),) = session.run(STOP)
    yield CONTROL, control
    yield "backup_label", label.encode()
    for (name,) in session.run(_LOG, Literal(first), Literal(last)):
        yield f"pg_wal/{name}", _read(session, f"pg_wal/{name}")


def _settled(session: Session, path: str) -> bytes:
    """A file that may be written just now: read until it is twice the same."""
    content = b""
    while content != (content := _read(session, path)):
        pass
    return content


def _read(session: Session, path: str) -> bytes:
    ((content,),) = session.run(_READ, Literal(path))
    return bytes(content)


RECIPE: HotRecipe = PostgresHot()
