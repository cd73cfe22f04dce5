#!/usr/bin/env bash
# Start the server with one user, MEMCACHED_USERNAME and MEMCACHED_PASSWORD; the
# arguments are memcached's own.
set -euo pipefail

umask 077
for name in MEMCACHED_USERNAME MEMCACHED_PASSWORD; do
    if [[ ! ${!name:-} =~ ^[0-9A-Za-z_-]+$ ]]; then
        echo "$name must be letters, digits, _ and -." >&2
        exit 64
    fi
done
echo "$MEMCACHED_USERNAME:$MEMCACHED_PASSWORD" >/run/memcached/users
unset MEMCACHED_USERNAME MEMCACHED_PASSWORD

# Without UDP, which knows no login and answers to forged addresses.
exec memcached --listen=0.0.0.0 --port=11211 --udp-port=0 --auth-file=/run/memcached/users "$@"
