"""How the connection to the broker's own database is encrypted and verified."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brokersite.environment import pem
from brokersite.environment.reader import Reader
from brokersite.environment.services import MYSQL, Service

OFF, PREFER, REQUIRE = "off", "prefer", "require"
VERIFY_CA, VERIFY_FULL = "verify-ca", "verify-full"
MODES = (OFF, PREFER, REQUIRE, VERIFY_CA, VERIFY_FULL)
WORDS = {
    **{"disable": OFF, "disabled": OFF, "off": OFF, "false": OFF, "0": OFF},
    **dict.fromkeys(("allow", "prefer", "preferred"), PREFER),
    **dict.fromkeys(("require", "required", "true", "1", "on"), REQUIRE),
    **dict.fromkeys(("verify-ca", "verify_ca"), VERIFY_CA),
    **dict.fromkeys(("verify-full", "verify_full", "verify_identity"), VERIFY_FULL),
}
"""What drivers and brokers call them."""
MODE_KEYS = (
    *("sslmode", "ssl-mode", "sslMode", "ssl_mode", "use_tls", "require_ssl"),
    *("useSSL", "ssl", "tls"),
)
CA_KEYS = (
    *("ca_certificate", "ca_cert", "ca", "sslrootcert", "ssl_ca", "sslca"),
    *("root_ca", "certificate_authority", "ca_certificate_base64"),
)
CERTIFICATE_KEYS = ("sslcert", "ssl_cert", "client_certificate", "client_cert")
KEY_KEYS = ("sslkey", "ssl_key", "client_key")


@dataclass(frozen=True)
class Trust:
    kind: str
    mode: str
    ca: str
    certificate: str
    key: str
    """Ours, where the server asks for one; PEM, like the others."""


def read(
    reader: Reader, variable: str, service: Service, extras: dict[str, str]
) -> Trust:
    """From DATABASE_TLS and DATABASE_CA, else what the credentials or the URI say."""
    given = service.credentials
    nested = [given.get(name) for name in ("tls", "ssl")]
    nested += [part.get("cert") for part in nested if isinstance(part, dict)]
    places = [given, *(part for part in nested if isinstance(part, dict))]
    ca = pem.unfold(reader.text("DATABASE_CA")) or _text(places, CA_KEYS)
    if ca and not pem.is_certificates(ca):
        where = "DATABASE_CA" if reader.text("DATABASE_CA") else variable
        reader.complain(where, f"{service}: the CA is not a certificate in PEM")
        ca = ""
    certificate, key = _text(places, CERTIFICATE_KEYS), _text(places, KEY_KEYS)
    if key and not (
        pem.is_certificates(certificate)
        and pem.is_key(key)
        and pem.fit(certificate, key)
    ):
        reader.complain(variable, f"{service}: the client's certificate has no key")
        certificate = key = ""
    mode = reader.choice("DATABASE_TLS", "", ("", *MODES))
    mode = mode or _mode(given, extras, has_ca=bool(ca))
    return Trust(service.kind, mode, ca, certificate, key)


def _mode(given: dict[str, Any], extras: dict[str, str], *, has_ca: bool) -> str:
    """Who gives a CA means that it be used, whatever else is said."""
    said = [place.get(key) for place in (given, extras) for key in MODE_KEYS]
    words = [str(value).lower() for value in said if value not in (None, "")]
    modes = [WORDS[word] for word in words if word in WORDS]
    strictest = max(modes, key=MODES.index, default=PREFER)
    if has_ca:
        return VERIFY_CA if strictest == VERIFY_CA else VERIFY_FULL
    return strictest


def _text(places: list[dict[str, Any]], names: tuple[str, ...]) -> str:
    for place in places:
        for name in names:
            value = place.get(name)
            if isinstance(value, str) and value.strip():
                return pem.unfold(_content(value))
    return ""


def _content(value: str) -> str:
    """Some brokers give the path of a file that the platform has put there."""
    if value.startswith("/") and "\n" not in value and len(value) < 1000:
        path = Path(value)
        if path.is_file():
            return path.read_text()
    return value


def options(reader: Reader, trust: Trust, folder: Path) -> dict[str, Any]:
    """What the driver is told; files that it needs are kept in the folder."""
    try:
        if trust.kind == MYSQL:
            return _for_pymysql(trust, folder)
        return _for_psycopg(trust, folder)
    except OSError as error:
        reader.complain("STATE_DIRECTORY", f"does not take the certificates: {error}")
        return {}


def _for_pymysql(trust: Trust, folder: Path) -> dict[str, Any]:
    if trust.mode == OFF:
        return {"ssl_disabled": True}
    if trust.mode == PREFER:
        return {}  # PyMySQL's own way: if the server can
    # One for all connections: each would read the CAs anew, in 50 ms. With ssl_ca
    # alone, PyMySQL verifies nothing.
    context = ssl.create_default_context(cadata=trust.ca or None)
    context.check_hostname = trust.mode == VERIFY_FULL
    if trust.mode == REQUIRE:
        context.verify_mode = ssl.CERT_NONE
    if trust.key:
        files = pem.keep(trust.certificate, folder), pem.keep(trust.key, folder)
        context.load_cert_chain(*files)
    return {"ssl": context}


def _for_psycopg(trust: Trust, folder: Path) -> dict[str, Any]:
    options = {"sslmode": "disable" if trust.mode == OFF else trust.mode}
    if trust.ca:
        options["sslrootcert"] = str(pem.keep(trust.ca, folder))
    elif trust.mode in (VERIFY_CA, VERIFY_FULL):
        options["sslrootcert"] = _system_cas()
    if trust.key:
        options["sslcert"] = str(pem.keep(trust.certificate, folder))
        options["sslkey"] = str(pem.keep(trust.key, folder))
    return options


def _system_cas() -> str:
    """libpq would look in the home directory."""
    usual = "/etc/ssl/certs/ca-certificates.crt"
    return ssl.get_default_verify_paths().cafile or usual
