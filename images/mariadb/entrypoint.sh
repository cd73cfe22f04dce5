#!/usr/bin/env bash
# Start the server; first give the broker's account the verifier in ADMIN_HASH
# (what mysql_native_password stores, never a password), unless that is done already.
# With statements in PROVE: run them in a server that only this container reaches, print
# what they find, and end. The last line is "inventory complete" if all is well.
set -euo pipefail

ROOT=/var/lib/mysql
APPLIED=$ROOT/data/.applied

if [[ ! ${ADMIN_HASH:-} =~ ^\*[0-9A-F]{40}$ ]]; then
    echo "ADMIN_HASH must be '*' and 40 upper-case hexadecimal digits: the mysql_native_password verifier of the administrator." >&2
    exit 64
fi
marker=$APPLIED/${ADMIN_HASH#\*}

# The data of the container that this one follows takes the place of the image's own.
if [ -d "$ROOT/incoming/data" ]; then
    rm -rf "$ROOT/data"
    mv -T "$ROOT/incoming/data" "$ROOT/data"
fi

# The server writes its settings anew each time, since it cannot overwrite a file: the
# newest that was written to its last line counts.
settings=
for file in "$APPLIED"/settings-*.sql; do
    if [ -e "$file" ] && [ "$(tail -n 1 "$file")" = "-- complete" ]; then settings=$file; fi
done
for file in "$APPLIED"/settings-*.sql; do
    [ "$file" = "$settings" ] || rm -f "$file"
done
statements=${settings:+$(<"$settings")}

# A plain restart must not undo a later change of the password by SQL.
if [ ! -e "$marker" ]; then
    # Only the newest marker may stay: an older verifier can come back with a restore.
    find "$APPLIED" -type f ! -name 'settings-*.sql' -delete

    # Another administrator means that the data is a backup's. Whoever was bound when it
    # was taken may be unbound by now: the broker lets those in who still are.
    former="SELECT GROUP_CONCAT('\`', user, '\`@\`', host, '\`') FROM mysql.global_priv WHERE user REGEXP '^u[0-9a-f]+\$'"
    # The server writes the marker itself once all else has succeeded; a crash in
    # between makes the next start repeat them.
    identified="IDENTIFIED VIA mysql_native_password USING '$ADMIN_HASH'"
    statements="$statements
SET @former = ($former);
EXECUTE IMMEDIATE IFNULL(CONCAT('DROP USER ', @former), 'DO 0');
CREATE USER IF NOT EXISTS brokersite@'%' $identified;
ALTER USER brokersite@'%' $identified;
GRANT ALL PRIVILEGES ON *.* TO brokersite@'%' WITH GRANT OPTION;
SELECT 'applied' INTO OUTFILE '$marker';"
fi

# Start the server without a network, count what is asked for, and stop it in order.
prove() {
    local socket=/run/mysqld/proof.sock server counted
    rm -f "$socket"
    mariadbd --init-file=/dev/stdin --skip-networking --socket="$socket" "$@" <<<"$statements" &
    server=$!
    # It listens once its data is recovered; the client then waits for its turn.
    until [ -S "$socket" ]; do
        kill -0 "$server" 2>/dev/null || fail "The server has not started on this data."
        sleep 0.05
    done
    counted=$(mariadb --no-defaults --socket="$socket" --batch --skip-column-names <<<"$PROVE") ||
        fail "The server could not count what is in this data."
    kill "$server"
    wait "$server" || fail "The server did not stop in order."
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
    prove "$@" &
    wait "$!"
    exit
fi

[ -n "$statements" ] || exec mariadbd "$@"

# The server runs these before it accepts a connection.
exec mariadbd --init-file=/dev/stdin "$@" <<<"$statements"
