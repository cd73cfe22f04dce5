"""Real logins with the credentials of a binding: what an app sees, and nothing else."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pymysql
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

Credentials = dict[str, Any]
LIMIT_S = 5


class Refused(Exception):
    """The server has looked at the credentials and does not take them."""


class Down(Exception):
    """Nobody answers, or not in time: neither proves anything of the credentials."""


def knock(credentials: Credentials) -> None:
    """Log in and out. Raise Refused or Down."""
    with _session(credentials) as ask:
        ask(*_PING[_engine(credentials)])


def write(credentials: Credentials, number: int) -> None:
    """When this returns, it is acknowledged. Raise Refused or Down."""
    with _session(credentials) as ask:
        if _engine(credentials) == "redis":
            ask("SADD", "facts", number)
        else:
            ask("CREATE TABLE IF NOT EXISTS facts (n INT)")
            ask(f"INSERT INTO facts VALUES ({number})")


def read(credentials: Credentials) -> set[int]:
    """Every number that is there. Raise Refused or Down."""
    with _session(credentials) as ask:
        if _engine(credentials) == "redis":
            return {int(word) for word in ask("SMEMBERS", "facts")}
        try:
            return {row[0] for row in ask("SELECT n FROM facts")}
        except (pymysql.ProgrammingError, psycopg.errors.UndefinedTable):
            return set()


_PING = {"redis": ("PING",), "mysql": ("SELECT 1",), "postgres": ("SELECT 1",)}


def _engine(credentials: Credentials) -> str:
    scheme = str(credentials["uri"]).partition(":")[0]
    return "postgres" if scheme.startswith("postgres") else scheme


def _session(credentials: Credentials) -> Any:
    return _SESSIONS[_engine(credentials)](credentials)


@contextmanager
def _mysql(given: Credentials) -> Iterator[Callable[..., Any]]:
    try:
        line = pymysql.connect(
            host=given["hostname"],
            port=given["port"],
            user=given["username"],
            password=given["password"],
            database=given["name"],
            autocommit=True,
            connect_timeout=LIMIT_S,
            read_timeout=LIMIT_S,
            write_timeout=LIMIT_S,
            ssl_disabled=True,
        )
        with line, line.cursor() as cursor:

            def ask(sql: str) -> Any:
                cursor.execute(sql)
                return cursor.fetchall()

            yield ask
    except pymysql.ProgrammingError:
        raise
    except pymysql.MySQLError as error:
        if error.args and error.args[0] in (1044, 1045, 1698, 4151):
            raise Refused(str(error)) from None
        raise Down(str(error)) from None
    except OSError as error:
        raise Down(str(error)) from None


@contextmanager
def _postgres(given: Credentials) -> Iterator[Callable[..., Any]]:
    try:
        with psycopg.connect(
            host=given["hostname"],
            port=given["port"],
            user=given["username"],
            password=given["password"],
            dbname=given["name"],
            autocommit=True,
            connect_timeout=LIMIT_S,
            options=f"-c statement_timeout={LIMIT_S}s",
        ) as line:

            def ask(sql: str) -> Any:
                cursor = line.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []

            yield ask
    except psycopg.errors.UndefinedTable:
        raise
    except psycopg.Error as error:
        said = str(error)
        if "authentication failed" in said or "not permitted to log in" in said:
            raise Refused(said) from None
        raise Down(said) from None


@contextmanager
def _redis(given: Credentials) -> Iterator[Callable[..., Any]]:
    client = redis.Redis(
        host=given["hostname"],
        port=given["port"],
        username=given["username"],
        password=given["password"],
        decode_responses=True,
        socket_timeout=LIMIT_S,
        socket_connect_timeout=LIMIT_S,
        retry=Retry(NoBackoff(), retries=0),
    )
    try:
        yield client.execute_command
    except redis.AuthenticationError as error:
        raise Refused(str(error)) from None
    except (redis.RedisError, OSError) as error:
        raise Down(str(error)) from None
    finally:
        client.close()


_SESSIONS = {"redis": _redis, "mysql": _mysql, "postgres": _postgres}


def users(admin: Credentials) -> set[str]:
    """Those of bindings, by the broker's own login. Raise Refused or Down."""
    engine = _engine(admin)
    with _session(admin) as ask:
        if engine == "redis":
            names = ask("ACL", "USERS")
        elif engine == "mysql":
            names = [row[0] for row in ask("SELECT user FROM mysql.user")]
        else:
            names = [
                r[0] for r in ask("SELECT rolname FROM pg_roles WHERE rolcanlogin")
            ]
    return {str(name) for name in names if _USER.fullmatch(str(name))}


_USER = re.compile("u[0-9a-f]{24}")
