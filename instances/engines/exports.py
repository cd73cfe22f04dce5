"""Dumps that any stock server reads: how an image makes one of the data it holds.

A script runs in a throw-away container of a backup, in the place of the image's own
entrypoint, and without a network. It starts the server for itself alone, has the
image's client write the file, and ends. The database's name comes as $1.
"""

from dataclasses import dataclass

PATH = "/tmp/brokersite-export"  # noqa: S108  # in the container, which is nobody else's
_BEGIN = "set -euo pipefail\numask 077\n"


@dataclass(frozen=True)
class Export:
    suffix: str
    media_type: str
    script: str
    """For bash; it holds no secret and nothing of a tenant's."""

    def entrypoint(self) -> tuple[str, ...]:
        return ("bash", "-c", f"{_BEGIN}file={PATH}\n{self.script}", "export")


# The first line that newer clients write is a comment that older ones choke on.
_MARIADB = r"""
if ! command -v mariadb-dump >/dev/null; then
    echo "The image that this backup was made of has no mariadb-dump." >&2
    exit 69
fi
socket=/run/mysqld/export.sock
mariadbd --skip-networking --socket="$socket" --event-scheduler=OFF >&2 &
server=$!
until [ -S "$socket" ]; do
    kill -0 "$server" || exit 1
    sleep 0.05
done
mariadb-dump --no-defaults --socket="$socket" --single-transaction --quick \
    --routines --triggers --events --hex-blob --no-tablespaces "$1" |
    sed '1{/enable the sandbox mode/d}' | gzip -1 >"$file"
kill "$server"
wait "$server"
"""

# The roles of this product are nobody elsewhere.
_POSTGRES = r"""
rm -f "$PGDATA/postmaster.pid" /run/postgresql/.s.PGSQL.*
pg_ctl start --silent --wait --timeout=86400 \
    --options="-c listen_addresses='' -c autovacuum=off" >&2
export PGOPTIONS="-c default_transaction_read_only=off -c statement_timeout=0"
pg_dump --no-owner --no-privileges --no-subscriptions --no-password "$1" |
    gzip -1 >"$file"
pg_ctl stop --silent --wait --timeout=86400 --mode=fast >&2
"""

_REDIS = r"""
root=/var/lib/redis
socket=$root/export.sock
echo "user default on nopass ~* &* +@all" >"$root/export.acl"
redis-server "$root/data/redis.conf" --maxmemory 0 --port 0 \
    --unixsocket "$socket" --aclfile "$root/export.acl" >&2 &
server=$!
until [ "$(redis-cli -s "$socket" PING 2>/dev/null)" = PONG ]; do
    kill -0 "$server" || exit 1
    sleep 0.05
done
redis-cli -s "$socket" --rdb "$file" >&2
kill "$server"
wait "$server"
"""

EXPORTS = {
    "mariadb": Export(".sql.gz", "application/gzip", _MARIADB),
    "postgres": Export(".sql.gz", "application/gzip", _POSTGRES),
    "redis": Export(".rdb", "application/octet-stream", _REDIS),
}


def find_export(engine: str) -> Export | None:
    return EXPORTS.get(engine)
