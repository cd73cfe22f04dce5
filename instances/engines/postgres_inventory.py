"""What PostgreSQL is asked for a backup, over the network and in the image alike.

Each statement's only place is for the witness.
"""

from typing import LiteralString

from instances.engines.base import our_name
from instances.engines.postgres_session import MAINTENANCE

# In the database where no binding's role may connect.
_TABLE: tuple[LiteralString, ...] = (
    "CREATE SCHEMA IF NOT EXISTS brokersite",
    "CREATE TABLE IF NOT EXISTS brokersite.witness"
    " (slot int PRIMARY KEY, witness text NOT NULL)",
)
LEAVE: tuple[LiteralString, ...] = (
    *_TABLE,
    "INSERT INTO brokersite.witness VALUES (1, {})"
    " ON CONFLICT (slot) DO UPDATE SET witness = excluded.witness",
    # What is on disk already need not be recovered from the log.
    "CHECKPOINT",
)
REMOVE: tuple[LiteralString, ...] = (
    *_TABLE,
    "DELETE FROM brokersite.witness WHERE witness = {}",
)

_IN_MAINTENANCE: tuple[LiteralString, ...] = (
    *_TABLE,
    "SELECT 'inventory databases ' || count(*) FROM pg_database"
    " WHERE NOT datistemplate AND datname NOT IN ('postgres', 'prepared')",
    "SELECT 'inventory witness ' || count(*) FROM brokersite.witness"
    " WHERE witness = {}",
)
# The catalog still tells of a table whose file is gone.
_IN_DATABASE: tuple[LiteralString, ...] = (
    "SELECT 'inventory tables ' || count(*) FROM pg_class"
    " JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE relkind = 'r' AND relpersistence <> 't'"
    " AND nspname NOT IN ('pg_catalog', 'information_schema')"
    " AND (pg_stat_file(pg_relation_filepath(pg_class.oid), true)).size IS NOT NULL",
)


def count_in(database: str) -> dict[str, tuple[LiteralString, ...]]:
    """In which databases to run what."""
    return {MAINTENANCE: _IN_MAINTENANCE, our_name(database): _IN_DATABASE}
