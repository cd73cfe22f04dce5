"""What every engine's image does with a backup: facts about real containers."""

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from docker.models.containers import Container

from instances import errors
from instances.containers import BROKER_LABEL
from instances.engines import Endpoint, User, new_secret
from instances.engines.base import read_inventory
from tests.docker import engine_under_test as real
from tests.docker.backup_contract import FIRST, SECOND, BackupContract
from tests.docker.engine_contract import SECRET
from tests.docker.real_engine import RealEngineContract
from tests.fakes import Refused

PROOF_LIMIT_S = 60


class RealBackupContract(BackupContract, RealEngineContract):
    """Facts; a subclass gives damaged_files() and LONG too."""

    __test__ = False
    LONG: str
    """What goes into PROVE to keep the server busy for a minute."""

    def damaged_files(self, user: User) -> list[str]:
        """Files in the data path that no server should start or count without."""
        raise NotImplementedError

    def proving(self, image: str, proof: str) -> Container:
        """The container of a proof, not started."""
        secret = new_secret()
        made = self.docker.containers.create(
            image,
            environment={**self.engine.environment(secret), "PROVE": proof},
            network_mode="none",
            mem_limit="256m",
            labels={BROKER_LABEL: real.BROKER_ID},
        )
        self.addCleanup(made.remove, force=True, v=True)
        return made

    def outcome(self, container: Container) -> tuple[int, str]:
        """Its exit code and its log."""
        container.start()
        code = container.wait(timeout=PROOF_LIMIT_S)["StatusCode"]
        return int(code), container.logs().decode(errors="replace")

    def proved(self, image: str, database: str, witness: str) -> dict[str, int]:
        proof = self.engine.proof(database, witness)
        code, log = self.outcome(self.proving(image, proof))
        assert code == 0, log
        return read_inventory(log)

    @contextmanager
    def writers(self, user: User) -> Iterator[None]:
        """Write in a tight loop meanwhile."""
        is_over = threading.Event()
        sessions = [self.session(user) for _ in range(2)]

        def write(session: Any) -> None:
            while not is_over.is_set():
                session.write(user.database)

        threads = [threading.Thread(target=write, args=(row,)) for row in sessions]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            for thread in threads:
                thread.join()

    def test_a_backup_that_was_taken_under_writes_is_proved(self):
        """F87."""
        user = self.created()
        self.session(user).write(user.database)
        for witness in (FIRST, SECOND):
            with self.writers(user):
                self.leave(witness)
                expected = self.counts(user.database, witness)
                image = self.committed()
            assert expected["witness"] == 1
            assert self.proved(image, user.database, witness) == expected

    def test_a_backup_from_before_the_witness_is_not_proved(self):
        user = self.created()
        self.leave(FIRST)
        image = self.committed()
        self.leave(SECOND)
        assert self.proved(image, user.database, SECOND)["witness"] == 0

    def test_a_backup_without_the_data_is_not_proved(self):
        """F85: its data was in a volume, and a commit leaves that out."""
        path = self.engine.data_path
        container = self.docker.containers.create(
            self.spec.image,
            environment=self.engine.environment(SECRET),
            ports={f"{self.engine.port}/tcp": (real.ADDRESS, real.next_port())},
            mounts=[{"Type": "volume", "Source": None, "Target": path}],
            labels={BROKER_LABEL: real.BROKER_ID},
        )
        container.start()
        bound = container.attrs["HostConfig"]["PortBindings"]
        port = int(bound[f"{self.engine.port}/tcp"][0]["HostPort"])
        endpoint = Endpoint(real.ADDRESS, port, SECRET)
        real.wait_for(self.engine, endpoint)
        self.engine.leave_witness(endpoint, "d1", FIRST)
        image = container.commit(pause=True)
        self.addCleanup(self.docker.images.remove, image.id, force=True)
        code, log = self.outcome(self.proving(image.id, self.engine.proof("d1", FIRST)))
        assert code or read_inventory(log)["witness"] == 0

    def test_damaged_data_is_not_proved(self):
        user = self.created()
        self.session(user).write(user.database)
        self.restart()  # else its log would repair some
        self.leave(FIRST)
        expected = self.counts(user.database)
        image = self.committed()
        proof = self.engine.proof(user.database, FIRST)
        for name in self.damaged_files(user):
            container = self.proving(image, proof)
            folder, _, file = f"{self.engine.data_path}/{name}".rpartition("/")
            container.put_archive(folder, _archive(file, b"damaged" * 1000))
            code, log = self.outcome(container)
            if code:
                with pytest.raises(errors.ContainerFailed):
                    read_inventory(log)
            else:
                assert read_inventory(log) != expected, name
        assert self.proved(image, user.database, FIRST) == expected

    def test_a_statement_that_fails_is_a_sentence_and_another_exit_code(self):
        code, log = self.outcome(self.proving(self.spec.image, "NONSENSE"))
        assert code == 1
        assert "could not count" in log
        with pytest.raises(errors.ContainerFailed):
            read_inventory(log)

    def test_a_proof_ends_when_it_is_told_to(self):
        """137 would be Docker's kill, after ten seconds."""
        container = self.proving(self.spec.image, f"{self.LONG}\n")
        container.start()
        while not self.is_listening(container):
            pass
        container.stop(timeout=10)
        assert container.wait(timeout=1)["StatusCode"] == 143

    def is_listening(self, container: Container) -> bool:
        """Whether the client of LONG runs."""
        rows = container.top()["Processes"]
        return any(self.CLIENT in " ".join(row) for row in rows)

    def test_a_proof_has_no_network_and_shows_no_secret(self):
        """S18."""
        user = self.created()
        self.session(user).write(user.database)
        self.leave(FIRST)
        proof = self.engine.proof(user.database, FIRST)
        container = self.proving(self.committed(), proof)
        code, log = self.outcome(container)
        assert code == 0
        printed = container.logs(stderr=False).decode().splitlines()
        assert all(line.startswith("inventory ") for line in printed)
        assert printed[-1] == "inventory complete"
        seen = self.docker.api.inspect_container(container.id)
        assert seen["HostConfig"]["NetworkMode"] == "none"
        assert not any(seen["NetworkSettings"]["Ports"].values())
        for secret in (SECRET, user.password):
            assert secret not in json.dumps(seen) + log

    def test_a_restored_database_ends_without_a_witness(self):
        database = self.user().database
        self.leave(FIRST)
        spec = real.spec_of(self.engine, SECRET, image=self.committed())
        self.addCleanup(self.host.remove, spec.name)
        restored = self.start(spec)
        assert self.engine.inventory(restored, database, FIRST)["witness"] == 1
        self.engine.remove_witness(restored, database, FIRST)
        assert self.engine.inventory(restored, database, FIRST)["witness"] == 0

    def test_a_former_binding_stays_out_after_a_crash_at_any_moment(self):
        """F98, F99, I5: unbound since the backup must never work again."""
        user = self.created()
        self.session(user).write(user.database)
        image = self.committed()
        for pause_s in (0.0, 0.1, 0.3):
            secret = new_secret()
            spec = real.spec_of(self.engine, secret, image=image)
            self.host.create(spec)
            self.host.start(spec.name)
            threading.Event().wait(pause_s)
            self.docker.containers.get(spec.name).kill()
            self.host.start(spec.name)
            restored = Endpoint(real.ADDRESS, spec.publish_port, secret)
            real.wait_for(self.engine, restored)
            with pytest.raises(Refused):
                self.new_session(restored, user.name, user.password, user.database)
            with pytest.raises(errors.EngineUnreachable):
                self.engine.check(replace(restored, admin_secret=SECRET))
            self.engine.drop_user(restored, user.name)
            assert user.name not in self.engine.users(restored)
            self.host.remove(spec.name)


def _archive(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size, member.uid, member.gid = len(content), 999, 999
        member.mode = 0o600
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
