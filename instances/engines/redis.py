"""Redis: one server, one key space, and an ACL user for each binding.

A user may do all that an app does: every key, channel, script and FLUSHALL. It may not
administer the server (ACL, CONFIG, SHUTDOWN, REPLICAOF, MODULE, DEBUG, SAVE, MONITOR,
CLIENT KILL …), move keys to other servers (MIGRATE) or feed it raw dumps (RESTORE).

Redis knows no limit of connections per user: the image's maxclients and
maxmemory-clients bound all of them together, and User.connections is not used.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from instances import errors
from instances.engines import parameters as fields
from instances.engines.base import (
    Endpoint,
    Engine,
    User,
    binding_users,
    login,
    our_name,
)
from instances.engines.verifiers import sha_256

ADMINISTRATOR = "brokersite"
CONNECT_LIMIT_S = 5
ANSWER_LIMIT_S = 10
REWRITE_LIMIT_S = 30.0

_NO_ADMINISTRATION = ("-@admin", "-@dangerous", "+info", "+keys", "+role")
ALL_RIGHTS = (
    *("~*", "&*", "+@all", *_NO_ADMINISTRATION),
    *("+sort", "+sort_ro", "+flushdb", "+flushall", "+swapdb"),
)
READ_RIGHTS = (
    *("%R~*", "&*", "+@read", "+@connection", "+@transaction"),
    *("+subscribe", "+psubscribe", "+unsubscribe", "+punsubscribe"),
    *("+eval_ro", "+evalsha_ro", "+fcall_ro", "+time", "+command"),
    *(*_NO_ADMINISTRATION, "+sort_ro"),
)

POLICIES = [
    *("noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random"),
    *("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"),
]
MIN_REPLICAS = "min-replicas-to-write"
PERSISTENCE = {"aof": "yes", "none": "no"}
SCHEMA = fields.schema(
    "Redis",
    maxmemory_policy=fields.choice(
        "Eviction", "Which keys go when memory is full; noeviction: none.", POLICIES
    ),
    persistence=fields.choice(
        "Persistence",
        "aof: at most a second is lost. none: a restart loses everything, and "
        "backups are empty.",
        PERSISTENCE,
    ),
)

Ask = Callable[..., Any]


class Redis:
    name = "redis"
    port = 6379
    create_schema = SCHEMA
    update_schema = SCHEMA
    bind_schema = fields.BIND_SCHEMA

    def environment(self, admin_secret: str) -> dict[str, str]:
        return {"ADMIN_SHA256": sha_256(admin_secret)}

    def check(self, endpoint: Endpoint) -> None:
        with _session(endpoint) as ask:
            ask("PING")

    def create_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any] = fields.NONE
    ) -> bool:
        """The server is the database."""
        our_name(name)
        return self.update_database(endpoint, name, parameters)

    def update_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        fields.check(SCHEMA, parameters)
        with _session(endpoint) as ask:
            if "maxmemory_policy" in parameters:
                ask("CONFIG SET", "maxmemory-policy", parameters["maxmemory_policy"])
            if "persistence" in parameters:
                _persist(ask, PERSISTENCE[parameters["persistence"]])
            ask("CONFIG REWRITE") if parameters else ask("PING")
        return False

    def create_user(self, endpoint: Endpoint, user: User) -> None:
        rights = READ_RIGHTS if user.read_only else ALL_RIGHTS
        password = f"#{sha_256(user.password)}"
        with _session(endpoint) as ask:
            name = our_name(user.name)
            ask("ACL SETUSER", name, "reset", *rights, password, "on")
            ask("ACL SAVE")

    def drop_user(self, endpoint: Endpoint, name: str) -> None:
        with _session(endpoint) as ask:
            # It ends the user's connections before the next command of any of them.
            ask("ACL DELUSER", our_name(name))
            ask("ACL SAVE")

    def users(self, endpoint: Endpoint) -> set[str]:
        with _session(endpoint) as ask:
            return binding_users(ask("ACL USERS"))

    def set_read_only(
        self, endpoint: Endpoint, database: str, is_read_only: bool
    ) -> None:
        """As a server does that waits for a replica: NOREPLICAS to whoever writes.

        What takes the space is mostly the append-only file: it is rewritten.
        """
        replicas = str(int(is_read_only))
        with _session(endpoint) as ask:
            if ask("CONFIG GET", MIN_REPLICAS)[MIN_REPLICAS] != replicas:
                ask("CONFIG SET", MIN_REPLICAS, replicas)
            persistence = ask("INFO", "persistence")
            if is_read_only and persistence["aof_enabled"] and _is_written(persistence):
                ask("BGREWRITEAOF")

    def credentials(self, host: str, port: int, user: User) -> dict[str, Any]:
        """Clients must send the user's name too: the default user is off."""
        return {
            "uri": f"redis://{user.name}:{user.password}@{host}:{port}/0",
            "name": "0",
            "database": "0",
            **login(host, port, user),
        }


@contextmanager
def _session(endpoint: Endpoint) -> Iterator[Ask]:
    """Commands as the administrator; the driver's errors become ours."""
    client = redis.Redis(
        host=endpoint.host,
        port=endpoint.port,
        username=ADMINISTRATOR,
        password=endpoint.admin_secret,
        socket_connect_timeout=CONNECT_LIMIT_S,
        socket_timeout=ANSWER_LIMIT_S,
        # Every try is the operation's: none inside the driver, and no introductions.
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
        decode_responses=True,
    )
    try:
        with client:
            yield client.execute_command
    except (redis.RedisError, OSError) as error:
        raise errors.EngineUnreachable(
            detail=f"Redis at {endpoint.host}:{endpoint.port}: {error}"
        ) from error


def _persist(ask: Ask, appendonly: str) -> None:
    """Switch the append-only file; return when it holds all the keys."""
    ask("CONFIG SET", "appendonly", appendonly)
    deadline = time.monotonic() + REWRITE_LIMIT_S
    while appendonly == "yes" and not _is_written(ask("INFO", "persistence")):
        if time.monotonic() > deadline:
            raise errors.EngineUnreachable(detail="the file is not written in time")
        time.sleep(0.02)


def _is_written(persistence: Mapping[str, Any]) -> bool:
    return (
        not persistence["aof_rewrite_in_progress"]
        and not persistence["aof_rewrite_scheduled"]
        and persistence["aof_last_bgrewrite_status"] == "ok"
    )


ENGINE: Engine = Redis()
