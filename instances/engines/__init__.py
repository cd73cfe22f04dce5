"""The engines, one line each. They know databases, not Docker."""

from importlib import import_module

from instances import errors
from instances.engines.base import (
    Configurable,
    Endpoint,
    Engine,
    Startup,
    User,
    Watchable,
    new_secret,
)

__all__ = [
    "ENGINES",
    "Configurable",
    "Endpoint",
    "Engine",
    "Startup",
    "User",
    "Watchable",
    "find_configurable",
    "get_engine",
    "new_secret",
]

_MODULES = (
    "generic",
    "mariadb",
    "postgres",
    "redis",
)

ENGINES: dict[str, Engine] = {
    name: import_module(f"{__name__}.{name}").ENGINE for name in _MODULES
}


def get_engine(name: str) -> Engine:
    """Raise InvalidRequest."""
    if name not in ENGINES:
        known = ", ".join(sorted(ENGINES))
        raise errors.InvalidRequest(f"engine: {name!r} is not one of {known}")
    return ENGINES[name]


def find_configurable(name: str) -> Configurable | None:
    """The engine, if it takes settings of the plan."""
    engine = ENGINES.get(name)
    return engine if isinstance(engine, Configurable) else None
