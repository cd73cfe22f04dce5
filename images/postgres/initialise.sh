#!/usr/bin/env bash
# Lay out the cluster while the image is built: roles without passwords, and a database
# that an instance gets by renaming it, since CREATE DATABASE takes up to a second.
set -euo pipefail

install -d -o postgres -g postgres -m 0700 /var/lib/postgresql /var/lib/postgresql/incoming "$PGDATA"
install -d -o postgres -g postgres -m 0755 /run/postgresql
as_postgres() {
    setpriv --reuid postgres --regid postgres --clear-groups "$@"
}
as_postgres initdb --data-checksums --wal-segsize=1 --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=peer --auth-host=scram-sha-256 >/dev/null
# The image's own settings come from outside the data directory, so that a restored
# backup gets those of its image; ALTER SYSTEM writes beside this file and wins.
echo "include '/etc/postgresql/server.conf'" >"$PGDATA/postgresql.conf"
rm "$PGDATA/pg_hba.conf"

run_sql() {
    as_postgres postgres --single -j -c exit_on_error=on "$1" >/dev/null
}
# Statements end at an empty line.
run_sql postgres <<'SQL'
CREATE ROLE brokersite SUPERUSER LOGIN;

CREATE ROLE prepared NOLOGIN;

CREATE ROLE prepared_reader NOLOGIN;

REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;

CREATE DATABASE prepared OWNER prepared TEMPLATE template0;

REVOKE ALL ON DATABASE prepared FROM PUBLIC;

GRANT CONNECT ON DATABASE prepared TO prepared_reader;
SQL
# Whoever reads only sees all that the owner makes, now and later.
run_sql prepared <<'SQL'
GRANT USAGE ON SCHEMA public TO prepared_reader;

ALTER DEFAULT PRIVILEGES FOR ROLE prepared GRANT USAGE ON SCHEMAS TO prepared_reader;

ALTER DEFAULT PRIVILEGES FOR ROLE prepared GRANT SELECT ON TABLES TO prepared_reader;

ALTER DEFAULT PRIVILEGES FOR ROLE prepared GRANT SELECT ON SEQUENCES TO prepared_reader;

VACUUM FREEZE;
SQL
