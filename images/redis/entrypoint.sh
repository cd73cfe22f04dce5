#!/usr/bin/env bash
# Start the server; first give the broker's user the verifier in ADMIN_SHA256 (what
# Redis stores, never a password), unless that is done already.
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
        # What a restored backup brings along.
        if [ -e "$USERS" ]; then grep -vE '^user (default|brokersite) ' "$USERS" || true; fi
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

exec redis-server "$SETTINGS" --maxmemory "$maxmemory" "$@"
