"""The engines, one line each. They know databases, not Docker."""

from instances import errors
from instances.engines.base import Endpoint, Engine, User, new_secret
from instances.engines.mariadb import MariaDB

__all__ = ["ENGINES", "Endpoint", "Engine", "User", "get_engine", "new_secret"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (MariaDB(),)}


def get_engine(name: str) -> Engine:
    """Raise InvalidRequest."""
    if name not in ENGINES:
        known = ", ".join(sorted(ENGINES))
        raise errors.InvalidRequest(f"engine: {name!r} is not one of {known}")
    return ENGINES[name]
