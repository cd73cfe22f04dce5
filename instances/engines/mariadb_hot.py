"""MariaDB's hot recipe: mariadb-backup, which follows the log while it copies.

Writers wait while it copies the tables without a log, and for its last look at the
log: about 100 ms if it has kept up with it until then (DOCKER-LIMITS 5).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pymysql.cursors import Cursor

from instances import errors
from instances.engines.base import Endpoint, our_witness
from instances.engines.hot import Files, HotRecipe
from instances.engines.mariadb import MariaDB, _session

LOG_COPY_INTERVAL_MS = 20
"""With its default of 1000, writers wait for a second."""

LOCK_LIMIT_S = 15
"""So long the tool may wait for a tenant's LOCK TABLES: of itself it does for ever."""
_STUCK = (
    "SELECT 1 FROM information_schema.processlist WHERE user = 'mysql'"
    " AND state LIKE 'Waiting%%' AND time >= %s"
)

# Its own data path leads to the server's, so that what the server says of its paths is
# true here too. The socket lets in who has the server's own user, without a password.
SCRIPT = f"""
set -euo pipefail
data={MariaDB.data_path}
copy={MariaDB.incoming_path}/data
rm -rf "$data" "$copy"
ln -s "/proc/1/root$data" "$data"
mariadb-backup --no-defaults --backup --user=mysql --datadir="$data" \\
    --socket=/proc/1/root/run/mysqld/mysqld.sock --target-dir="$copy" \\
    --log-copy-interval={LOG_COPY_INTERVAL_MS} 2>&1 | grep -v -e Copying -e done$
cp -a "$data/.applied" "$copy"
rm "$data"
mariadb-backup --no-defaults --prepare --use-memory=24M --target-dir="$copy"
rm -f "$copy"/xtrabackup_* "$copy"/mariadb_backup_* "$copy/backup-my.cnf"
mv -T "$copy" "$data"
"""


class MariaDBHot:
    script = SCRIPT
    owner = 999

    @contextmanager
    def open(self, endpoint: Endpoint) -> Iterator[Callable[[], Files]]:
        """The script sees to it."""
        yield lambda: ()

    def close(self, endpoint: Endpoint) -> None:
        """The server ends what the script's session held when that ends."""

    @contextmanager
    def writer(self, endpoint: Endpoint, witness: str) -> Iterator[Callable[[], None]]:
        with _session(endpoint) as cursor:

            def write() -> None:
                cursor.execute(
                    "REPLACE INTO brokersite.witness VALUES (1, %s)",
                    (our_witness(witness),),
                )
                _refuse_stuck(cursor)

            yield write


def _refuse_stuck(cursor: Cursor) -> None:
    """Raise EngineUnreachable if the tool waits for a lock, and others behind it."""
    if cursor.execute(_STUCK, (LOCK_LIMIT_S,)):
        raise errors.EngineUnreachable(
            detail=f"an app has kept the copy waiting for {LOCK_LIMIT_S} s: by LOCK "
            "TABLES, or by a long statement on a table without a log"
        )


RECIPE: HotRecipe = MariaDBHot()
