"""Hot recipes under stress, and mutants of them: the proof finds what is broken."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from unittest import mock

from instances.containers import Access
from instances.containers.archives import packed
from instances.containers.docker import DockerContainerHost
from instances.engines import Endpoint, User, get_engine, hot, mariadb_hot, postgres_hot
from instances.engines.hot import Files
from instances.engines.mariadb import _session as mariadb_session
from instances.engines.postgres_session import open_session
from instances.engines.redis import Redis
from instances.engines.redis import _session as redis_session
from instances.engines.redis_hot import RedisHot
from instances.models import Backup
from instances.operations import hosts
from tests.docker import engine_under_test as real
from tests.docker.real_instances import LEDGERS, RealInstances
from tests.docker.test_backup_life import Writing

MOST_TRIES = 12


class StressedBackups(Writing, RealInstances):
    """Facts; a subclass gives engine and stress()."""

    __test__ = False
    engine: ClassVar[str]
    method = "hot"

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned(self.engine)
        self.binding = self.bound("b-1")
        self.acknowledged: list[int] = []
        self.endpoint = hosts.endpoint(self.container())

    def stress(self) -> None:
        """One round of what breaks copies of files in use."""
        raise NotImplementedError

    @contextmanager
    def stressed(self) -> Iterator[None]:
        """Rounds of it while a container is committed, and one before and after."""
        commit = DockerContainerHost.commit

        def stressed_commit(host: Any, name: str, *args: Any, **options: Any) -> str:
            self.stress()
            with self.repeated(self.stress):
                image = commit(host, name, *args, **options)
            self.stress()
            return image

        with mock.patch.object(DockerContainerHost, "commit", stressed_commit):
            yield

    @contextmanager
    def repeated(self, action: Callable[[], None]) -> Iterator[None]:
        is_over = threading.Event()

        def repeat() -> None:
            while not is_over.is_set():
                action()

        thread = threading.Thread(target=repeat)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def found_in(self, backup: Backup) -> set[int]:
        """The ledger of a database that is made of the backup's image."""
        engine, secret = get_engine(self.engine), secrets.token_urlsafe(24)
        spec = real.spec_of(engine, secret, image=backup.reference)
        host = DockerContainerHost(Access(real.url()))
        host.create(spec)
        host.start(spec.name)
        endpoint = Endpoint(real.ADDRESS, spec.publish_port, secret)
        try:
            real.wait_for(engine, endpoint)
            login = self.binding.credentials
            names = login["username"], login["password"]
            engine.create_user(endpoint, User(*names, login["name"], connections=5))
            ledger = LEDGERS[self.engine]({**login, "port": spec.publish_port})
            try:
                return ledger.numbers()
            finally:
                ledger.close()
        finally:
            host.remove(spec.name)

    def test_nothing_is_missing_and_nothing_is_left_out(self):
        """I12, F87: what was acknowledged before, and the rest up to one moment."""
        with self.writing(self.binding), self.stressed():
            for least in (10, 20):
                while (before := len(self.acknowledged)) < least:
                    time.sleep(0.01)
                backup = self.verified(self.instance)
                found = self.found_in(backup)
                assert found == set(range(max(before, len(found))))

    def refuted(self) -> str:
        """The problem that the proof has with a backup, of some that are taken."""
        for _ in range(MOST_TRIES):
            backup = self.proved(self.backed_up(self.instance))
            if backup.state != "verified":
                return backup.problem
        raise AssertionError(f"{MOST_TRIES} mutants have passed the proof")


class PostgresStressTest(StressedBackups):
    __test__ = True
    engine = "postgres"

    def stress(self) -> None:
        """Checkpoints that recycle the log."""
        with open_session(self.endpoint) as session:
            for _ in range(3):
                session.run("SELECT pg_switch_wal()")
                session.run("CHECKPOINT")

    def test_without_the_slot_it_is_refuted(self):
        """F87: the mutant whose log a checkpoint recycles."""
        with mock.patch.object(postgres_hot, "SLOT", "SELECT 1"):
            with self.writing(self.binding), self.stressed():
                assert "checkpoint record" in self.refuted()

    def test_nothing_is_left_in_the_server(self):
        self.verified(self.instance)
        with open_session(self.endpoint) as session:
            assert session.run("SELECT FROM pg_replication_slots") == []


