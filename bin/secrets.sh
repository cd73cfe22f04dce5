# Sourced from the top folder: the keys of this installation, made at the first start
# and kept in its state directory. Variables that are set already win.
# shellcheck shell=bash
state=${STATE_DIRECTORY:-var}
if [ ! -e "$state/secrets.env" ]; then
    (umask 077 && mkdir -p "$state" && .venv/bin/python - >"$state/secrets.env.new") <<'PYTHON'
import base64, secrets
print("SECRET_KEY=" + secrets.token_urlsafe(50))
print("ENCRYPTION_KEYS=" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
PYTHON
    mv "$state/secrets.env.new" "$state/secrets.env"
fi
while read -r line; do
    name=${line%%=*}
    [ -n "${!name:-}" ] || export "$name=${line#*=}"
done <"$state/secrets.env"
