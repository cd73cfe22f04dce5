"""Redis in a real container."""

import io
import tarfile
import time
from typing import Any

import pytest

from instances.engines import Endpoint, User
from instances.engines.redis import Redis
from instances.engines.verifiers import sha_256
from tests.docker.real_backup import RealBackupContract
from tests.docker.redis_session import RedisSession
from tests.fakes import Refused


class RedisTest(RealBackupContract):
    __test__ = True
    engine = Redis()
    MAINTENANCE = "0"
    CLIENT = "redis-cli"
    LONG = "BLPOP nothing 60"
    PARAMETERS = {"maxmemory_policy": "allkeys-lru", "persistence": "aof"}
    OTHERS = {"maxmemory_policy": "volatile-ttl", "persistence": "none"}

    def new_session(
        self, endpoint: Endpoint, username: str, password: str, database: str
    ) -> RedisSession:
        return RedisSession(endpoint, username, password)

    def parameters_of(self, user: User) -> dict[str, Any]:
        session = self.administrator()
        _, policy = session.run("CONFIG", "GET", "maxmemory-policy")
        _, appendonly = session.run("CONFIG", "GET", "appendonly")
        persistence = {"yes": "aof", "no": "none"}[appendonly]
        return {"maxmemory_policy": policy, "persistence": persistence}

    def damaged_files(self, user: User) -> list[str]:
        folder = f"{self.engine.data_path}/appendonlydir"
        packed = b"".join(self.host.read_archive(self.spec.name, folder))
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            return [member.name for member in archive if member.isfile()]

    def rotate(self, secret: str) -> None:
        session = self.administrator()
        password = f"#{sha_256(secret)}"
        session.run("ACL", "SETUSER", "brokersite", "resetpass", password)
        session.run("ACL", "SAVE")

    def administrator(self) -> RedisSession:
        secret = self.endpoint.admin_secret
        return self.log_in(username="brokersite", password=secret, database="0")

    def test_a_user_has_no_rights_in_another_database(self):
        """Redis has one key space, and a container has one tenant."""
        user, other = self.created(), self.created()
        self.session(user).write(other.database)

    def test_connections_beyond_the_limit_are_refused(self):
        """Redis limits all clients together, not each user's."""
        user = self.created(connections=1)
        assert len([self.session(user) for _ in range(3)]) == 3
        _, limit = self.administrator().run("CONFIG", "GET", "maxclients")
        assert int(limit) == 1000

    def test_a_user_may_use_every_command_of_an_app(self):
        session = self.session(self.created())
        for command in (
            "SET k v", "KEYS *", "INFO", "EVAL return(1) 0", "SORT facts",
            "PUBLISH channel message", "XADD stream * f v", "SELECT 3", "FLUSHDB",
            "MULTI", "INCR n", "EXEC", "CLIENT SETNAME app", "FLUSHALL", "ACL WHOAMI",
        ):  # fmt: skip
            session.run(*command.split())

    def test_a_user_is_no_administrator(self):
        session = self.session(self.created())
        for command in (
            "ACL LIST", "ACL SETUSER u2 on", "CONFIG GET *", "CONFIG SET dir /tmp",
            "SHUTDOWN NOSAVE", "REPLICAOF 10.0.0.1 1", "SLAVEOF no one",
            "MODULE LIST", "SAVE", "BGSAVE", "BGREWRITEAOF", "MONITOR", "SYNC",
            "CLIENT LIST", "CLIENT KILL TYPE normal", "CLIENT PAUSE 1", "SLOWLOG GET",
            "LATENCY LATEST", "FAILOVER", "MIGRATE 10.0.0.1 1 k 0 1", "RESTORE k 0 x",
        ):  # fmt: skip
            with pytest.raises(Refused, match="permissions"):
                session.run(*command.split())

    def test_a_read_only_user_may_read_subscribe_and_no_more(self):
        session = self.session(self.created(read_only=True))
        for command in (
            "GET k", "KEYS *", "SCAN 0", "INFO", "EVAL_RO return(1) 0", "PING",
            "MULTI", "GET k", "EXEC", "SELECT 1", "SELECT 0", "DBSIZE",
        ):  # fmt: skip
            session.run(*command.split())
        for command in (
            "SET k v", "DEL k", "FLUSHALL", "PUBLISH channel m", "EVAL return(1) 0",
            "CONFIG GET *", "SORT k STORE x", "EXPIRE k 1", "FUNCTION FLUSH",
        ):  # fmt: skip
            with pytest.raises(Refused, match="permissions"):
                session.run(*command.split())

    def test_transactions_are_replayed_after_a_kill(self):
        """DOCKER-LIMITS §5: a default user without rights would drop them."""
        user = self.created()
        session = self.session(user)
        for command in ("MULTI", "SET first 1", "SET second 2", "EXEC"):
            session.run(*command.split())
        time.sleep(1.2)
        self.restart(kill=True)
        assert self.session(user).run("MGET", "first", "second") == ["1", "2"]

    def test_memory_is_limited_below_the_containers(self):
        _, limit = self.administrator().run("CONFIG", "GET", "maxmemory")
        assert int(limit) == self.spec.memory_mb * 2**20 * 3 // 4

    def test_a_witness_is_left_even_when_memory_is_used_up(self):
        administrator = self.administrator()
        limit = administrator.run("CONFIG", "GET", "maxmemory")[1]
        administrator.run("CONFIG", "SET", "maxmemory-policy", "noeviction")
        administrator.run("CONFIG", "SET", "maxmemory", "1")
        try:
            with pytest.raises(Refused, match="maxmemory"):
                self.session(self.created()).write("d1")
            self.leave("0" * 32)
            assert self.counts("d1", "0" * 32)["witness"] == 1
        finally:
            administrator.run("CONFIG", "SET", "maxmemory", limit)

    def test_persistence_can_be_left_and_taken_up_again(self):
        user = self.created()
        database = user.database
        for persistence, is_kept in (("none", False), ("aof", True)):
            wanted = {"persistence": persistence}
            self.engine.update_database(self.endpoint, database, wanted)
            self.session(user).run("SET", "kept", "1")
            time.sleep(1.2)
            self.restart()
            assert bool(self.session(user).run("EXISTS", "kept")) == is_kept
        assert self.parameters_of(user)["persistence"] == "aof"

    def test_a_full_server_refuses_scripts_that_write(self):
        session = self.session(self.held())
        with pytest.raises(Refused):
            session.run("EVAL", "return redis.call('RPUSH', 'facts', '1')", "0")
        with pytest.raises(Refused):
            session.run("CONFIG", "SET", "min-replicas-to-write", "0")

    def test_a_full_server_rewrites_its_file(self):
        """What fills it is mostly the log of commands."""
        user = self.created()
        session = self.session(user)
        for _ in range(50):
            session.run("SET", "same", "x" * 20_000)
        before = self.file_size()
        self.set_read_only(user, True)
        self.addCleanup(self.set_read_only, user, False)
        deadline = time.monotonic() + 20
        while self.file_size() > before / 10:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def file_size(self) -> int:
        container = self.docker.containers.get(self.spec.name)
        output = container.exec_run(
            ["du", "-sb", "/var/lib/redis/data/appendonlydir"]
        ).output
        return int(output.split()[0])
