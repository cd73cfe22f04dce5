"""Backups of real databases that are written into, proved, and restored in place."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings

from instances.models import Backup, ServiceBinding
from tests.docker.real_instances import RealInstances
from tests.fakes import Refused

BACKUPS = 3
ROUNDS = int(os.environ.get("BACKUP_ROUNDS", "2"))
"""Backups with a restore after each: BACKUP_ROUNDS=20 takes a quarter of an hour."""
WRITE_LIMIT_S = 10.0


class Writing:
    """An app that writes numbers down, and what was acknowledged of that."""

    acknowledged: list[int]

    @contextmanager
    def writing(self, binding: ServiceBinding) -> Iterator[None]:
        """Number after number meanwhile; each is noted once it is acknowledged."""
        is_over = threading.Event()
        ledger = self.session(binding)
        ledger.open()

        def write() -> None:
            while not is_over.is_set():
                number = len(self.acknowledged)
                ledger.add(number)
                self.acknowledged.append(number)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


class LifeOfBackups(Writing):
    """Facts; a subclass gives engine."""

    engine: str

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned(self.engine)
        self.binding = self.bound("b-1")
        self.acknowledged: list[int] = []

    def test_what_was_acknowledged_before_a_backup_is_in_it(self):
        """I4, I5, I12, F98."""
        unbound, port = self.bound("b-unbound"), self.container().port
        taken: list[tuple[Backup, int, int]] = []
        with self.writing(self.binding):
            for _ in range(BACKUPS):
                before = len(self.acknowledged)
                backup = self.verified(self.instance)
                taken.append((backup, before, len(self.acknowledged)))
        since = self.bound("b-since")
        self.unbound("b-unbound")
        backup, before, after = taken[1]
        assert 0 < before < after < len(self.acknowledged)

        self.restored(backup, is_safe=True)
        found = self.session(self.binding).numbers()
        # One may be under way when the backup ends.
        assert set(range(before)) <= found <= set(range(after + 1))
        self.look_at_logins(port, since, unbound)

        safety = self.instance.backups.get(trigger="restore")
        assert self.proved(safety).state == "verified"
        self.restored(safety, is_safe=False)
        found = self.session(self.binding).numbers()
        assert found >= set(self.acknowledged)
        self.look_at_logins(port, since, unbound)

    def test_backup_and_restore_in_turn(self):
        """I4, I12, F98: each restore begins with what the last one brought back."""
        for _ in range(ROUNDS):
            before = len(self.acknowledged)
            with self.writing(self.binding):
                self.wait_for_more_than(before)
                begun = len(self.acknowledged)
                backup = self.verified(self.instance)
                ended = len(self.acknowledged)
            assert before < begun < ended
            self.restored(backup, is_safe=False)
            found = self.session(self.binding).numbers()
            assert set(range(begun)) <= found <= set(range(ended + 1))
            self.acknowledged = sorted(found)
        states = set(self.instance.backups.values_list("state", flat=True))
        assert states == {Backup.State.VERIFIED}

    def wait_for_more_than(self, number: int) -> None:
        """Raise AssertionError if the app writes nothing."""
        deadline = time.monotonic() + WRITE_LIMIT_S
        while len(self.acknowledged) <= number:
            assert time.monotonic() < deadline, "no write was acknowledged"
            time.sleep(0.01)

    def look_at_logins(
        self, port: int, since: ServiceBinding, unbound: ServiceBinding
    ) -> None:
        """Today's credentials work, and those of another day do not."""
        container = self.container()
        assert container.port == port
        assert container.image == container.plan.image
        for binding in (self.binding, since):
            self.session(binding).add(len(self.acknowledged))
        with pytest.raises(Refused):
            self.session(unbound)

    def test_no_secret_is_in_a_backup(self):
        """F93, S18, S24, I14."""
        ledger = self.session(self.binding)
        ledger.open()
        ledger.add(4711)
        backup = self.verified(self.instance)
        container, credentials = self.container(), self.binding.credentials
        secrets = [container.admin_secret, credentials["password"]]
        secrets += [str(key) for key in settings.ENCRYPTION_KEYS]
        api = self.docker.api
        shown = json.dumps(api.inspect_container(container.name))
        shown += json.dumps(api.inspect_image(backup.reference))
        shown += json.dumps(api.history(backup.reference))
        shown += api.logs(container.name).decode(errors="replace")
        saved = self.found_in_image(backup, [*secrets, credentials["username"]])
        assert saved == {credentials["username"]}
        assert not [secret for secret in secrets if secret in shown]

    def found_in_image(self, backup: Backup, needles: list[str]) -> set[str]:
        """Which of them are anywhere in what `docker save` writes."""
        overlap, found, tail = max(map(len, needles)), set(), b""
        for chunk in self.docker.api.get_image(backup.reference, chunk_size=2**20):
            window = tail + chunk
            found |= {needle for needle in needles if needle.encode() in window}
            tail = window[-overlap:]
        return found


class MariaDBLifeTest(LifeOfBackups, RealInstances):
    engine = "mariadb"


class MariaDBHotLifeTest(MariaDBLifeTest):
    method = "hot"


class PostgresLifeTest(LifeOfBackups, RealInstances):
    engine = "postgres"


class PostgresHotLifeTest(PostgresLifeTest):
    method = "hot"


class RedisLifeTest(LifeOfBackups, RealInstances):
    engine = "redis"


class RedisHotLifeTest(RedisLifeTest):
    method = "hot"