class RedisStressTest(StressedBackups):
    __test__ = True
    engine = "redis"

    def setUp(self) -> None:
        super().setUp()
        with redis_session(self.endpoint) as ask:
            ask("CONFIG SET", "auto-aof-rewrite-min-size", 1)
        # It takes a while to read, after the files and before what names them.
        filling = [("appendonly.aof.filling", secrets.token_bytes(60 * 10**6))]
        DockerContainerHost(Access(real.url())).write_archive(
            self.container().name,
            f"{Redis.data_path}/appendonlydir",
            packed(filling, uid=999, gid=999),
        )

    def stress(self) -> None:
        """What makes it write its file anew; if that is off, it only grows."""
        with redis_session(self.endpoint) as ask:
            if not self.rewrites(ask):
                ask("SET", "filling", secrets.token_bytes(10**6))

    def rewrites(self, ask: Any) -> bool:
        """Begin to, unless that is ruled out."""
        name = "auto-aof-rewrite-percentage"
        if ask("CONFIG GET", name)[name] == "0":
            return False
        if not ask("INFO", "persistence")["aof_rewrite_in_progress"]:
            ask("BGREWRITEAOF")
        return True

    def test_with_a_rewrite_in_progress_it_is_refuted(self):
        """F87: the mutant is a plain commit without a pause."""

        @contextmanager
        def open_carelessly(*args: Any) -> Iterator[Callable[[], Files]]:
            yield lambda: ()

        with mock.patch.object(RedisHot, "open", open_carelessly):
            with self.writing(self.binding), self.stressed():
                assert "has not started" in self.refuted()

    def test_a_rewrite_in_spite_of_all_is_noticed(self):
        with redis_session(self.endpoint) as ask:
            commit = DockerContainerHost.commit

            def crossed(*args: Any, **options: Any) -> str:
                ask("BGREWRITEAOF")
                return commit(*args, **options)

            with mock.patch.object(DockerContainerHost, "commit", crossed):
                backup = self.backed_up(self.instance)
        assert "was written anew" in backup.problem
        assert backup.state == "failed"

    def test_the_servers_setting_is_as_before(self):
        name = "auto-aof-rewrite-percentage"
        self.verified(self.instance)
        with redis_session(self.endpoint) as ask:
            assert ask("CONFIG GET", name) == {name: "100"}
            ask("CONFIG SET", name, 0)
            hot.RECIPES["redis"].close(self.endpoint)
            assert ask("CONFIG GET", name) == {name: "100"}


# The log first, and the tables when it has gone round since.
CARELESS = """
cp -a /proc/1/root/var/lib/mysql/data/ib_logfile0 /tmp
touch /var/lib/mysql/incoming/begun
sleep 2
rm -rf /var/lib/mysql/data
cp -a /proc/1/root/var/lib/mysql/data /var/lib/mysql/data
cp -a /tmp/ib_logfile0 /var/lib/mysql/data
"""


class MariaDBStressTest(StressedBackups):
    __test__ = True
    engine = "mariadb"

    def setUp(self) -> None:
        super().setUp()
        ledger = self.session(self.binding)
        ledger.session.run("CREATE TABLE filling (n INT PRIMARY KEY, content LONGBLOB)")

    def stress(self) -> None:
        """Pages that are written anew, again and again."""
        with mariadb_session(self.endpoint) as cursor:
            table = f"{self.instance.database}.filling"
            for number in range(10):
                statement = (
                    f"REPLACE INTO {table} VALUES ({number}, RANDOM_BYTES(1024))"
                )
                cursor.execute(statement)
            cursor.execute(
                f"UPDATE {table} SET content = REPEAT(RANDOM_BYTES(1024), 1000)"
            )

    @contextmanager
    def stressed(self) -> Iterator[None]:
        """The running server is copied before the commit."""
        with self.repeated(self.stress):
            yield

    def test_copied_without_its_own_tool_it_is_refuted(self):
        """F87: the mutant is a plain copy of files that are written meanwhile."""
        recipe = hot.RECIPES["mariadb"]
        with mock.patch.object(recipe, "script", CARELESS, create=True):
            with self.writing(self.binding), self.stressed():
                assert self.refuted()

    def test_an_app_that_locks_its_tables_holds_it_up_for_a_while_only(self):
        """Else the copy waits for ever, and others behind it."""
        app = self.session(self.binding)
        app.session.run("LOCK TABLES filling WRITE")
        with mock.patch.object(mariadb_hot, "LOCK_LIMIT_S", 2):
            backup = self.backed_up(self.instance)
        assert backup.state == "failed" and "LOCK TABLES" in backup.problem
        app.session.run("UNLOCK TABLES")
        self.verified(self.instance)

    def test_nothing_of_the_tool_is_left_in_the_data(self):
        backup = self.verified(self.instance)
        made = self.docker.containers.create(backup.reference, "x")
        self.addCleanup(made.remove, force=True)
        chunks, _ = made.get_archive("/var/lib/mysql")
        listed = b"".join(chunks)
        for name in (
            b"xtrabackup_",
            b"mariadb_backup_",
            b"backup-my",
            b"/incoming/data",
        ):
            assert name not in listed
        assert b"mysql/data/.applied/" in listed

    def test_it_starts_as_the_paused_one_does(self):
        """The same command, user, folder and ports; nothing of the copier's."""
        backup = self.verified(self.instance)
        self.method = "paused"
        paused = self.verified(self.instance)
        inspect = self.docker.api.inspect_image
        configs = [inspect(row.reference)["Config"] for row in (backup, paused)]
        for key in (
            "Entrypoint",
            "Cmd",
            "User",
            "WorkingDir",
            "ExposedPorts",
            "Volumes",
        ):
            one, other = (config.get(key) or None for config in configs)
            assert one == other, key
        names = [{row.partition("=")[0] for row in config["Env"]} for config in configs]
        assert names[0] == names[1]
        assert mariadb_hot.SCRIPT not in str(inspect(backup.reference)["Config"])
