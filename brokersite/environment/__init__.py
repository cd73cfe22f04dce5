"""Read the process environment once, typed, and name every mistake at once.

The settings module turns the result into Django settings; nothing else reads
os.environ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from brokersite import logs
from brokersite.environment import (
    backups,
    cloud_controller,
    database,
    docker,
    logins,
    services,
)
from brokersite.environment.backups import BackupPlaces
from brokersite.environment.cloud_controller import CloudController
from brokersite.environment.docker import DockerEndpoint
from brokersite.environment.logins import Logins
from brokersite.environment.reader import Reader


@dataclass(frozen=True)
class Login:
    """One to make where there is none yet; without a password, with a random one."""

    username: str
    password: str


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
    is_public: bool
    """Whether somebody has said so: others can follow links to it."""
    allowed_hosts: tuple[str, ...]
    database: dict[str, Any]
    docker: DockerEndpoint
    backups: BackupPlaces
    logins: Logins
    cloud_controller: CloudController | None
    allow_insecure_docker: bool
    session_hours: int
    session_ends_with_browser: bool
    operator: Login
    broker_login: Login
    forwarded_hops: int
    """How many routers before the site add to X-Forwarded-For."""
    worker_threads: int
    operation_lease_s: int
    watchdog_s: int
    state_directory: Path

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")


def load(source: Mapping[str, str], *, root: Path) -> Environment:
    """Raise ImproperlyConfigured that lists every variable that is wrong."""
    reader = Reader(source)
    bound = services.read(reader)
    reader.fall_back_to(services.secrets(reader, bound))
    application = reader.json_object("VCAP_APPLICATION")
    routes, api_url = _routes(application), str(application.get("cf_api") or "")
    port = reader.integer("PORT", 8000, low=1, high=65535)
    index = reader.integer("CF_INSTANCE_INDEX", 0, low=0, high=100_000)
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
        is_public=bool(routes or reader.text("PUBLIC_URL")),
        allowed_hosts=_allowed_hosts(reader, public_url, routes),
        database=database.read(
            reader,
            bound,
            state_directory=state_directory,
            is_shared=bool(application) or index > 0,
        ),
        docker=docker.read(reader),
        backups=backups.read(reader),
        logins=logins.read(reader, api_url=api_url),
        cloud_controller=cloud_controller.read(reader, api_url=api_url),
        allow_insecure_docker=reader.flag("ALLOW_INSECURE_DOCKER"),
        session_hours=reader.integer("SESSION_HOURS", 12, low=1, high=720),
        session_ends_with_browser=reader.flag("SESSION_ENDS_WITH_BROWSER"),
        operator=_login(reader, "ADMIN"),
        broker_login=_login(reader, "BROKER"),
        forwarded_hops=reader.integer(
            "FORWARDED_HOPS", 1 if application else 0, low=0, high=9
        ),
        worker_threads=reader.integer("WORKER_THREADS", 2, low=1, high=64),
        operation_lease_s=reader.integer("OPERATION_LEASE_S", 30, low=2, high=3600),
        watchdog_s=reader.integer("WATCHDOG_S", 300, low=10, high=3600),
        state_directory=state_directory,
    )
    reader.raise_if_wrong()
    return environment


def _routes(application: dict[str, Any]) -> list[str]:
    """Without the scheme: application_uris, or uris as older platforms have it."""
    uris = application.get("application_uris") or application.get("uris")
    return [str(uri) for uri in uris] if isinstance(uris, list) else []


def _allowed_hosts(
    reader: Reader, public_url: str, routes: list[str]
) -> tuple[str, ...]:
    named = [name.strip() for name in reader.text("ALLOWED_HOSTS", "").split(",")]
    hosts = [name for name in named if name]
    hosts += [route.split("/")[0] for route in routes]
    hosts += [urlsplit(public_url).hostname or "", "localhost", "127.0.0.1", "[::1]"]
    return tuple(dict.fromkeys(host for host in hosts if host))


def _login(reader: Reader, prefix: str) -> Login:
    username = reader.text(f"{prefix}_USERNAME", prefix.lower())
    return Login(username, reader.text(f"{prefix}_PASSWORD"))
