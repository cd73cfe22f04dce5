#!/usr/bin/env bash
# Start the server; first give the broker's user the verifier in ADMIN_SHA256 (what
# Redis stores, never a password), unless that is done already.
# With a command in PROVE: run it in a server that only this container reaches, print
# what it finds, and end. The last line is "inventory complete" if all is well.
set -euo pipefail

umask 077
ROOT=/var/lib/redis
USERS=$ROOT/data/users.acl
SETTINGS=$ROOT/data/redis.conf
marker=$ROOT/data/admin.applied

if [[ ! ${ADMIN_SHA256:-} =~ ^[0-9a-f]{64}$ ]]; then
    echo "ADMIN_SHA256 must be 64 lower-case hexadecimal digits: the SHA-256 of the administrator's password." >&2
    exit 64
fi

# The data of the container that this one follows takes the place of the image's own.
if [ -d "$ROOT/incoming/data" ]; then
    rm -rf "$ROOT/data"
    mv -T "$ROOT/incoming/data" "$ROOT/data"
fi

# Write a file so that a crash leaves the old one or the new one.
replace() {
    cat >"$1.new"
    sync "$1.new"
    mv "$1.new" "$1"
}

# A plain restart must not undo a later change of the password by ACL SETUSER.
if [ "$(cat "$marker" 2>/dev/null)" != "$ADMIN_SHA256" ]; then
    {
        # Redis replays its file as the default user: without rights, but for being
        # off, it would drop every transaction at a restart.
        echo "user default off resetpass ~* &* +@all"
        echo "user brokersite on #$ADMIN_SHA256 ~* &* +@all"
        # Another administrator means that the data is a backup's. Whoever was bound when
        # it was taken may be unbound by now: the broker lets those in who still are.
        if [ -e "$USERS" ]; then grep -vE '^user (default|brokersite|u[0-9a-f]+) ' "$USERS" || true; fi
    } | replace "$USERS"
    echo "$ADMIN_SHA256" | replace "$marker"
fi

# CONFIG REWRITE has written every setting there is. Only what tenants choose is kept,
# so that the data of an older image gets the settings of this one.
{
    echo "include /etc/redis/server.conf"
    grep -E '^(maxmemory-policy|appendonly) ' "$SETTINGS" 2>/dev/null || true
} | replace "$SETTINGS"

# The limit of this container's memory in bytes; "max" or a huge number means none.
limit=none
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    if [ -e "$file" ]; then limit=$(<"$file"); fi
done
maxmemory=0
if [[ $limit =~ ^[0-9]+$ ]] && ((${#limit} < 16)); then
    # A quarter is for clients, fragments and what changes while the file is rewritten.
    maxmemory=$((limit * 3 / 4))
fi

# Start the server without a network, count what is asked for, and stop it in order.
prove() {
    local socket=$ROOT/proof.sock server counted
    rm -f "$socket"
    # No password: nobody but this script reaches the socket.
    echo "user default on nopass ~* &* +@all" | replace "$ROOT/proof.acl"
    redis-server "$SETTINGS" --maxmemory "$maxmemory" "$@" \
        --port 0 --unixsocket "$socket" --aclfile "$ROOT/proof.acl" >&2 &
    server=$!
    # It answers otherwise until it has read all its data.
    until [ "$(redis-cli -s "$socket" PING 2>/dev/null)" = PONG ]; do
        kill -0 "$server" 2>/dev/null || fail "The server has not started on this data."
        sleep 0.05
    done
    counted=$(redis-cli -s "$socket" <<<"$PROVE")
    [[ $counted == "inventory "* ]] || fail "The server could not count what is in this data: $counted"
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

exec redis-server "$SETTINGS" --maxmemory "$maxmemory" "$@"
