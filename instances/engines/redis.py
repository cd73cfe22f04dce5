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
    counted,
    login,
    our_name,
    our_witness,
    sessions_of,
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

WITNESS_KEY = "brokersite:witness"
# Even when the tenant's keys have used up all the memory.
_LEAVE = "#!lua flags=allow-oom\nredis.call('SET', KEYS[1], ARGV[1])"
# It stands between quotes, on one line of the image's own client.
_INVENTORY = (
    "local keys, found = 0, redis.call('GET', KEYS[1])"
    " for number in string.gmatch(redis.call('INFO', 'keyspace'), 'keys=(%d+)')"
    " do keys = keys + number end"
    " return {'inventory keys ' .. keys - (found and 1 or 0),"
    " 'inventory witness ' .. (found == ARGV[1] and 1 or 0)}"
)
_REMOVE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"

Ask = Callable[..., Any]


class Redis:
    name = "redis"
    port = 6379
    data_path = "/var/lib/redis/data"
    incoming_path = "/var/lib/redis/incoming"
    create_schema = SCHEMA
    update_schema = SCHEMA
    bind_schema = fields.BIND_SCHEMA

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        fields.check(SCHEMA, parameters)

    def environment(self, admin_secret: str) -> dict[str, str]:
        return {"ADMIN_SHA256": sha_256(admin_secret)}

    def check(self, endpoint: Endpoint) -> None:
        with _session(endpoint) as ask:
            ask("PING")

    def set_admin_secret(self, endpoint: Endpoint, secret: str) -> None:
        with _session(endpoint) as ask:
            ask("ACL SETUSER", ADMINISTRATOR, "resetpass", f"#{sha_256(secret)}")
            ask("ACL SAVE")

    def create_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any] = fields.NONE
    ) -> bool:
        """The server is the database."""
        our_name(name)
        return self.update_database(endpoint, name, parameters)

    def update_database(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> bool:
        self.check_parameters(parameters)
        with _session(endpoint) as ask:
            if "maxmemory_policy" in parameters:
                ask("CONFIG SET", "maxmemory-policy", parameters["maxmemory_policy"])
            if "persistence" in parameters:
                _persist(ask, PERSISTENCE[parameters["persistence"]])
            ask("CONFIG REWRITE") if parameters else ask("PING")
        return False

    def former_settings(
        self, endpoint: Endpoint, name: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        with _session(endpoint) as ask:
            policy = ask("CONFIG GET", "maxmemory-policy")["maxmemory-policy"]
            appendonly = ask("CONFIG GET", "appendonly")["appendonly"]
        words = {value: word for word, value in PERSISTENCE.items()}
        return {"maxmemory_policy": policy, "persistence": words[appendonly]}

    def restore_settings(
        self, endpoint: Endpoint, name: str, former: Mapping[str, Any]
    ) -> bool:
        return self.update_database(endpoint, name, former)

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

    def sessions(self, endpoint: Endpoint) -> dict[str, int]:
        with _session(endpoint) as ask:
            return sessions_of(str(row["user"]) for row in ask("CLIENT LIST"))

    def databases(self, endpoint: Endpoint) -> set[str] | None:
        return None

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

    def credentials(self, endpoint: Endpoint, user: User) -> dict[str, Any]:
        """Clients must send the user's name too: the default user is off."""
        address = f"{endpoint.host}:{endpoint.port}"
        return {
            "uri": f"redis://{user.name}:{user.password}@{address}/0",
            "name": "0",
            "database": "0",
            **login(endpoint, user),
        }

    def real_data_path(self, endpoint: Endpoint) -> str:
        with _session(endpoint) as ask:
            return str(ask("CONFIG GET", "dir")["dir"]).rstrip("/")

    def leave_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        """With persistence off it is in no backup, like all the other keys."""
        with _session(endpoint) as ask:
            ask("EVAL", _LEAVE, 1, WITNESS_KEY, our_witness(witness))
            _flush(ask)

    def remove_witness(self, endpoint: Endpoint, database: str, witness: str) -> None:
        with _session(endpoint) as ask:
            ask("EVAL", _REMOVE, 1, WITNESS_KEY, our_witness(witness))

    def inventory(
        self, endpoint: Endpoint, database: str, witness: str
    ) -> dict[str, int]:
        with _session(endpoint) as ask:
            return counted(ask("EVAL", *_inventory(witness)))

    def proof(self, database: str, witness: str) -> str:
        our_name(database)
        script, *rest = _inventory(witness)
        return " ".join(["EVAL", f'"{script}"', *rest]) + "\n"


def _inventory(witness: str) -> tuple[str, ...]:
    """What EVAL takes, over the network and in the image's own client."""
    return _INVENTORY, "1", WITNESS_KEY, our_witness(witness)


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
    if appendonly == "yes":
        _wait_until(ask, _is_written)


def _flush(ask: Ask) -> None:
    """Return when the file holds what came before: a busy disk can hold it up."""
    now = ask("INFO", "persistence")
    if now["aof_enabled"]:
        size = now["aof_current_size"] + now["aof_buffer_length"]
        _wait_until(
            ask,
            # A file that is written anew can be smaller.
            lambda now: now["aof_current_size"] >= size or not now["aof_buffer_length"],
        )


def _wait_until(ask: Ask, is_so: Callable[[Mapping[str, Any]], bool]) -> None:
    """What the server says of its file. Raise EngineUnreachable."""
    deadline = time.monotonic() + REWRITE_LIMIT_S
    while not is_so(ask("INFO", "persistence")):
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
