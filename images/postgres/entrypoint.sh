#!/usr/bin/env bash
# Start the server; first give the broker's role the verifier in ADMIN_VERIFIER
# (what PostgreSQL stores for SCRAM, never a password), unless that is done already.
# With statements in PROVE: run them in a server that only this container reaches, print
# what they find, and end. The last line is "inventory complete" if all is well.
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
    # Without a network: a restored backup must not let anybody of its own time in, not
    # even for a moment. Another administrator means that it is one. Whoever was bound
    # then may be unbound by now: the broker lets those in who still are. A crash before
    # the marker makes the next start repeat it.
    postgres --single -j -c exit_on_error=on postgres >/dev/null <<SQL &
DO \$\$
DECLARE former name;
BEGIN
    FOR former IN SELECT rolname FROM pg_roles WHERE rolname ~ '^u[0-9a-f]+\$' LOOP
        EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', former);
    END LOOP;
END
\$\$;

ALTER ROLE brokersite PASSWORD '$ADMIN_VERIFIER';
SQL
    # In the background, for a signal to be heard while it recovers the data.
    wait "$!"
    echo "$ADMIN_VERIFIER" >"$marker.new"
    sync "$marker.new"
    mv "$marker.new" "$marker"
    trap - INT TERM
fi

# Start the server without a network, count what is asked for, and stop it in order.
prove() {
    local counted
    # A backup of a running server brings these along, and process 1 is alive here too.
    rm -f "$PGDATA/postmaster.pid" /run/postgresql/.s.PGSQL.*
    pg_ctl start --silent --wait --timeout=86400 --options="-c listen_addresses='' -c autovacuum=off" >&2 ||
        fail "The server has not started on this data."
    # What a tenant has set for its database does not count here.
    export PGOPTIONS="-c search_path=pg_catalog -c default_transaction_read_only=off -c statement_timeout=0 -c client_min_messages=warning"
    counted=$(psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 postgres <<<"$PROVE") ||
        fail "The server could not count what is in this data."
    pg_ctl stop --silent --wait --timeout=86400 --mode=fast || fail "The server did not stop in order."
    echo "$counted"
    echo "inventory complete"
}

fail() {
    echo "$*" >&2
    exit 1
}

if [ -n "${PROVE:-}" ]; then
    # Process 1 ends at no signal unless it says so; what it has started ends with it.
    trap 'exit 143' INT TERM
    prove &
    wait "$!"
    exit
fi

exec postgres "$@"
