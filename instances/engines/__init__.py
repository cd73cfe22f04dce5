"""The engines, one line each. They know databases, not Docker."""

from importlib import import_module

from instances import errors
from instances.engines.base import Endpoint, Engine, User, new_secret

__all__ = ["ENGINES", "Endpoint", "Engine", "User", "get_engine", "new_secret"]

_MODULES = (
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
