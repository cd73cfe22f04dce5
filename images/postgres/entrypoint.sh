#!/usr/bin/env bash
# Start the server; first give the broker's role the verifier in ADMIN_VERIFIER
# (what PostgreSQL stores for SCRAM, never a password), unless that is done already.
set -euo pipefail

umask 077
ROOT=/var/lib/postgresql
marker=$PGDATA/brokersite.applied
base64='[A-Za-z0-9+/]'

if [[ ! ${ADMIN_VERIFIER:-} =~ ^SCRAM-SHA-256\$4096:$base64{22}==\$$base64{43}=:$base64{43}=$ ]]; then
    echo "ADMIN_VERIFIER must be 'SCRAM-SHA-256\$4096:' and the salt and keys of the administrator's password, as PostgreSQL stores them." >&2
    exit 64
fi

# The data of the container that this one follows takes the place of the image's own.
if [ -d "$ROOT/incoming/data" ]; then
    rm -rf "$ROOT/data"
    mv -T "$ROOT/incoming/data" "$ROOT/data"
fi

# A plain restart must not undo a later change of the password by SQL.
if [ "$(cat "$marker" 2>/dev/null)" != "$ADMIN_VERIFIER" ]; then
    trap 'exit 130' INT TERM
    # Left by a crash, or in a backup of a running server: it names process 1, which
    # is alive here too.
    rm -f "$PGDATA/postmaster.pid"
    # Without a network: a restored backup must not let its former administrator in,
    # not even for a moment. A crash before the marker makes the next start repeat it.
    postgres --single -j -c exit_on_error=on postgres >/dev/null <<<"ALTER ROLE brokersite PASSWORD '$ADMIN_VERIFIER'"
    echo "$ADMIN_VERIFIER" >"$marker.new"
    sync "$marker.new"
    mv "$marker.new" "$marker"
    trap - INT TERM
fi

exec postgres "$@"
