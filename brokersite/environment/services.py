"""The services that Cloud Foundry has bound to the app: VCAP_SERVICES."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from brokersite.environment.reader import Reader

VARIABLE = "VCAP_SERVICES"
FILE_VARIABLE = "VCAP_SERVICES_FILE_PATH"
DATABASE_NAME = "brokersite-database"
SECRETS_NAME = "brokersite-secrets"
SECRETS = (
    *("SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URI", "DATABASE_CA"),
    *("ADMIN_USERNAME", "ADMIN_PASSWORD", "BROKER_USERNAME", "BROKER_PASSWORD"),
    *("DOCKER_TLS_CA", "DOCKER_TLS_CERT", "DOCKER_TLS_KEY"),
    *("METRICS_PASSWORD", "BACKUP_REGISTRY_PASSWORD"),
    *("DASHBOARD_CLIENT_SECRET", "OIDC_CLIENT_SECRET", "CF_CLIENT_SECRET"),
    *("CF_CA", "OIDC_CA"),
)
"""What the secrets service may hold; a variable of that name wins."""
MYSQL, POSTGRESQL = "mysql", "postgresql"
KINDS = {
    **dict.fromkeys(("mysql", "mysql2", "mariadb"), MYSQL),
    **dict.fromkeys(("postgres", "postgresql", "pgsql"), POSTGRESQL),
}
"""By tag, and by the scheme of a URI."""


@dataclass(frozen=True)
class Service:
    names: frozenset[str]
    tags: tuple[str, ...]
    credentials: dict[str, Any]

    @property
    def kind(self) -> str:
        """What it is as a database: by its tags, else by its URI; empty if none."""
        scheme = urlsplit_or_none(self.uri)
        words = [*self.tags, scheme.scheme if scheme else ""]
        return next((KINDS[word] for word in words if word in KINDS), "")

    @property
    def uri(self) -> str:
        return str(self.credentials.get("uri") or self.credentials.get("url") or "")

    def __str__(self) -> str:
        return min(self.names, default="a service without a name")


def read(reader: Reader) -> list[Service]:
    """All of them; what is no binding is passed over."""
    text = reader.file(FILE_VARIABLE)
    variable = FILE_VARIABLE if text else VARIABLE
    offerings = reader.json_object(variable, text or None)
    return [
        _service(binding)
        for bindings in offerings.values()
        for binding in (bindings if isinstance(bindings, list) else [])
        if isinstance(binding, dict)
    ]


def _service(binding: dict[str, Any]) -> Service:
    names = (binding.get(key) for key in ("name", "instance_name", "binding_name"))
    tags = binding.get("tags")
    credentials = binding.get("credentials")
    return Service(
        names=frozenset(str(name) for name in names if name),
        tags=tuple(str(t).lower() for t in tags) if isinstance(tags, list) else (),
        credentials=credentials if isinstance(credentials, dict) else {},
    )


def secrets(reader: Reader, bound: list[Service]) -> dict[str, str]:
    """What `cf create-user-provided-service` was given under SECRETS_SERVICE's name."""
    wanted = reader.text("SECRETS_SERVICE", SECRETS_NAME)
    found = [service for service in bound if wanted in service.names]
    if not found:
        if wanted != SECRETS_NAME:
            reader.complain("SECRETS_SERVICE", f"is {wanted!r}: no service is so named")
        return {}
    credentials = found[0].credentials
    for name in sorted(set(credentials) - set(SECRETS)):
        reader.complain(
            VARIABLE, f"{wanted} has {name!r}; it may have {', '.join(SECRETS)}"
        )
    return {
        name: text
        for name, text in credentials.items()
        if name in SECRETS and isinstance(text, str)
    }


def find_database(reader: Reader, bound: list[Service]) -> Service | None:
    """The service that DATABASE_SERVICE names, or else the only database."""
    wanted = reader.text("DATABASE_SERVICE")
    databases = [service for service in bound if service.kind]
    if wanted:
        named = [service for service in bound if wanted in service.names]
        if not named:
            reader.complain("DATABASE_SERVICE", f"is {wanted!r}: none is so named")
        elif named[0] not in databases:
            reader.complain(
                "DATABASE_SERVICE",
                f"is {wanted!r}, which is neither tagged mysql, mariadb, postgres or "
                "postgresql nor has a URI of that kind",
            )
        databases = [service for service in databases if service in named]
    if len(databases) > 1:
        usual = [service for service in databases if DATABASE_NAME in service.names]
        databases = usual or databases
    if len(databases) > 1:
        names = ", ".join(sorted(str(service) for service in databases))
        reader.complain(
            VARIABLE, f"has several databases ({names}): name one in DATABASE_SERVICE"
        )
    return databases[0] if databases else None


def urlsplit_or_none(text: str) -> Any:
    """None for what is no URI at all: an odd port, a bracket that is not closed."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts
