"""Read the process environment once, typed, and name every mistake at once.

The settings module turns the result into Django settings; nothing else reads
os.environ.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from brokersite import logs
from brokersite.redaction import redactor
from instances.addresses import REFUSAL, is_insecure

MYSQL_TAGS = {"mysql", "mariadb"}
SHORTEST_PASSWORD = 12
_REPOSITORY = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-][a-z0-9]+)*)+")


@dataclass(frozen=True)
class DockerEndpoint:
    """Where the first Docker host is and how its databases are reached."""

    url: str
    database_host: str
    """The host name or address that apps are given."""
    publish_address: str
    """The IP address of the Docker host on which databases listen."""


@dataclass(frozen=True)
class Environment:
    secret_key: str
    encryption_keys: tuple[str, ...]
    """Fernet keys: the first encrypts, all decrypt."""
    debug: bool
    log_level: str
    log_format: str
    metrics_username: str
    metrics_password: str
    """Empty: there are no metrics."""
    public_url: str
    allowed_hosts: tuple[str, ...]
    database: dict[str, Any]
    docker: DockerEndpoint
    allow_insecure_docker: bool
    worker_threads: int
    operation_lease_s: int
    watchdog_s: int
    state_directory: Path
    backup_upload_limit_mb: int
    """What an uploaded backup may hold, unpacked."""
    backup_registry: str
    """Where operators may push backups: registry/path; empty: nowhere."""
    backup_registry_username: str
    backup_registry_password: str = field(repr=False)

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")


def load(source: Mapping[str, str], *, root: Path) -> Environment:
    """Raise ImproperlyConfigured that lists every variable that is wrong."""
    reader = _Reader(source)
    application = reader.json_object("VCAP_APPLICATION")
    routes = [str(uri) for uri in application.get("application_uris") or []]
    port = reader.integer("PORT", 8000, low=1, high=65535)
    public_url = reader.text(
        "PUBLIC_URL", f"https://{routes[0]}" if routes else f"http://127.0.0.1:{port}"
    ).rstrip("/")
    if urlsplit(public_url).scheme not in ("http", "https"):
        reader.complain("PUBLIC_URL", "is not an http:// or https:// address")
    state_directory = Path(reader.text("STATE_DIRECTORY", str(root / "var")))
    environment = Environment(
        secret_key=reader.secret_key(),
        encryption_keys=reader.encryption_keys(),
        debug=reader.flag("DEBUG"),
        log_level=reader.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING")),
        log_format=reader.choice(
            "LOG_FORMAT", logs.default_format(source), logs.FORMATS
        ),
        metrics_username=reader.text("METRICS_USERNAME", "metrics"),
        metrics_password=reader.password("METRICS_PASSWORD"),
        public_url=public_url,
        allowed_hosts=_allowed_hosts(reader, public_url, routes),
        database=_database(reader, state_directory),
        docker=_docker(reader),
        allow_insecure_docker=reader.flag("ALLOW_INSECURE_DOCKER"),
        worker_threads=reader.integer("WORKER_THREADS", 2, low=1, high=64),
        operation_lease_s=reader.integer("OPERATION_LEASE_S", 30, low=2, high=3600),
        watchdog_s=reader.integer("WATCHDOG_S", 300, low=10, high=3600),
        state_directory=state_directory,
        backup_upload_limit_mb=reader.integer(
            "BACKUP_UPLOAD_LIMIT_MB", 20480, low=1, high=2**20
        ),
        backup_registry=reader.repository("BACKUP_REGISTRY"),
        backup_registry_username=reader.text("BACKUP_REGISTRY_USERNAME", ""),
        backup_registry_password=reader.text("BACKUP_REGISTRY_PASSWORD", ""),
    )
    reader.raise_if_wrong()
    return environment


class _Reader:
    """Typed access to the variables; wrong ones are collected, not raised."""

    def __init__(self, source: Mapping[str, str]) -> None:
        self._source = source
        self._mistakes: list[str] = []

    def complain(self, name: str, mistake: str) -> None:
        self._mistakes.append(f"{name} {mistake}")

    def raise_if_wrong(self) -> None:
        if self._mistakes:
            listing = "".join(f"\n  - {mistake}" for mistake in self._mistakes)
            message = f"The environment is not usable:{listing}"
            raise ImproperlyConfigured(redactor(())(message))

    def text(self, name: str, default: str) -> str:
        return self._source.get(name, "").strip() or default

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            self.complain(name, f"is {text!r}: give a number from {low} to {high}")
            return default
        return int(text)

    def flag(self, name: str) -> bool:
        return self.choice(name, "0", ("0", "1", "false", "true")) in ("1", "true")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.text(name, default)
        if text not in choices:
            self.complain(name, f"is {text!r}: give one of {', '.join(choices)}")
            return default
        return text

    def password(self, name: str) -> str:
        password = self.text(name, "")
        if password and len(password) < SHORTEST_PASSWORD:
            self.complain(name, f"is short: give {SHORTEST_PASSWORD} characters")
        return password

    def json_object(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads(self.text(name, "{}"))
        except ValueError as error:
            self.complain(name, f"is not JSON: {error}")
            return {}
        if not isinstance(value, dict):
            self.complain(name, "is not a JSON object")
            return {}
        return value

    def repository(self, name: str) -> str:
        """As docker push takes it, without a tag."""
        text = self.text(name, "").rstrip("/")
        if text and not _REPOSITORY.fullmatch(text):
            self.complain(
                name, f"is {text!r}: give REGISTRY/PATH, such as r.example.com/backups"
            )
            return ""
        return text

    def secret_key(self) -> str:
        key = self.text("SECRET_KEY", "")
        if len(key) < 50 or len(set(key)) < 5:
            self.complain("SECRET_KEY", "is missing or weak: give 50 random characters")
        return key

    def encryption_keys(self) -> tuple[str, ...]:
        texts = self.text("ENCRYPTION_KEYS", "").split(",")
        keys = tuple(key.strip() for key in texts if key.strip())
        if not keys:
            self.complain(
                "ENCRYPTION_KEYS", "is missing: give Fernet keys, newest first"
            )
        for position, key in enumerate(keys, start=1):
            try:
                Fernet(key)
            except ValueError:
                self.complain("ENCRYPTION_KEYS", f"key {position} is not a Fernet key")
        return keys


def _allowed_hosts(
    reader: _Reader, public_url: str, routes: list[str]
) -> tuple[str, ...]:
    named = [name.strip() for name in reader.text("ALLOWED_HOSTS", "").split(",")]
    hosts = [name for name in named if name]
    hosts += [route.split("/")[0] for route in routes]
    hosts += [urlsplit(public_url).hostname or "", "localhost", "127.0.0.1", "[::1]"]
    return tuple(dict.fromkeys(host for host in hosts if host))


def _docker(reader: _Reader) -> DockerEndpoint:
    """DOCKER_HOST, DOCKER_PORT and DATABASE_HOST mean what they did in 2014."""
    url = reader.text("DOCKER_HOST", "unix:///var/run/docker.sock")
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "tcp", url
    if scheme in ("http", "https"):
        scheme = "tcp"
    if scheme == "tcp" and ":" not in rest:
        rest = f"{rest}:{reader.integer('DOCKER_PORT', 2375, low=1, high=65535)}"
    if scheme not in ("unix", "tcp") or not rest:
        reader.complain(
            "DOCKER_HOST", f"is {url!r}: give unix://PATH or tcp://HOST:PORT"
        )
    if is_insecure(f"{scheme}://{rest}") and not reader.flag("ALLOW_INSECURE_DOCKER"):
        reader.complain("DOCKER_HOST", f"is {url!r}. {REFUSAL}")
    database_host = reader.text("DATABASE_HOST", "127.0.0.1")
    publish_address = reader.text("DATABASE_BIND_ADDRESS", "")
    if not publish_address:
        publish_address = "127.0.0.1" if database_host == "localhost" else database_host
    try:
        ipaddress.ip_address(publish_address)
    except ValueError:
        reader.complain(
            "DATABASE_BIND_ADDRESS",
            f"must be the IP address of the Docker host on which databases listen, "
            f"since DATABASE_HOST {database_host!r} is a name",
        )
    return DockerEndpoint(f"{scheme}://{rest}", database_host, publish_address)


def _database(reader: _Reader, state_directory: Path) -> dict[str, Any]:
    """The bound MySQL of VCAP_SERVICES, else SQLite in the state directory."""
    for bindings in reader.json_object("VCAP_SERVICES").values():
        for binding in bindings if isinstance(bindings, list) else []:
            if isinstance(binding, dict) and _is_mysql(binding):
                return _mysql(reader, binding)
    if reader.json_object("VCAP_APPLICATION"):
        reader.complain(
            "VCAP_SERVICES",
            "has no MySQL: web and worker run in containers of their own and cannot "
            "share SQLite, so bind a service with the tag mysql",
        )
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": reader.text(
            "DATABASE_PATH", str(state_directory / "brokersite.sqlite3")
        ),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # WAL with NORMAL may lose an acknowledged commit at power loss.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }


def _is_mysql(binding: dict[str, Any]) -> bool:
    tags = {str(tag).lower() for tag in binding.get("tags") or []}
    return bool(tags & MYSQL_TAGS)


def _mysql(reader: _Reader, binding: dict[str, Any]) -> dict[str, Any]:
    credentials = binding.get("credentials") or {}
    uri = urlsplit(str(credentials.get("uri", "")))
    name = credentials.get("name") or uri.path.lstrip("/")
    host = credentials.get("hostname") or credentials.get("host") or uri.hostname
    if not (name and host):
        reader.complain(
            "VCAP_SERVICES", f"{binding.get('name')}: credentials lack hostname or name"
        )
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": name,
        "HOST": host,
        "PORT": credentials.get("port") or uri.port or 3306,
        "USER": credentials.get("username") or unquote(uri.username or ""),
        "PASSWORD": credentials.get("password") or unquote(uri.password or ""),
        "OPTIONS": {"charset": "utf8mb4"},
    }
