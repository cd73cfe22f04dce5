#!/usr/bin/env bash
# Start the server; first give the broker's account the verifier in ADMIN_HASH
# (what mysql_native_password stores, never a password), unless that is done already.
set -euo pipefail

APPLIED=/var/lib/mysql/.applied

if [[ ! ${ADMIN_HASH:-} =~ ^\*[0-9A-F]{40}$ ]]; then
    echo "ADMIN_HASH must be '*' and 40 upper-case hexadecimal digits: the mysql_native_password verifier of the administrator." >&2
    exit 64
fi
marker=$APPLIED/${ADMIN_HASH#\*}

# A plain restart must not undo a later change of the password by SQL.
[ ! -e "$marker" ] || exec mariadbd "$@"

# Only the newest marker may stay: an older verifier can come back with a restore.
rm -f "$APPLIED"/*

# The server runs these before it accepts a connection, and writes the marker itself
# once all the others have succeeded; a crash in between makes the next start repeat them.
identified="IDENTIFIED VIA mysql_native_password USING '$ADMIN_HASH'"
exec mariadbd --init-file=/dev/stdin "$@" <<SQL
CREATE USER IF NOT EXISTS brokersite@'%' $identified;
ALTER USER brokersite@'%' $identified;
GRANT ALL PRIVILEGES ON *.* TO brokersite@'%' WITH GRANT OPTION;
SELECT 'applied' INTO OUTFILE '$marker';
SQL
