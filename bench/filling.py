"""What an app of each engine writes: so many megabytes, or one small thing."""

from collections.abc import Callable
from typing import Any

MB = 10**6


def fill_sql(session: Any, megabytes: int) -> None:
    """In rows that no server compresses."""
    session.execute("CREATE TABLE ticks (n INT)")
    session.execute("CREATE TABLE filling (content TEXT)")
    session.execute("ALTER TABLE filling ALTER content SET STORAGE EXTERNAL")
    _add(session, megabytes)


def fill_mysql(session: Any, megabytes: int) -> None:
    session.execute("CREATE TABLE ticks (n INT)")
    session.execute("CREATE TABLE filling (content LONGTEXT)")
    _add(session, megabytes)


def _add(session: Any, megabytes: int) -> None:
    for _ in range(megabytes):
        session.execute(f"INSERT INTO filling VALUES (REPEAT('x', {MB}))")


def fill_redis(session: Any, megabytes: int) -> None:
    for number in range(megabytes):
        session.execute_command("SET", f"filling:{number}", b"x" * MB)


def tick_sql(session: Any) -> None:
    session.execute("INSERT INTO ticks VALUES (1)")


def tick_redis(session: Any) -> None:
    session.execute_command("INCR", "ticks")


FILL: dict[str, Callable[[Any, int], None]] = {
    "mariadb": fill_mysql,
    "postgres": fill_sql,
    "redis": fill_redis,
}
TICK: dict[str, Callable[[Any], None]] = {
    "mariadb": tick_sql,
    "postgres": tick_sql,
    "redis": tick_redis,
}
