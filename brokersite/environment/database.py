"""The broker's own database: a bound service, DATABASE_URI, or SQLite.

Never DATABASE_URL: Cloud Foundry writes that itself, in a form that Django does not
read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from brokersite.environment import tls
from brokersite.environment.reader import Reader
from brokersite.environment.services import (
    KINDS,
    MYSQL,
    POSTGRESQL,
    VARIABLE,
    Service,
    find_database,
    urlsplit_or_none,
)

URI_VARIABLE = "DATABASE_URI"
CONNECT_LIMIT_S = 10
STATEMENT_LIMIT_S = 30
LOCK_LIMIT_S = 10
"""Then whoever waits tries again, or says so: see instances/transactions.py."""
SILENCE_LIMIT_S = 60
"""A server that has vanished without a word is given up after so long."""
PORTS = {MYSQL: 3306, POSTGRESQL: 5432}


@dataclass(frozen=True)
class Address:
    host: str
    port: str
    name: str
    user: str
    password: str


def read(
    reader: Reader, bound: list[Service], *, state_directory: Path, is_shared: bool
) -> dict[str, Any]:
    """Django's settings for it; is_shared if other machines' processes use it too."""
    uri = reader.text(URI_VARIABLE)
    if uri:
        service = _named(reader, uri)
        variable = URI_VARIABLE
    else:
        service, variable = find_database(reader, bound), VARIABLE
    if service is not None:
        return _server(reader, service, variable, state_directory / "tls")
    if is_shared:
        reader.complain(
            VARIABLE,
            "has no database: web and worker run in containers of their own and cannot "
            "share SQLite, so bind a service with the tag mysql or postgresql",
        )
    return sqlite(
        reader.text("DATABASE_PATH", str(state_directory / "brokersite.sqlite3"))
    )


def _named(reader: Reader, uri: str) -> Service | None:
    service = Service(frozenset(), (), {"uri": uri})
    if not service.kind:
        schemes = ", ".join(f"{scheme}://" for scheme in KINDS)
        reader.complain(URI_VARIABLE, f"is no address that begins with {schemes}")
        return None
    return service


def sqlite(path: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # WAL with NORMAL may lose an acknowledged commit at power loss.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }


def _server(
    reader: Reader, service: Service, variable: str, folder: Path
) -> dict[str, Any]:
    uri = urlsplit_or_none(service.uri)
    if service.uri and uri is None:
        reader.complain(variable, f"{service}: the URI is malformed")
    address = _address(service.credentials, uri)
    lacking = [name for name in ("host", "name") if not getattr(address, name)]
    if lacking:
        reader.complain(
            variable, f"{service}: the credentials lack {' and '.join(lacking)}"
        )
    port = address.port or str(PORTS[service.kind])
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        reader.complain(variable, f"{service}: {port!r} is not a port")
    # Extra parameters of the URI are for other drivers, and PyMySQL would refuse them.
    extras = dict(parse_qsl(uri.query)) if uri else {}
    trust = tls.read(reader, variable, service, extras)
    options = _OPTIONS[service.kind]()
    if "," in address.host:
        options["target_session_attrs"] = "read-write"  # libpq finds the primary
    return {
        "ENGINE": f"django.db.backends.{service.kind}",
        "NAME": address.name,
        "HOST": address.host,
        "PORT": port,
        "USER": address.user,
        "PASSWORD": address.password,
        "OPTIONS": options | tls.options(reader, trust, folder),
    }


def _address(credentials: dict[str, Any], uri: Any) -> Address:
    """What is said plainly goes before what the URI says."""

    def said(*names: str) -> str:
        values = (credentials.get(name) for name in names)
        return next((str(value) for value in values if value), "")

    several = credentials.get("hosts")
    hosts = ",".join(str(h) for h in several) if isinstance(several, list) else ""
    return Address(
        host=hosts or said("hostname", "host") or (uri and uri.hostname) or "",
        port=said("port") or (str(uri.port) if uri and uri.port else ""),
        name=said("name", "database", "dbname", "db", "database_name", "db_name")
        or (unquote(uri.path.lstrip("/")) if uri else ""),
        user=said("username", "user") or unquote((uri and uri.username) or ""),
        password=said("password") or unquote((uri and uri.password) or ""),
    )


def _mysql_options() -> dict[str, Any]:
    return {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "connect_timeout": CONNECT_LIMIT_S,
        "read_timeout": SILENCE_LIMIT_S,
        "write_timeout": SILENCE_LIMIT_S,
        # In comments, what only MariaDB, or only MySQL, knows.
        "init_command": (
            "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'),"
            f" innodb_lock_wait_timeout = {LOCK_LIMIT_S}"
            f" /*M!100101 , max_statement_time = {STATEMENT_LIMIT_S} */"
            f" /*!50708 , max_execution_time = {STATEMENT_LIMIT_S * 1000} */"
        ),
    }


def _postgresql_options() -> dict[str, Any]:
    limits_s = {
        "statement_timeout": STATEMENT_LIMIT_S,
        "lock_timeout": LOCK_LIMIT_S,
        "idle_in_transaction_session_timeout": SILENCE_LIMIT_S,
    }
    return {
        "connect_timeout": CONNECT_LIMIT_S,
        "keepalives_idle": SILENCE_LIMIT_S // 2,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": SILENCE_LIMIT_S * 1000,
        "options": " ".join(f"-c {name}={s}s" for name, s in limits_s.items()),
    }


_OPTIONS = {MYSQL: _mysql_options, POSTGRESQL: _postgresql_options}
