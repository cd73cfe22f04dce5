"""What every engine's image does, said once: facts about real containers."""

import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from django.test import SimpleTestCase

from instances import errors
from instances.containers import Access, ContainerSpec
from instances.containers.docker import DockerContainerHost
from instances.engines import Endpoint, User, new_secret
from tests.docker import engine_under_test as real
from tests.docker.engine_contract import SECRET, EngineContract
from tests.fakes import Refused


class RealEngineContract(EngineContract, SimpleTestCase):
    """Facts; a subclass gives new_session(), parameters_of() and rotate() too."""

    __test__ = False
    OTHERS: dict[str, Any]
    """Values that differ from PARAMETERS and from the defaults."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.addClassCleanup(real.remove_all)
        cls.docker = real.client()
        cls.host = DockerContainerHost(Access(real.url()))
        cls.spec = real.spec_of(cls.engine, SECRET)
        cls.endpoint = cls.start(cls.spec)

    @classmethod
    def start(cls, spec: ContainerSpec) -> Endpoint:
        cls.host.create(spec)
        cls.host.start(spec.name)
        endpoint = Endpoint(real.ADDRESS, spec.publish_port, SECRET)
        real.wait_for(cls.engine, endpoint)
        return endpoint

    def new_session(
        self, endpoint: Endpoint, username: str, password: str, database: str
    ) -> Any:
        raise NotImplementedError

    def parameters_of(self, user: User) -> dict[str, Any]:
        """What the server says of its parameters now."""
        raise NotImplementedError

    def rotate(self, secret: str) -> None:
        """Give the administrator another secret, over the network."""
        raise NotImplementedError

    def log_in(self, *, username: str, password: str, database: str) -> Any:
        session = self.new_session(self.endpoint, username, password, database)
        self.addCleanup(session.close)
        return session

    def restart(self, *, kill: bool = False) -> None:
        container = self.docker.containers.get(self.spec.name)
        container.kill() if kill else container.stop(timeout=10)
        container.start()
        real.wait_for(self.engine, self.endpoint)

    def committed(self) -> str:
        """An image of the container as it is, as a backup makes it."""
        container = self.docker.containers.get(self.spec.name)
        image = container.commit(pause=True)
        self.addCleanup(self.docker.images.remove, image.id, force=True)
        return str(image.id)

    def test_a_user_survives_a_restart_and_a_kill(self):
        """F77: bind, kill -9, log in."""
        user = self.created()
        self.session(user).write(user.database)
        time.sleep(1.2)  # Redis may lose a second
        for kill in (False, True):
            self.restart(kill=kill)
            assert self.session(user).count(user.database) >= 1
            self.session(user).write(user.database)

    def test_a_dropped_user_stays_dropped_after_a_kill(self):
        user = self.created()
        self.engine.drop_user(self.endpoint, user.name)
        self.restart(kill=True)
        assert user.name not in self.engine.users(self.endpoint)

    def test_parameters_take_effect_and_survive_a_restart(self):
        user = self.created()
        wanted = self.PARAMETERS
        if self.engine.update_database(self.endpoint, user.database, wanted):
            self.restart()
        assert self.parameters_of(user) == wanted
        self.restart(kill=True)
        assert self.parameters_of(user) == wanted
        assert not self.engine.update_database(self.endpoint, user.database, wanted)

    def test_an_update_can_be_undone_however_often(self):
        """What was never given a value gets its former one again."""
        user = self.user()
        self.engine.create_user(self.endpoint, user)
        name, before = user.database, self.parameters_of(user)
        wanted = {**self.PARAMETERS, **self.OTHERS}
        former = self.engine.former_settings(self.endpoint, name, wanted)
        assert json.loads(json.dumps(former)) == former
        if self.engine.update_database(self.endpoint, name, wanted):
            self.restart()
        assert self.parameters_of(user) != before
        for _ in range(2):
            if self.engine.restore_settings(self.endpoint, name, former):
                self.restart()
            assert self.parameters_of(user) == before
        self.restart(kill=True)
        assert self.parameters_of(user) == before

    def test_a_backup_carries_parameters_and_lets_only_the_new_secret_in(self):
        """S18, F98: what opened the database then opens no restored backup."""
        user = self.created()
        wanted = self.PARAMETERS
        if self.engine.update_database(self.endpoint, user.database, wanted):
            self.restart()
        secret, image = new_secret(), self.committed()
        spec = real.spec_of(self.engine, secret, image=image)
        self.addCleanup(self.host.remove, spec.name)
        self.host.create(spec)
        self.host.start(spec.name)
        restored = Endpoint(real.ADDRESS, spec.publish_port, secret)
        old = replace(restored, admin_secret=SECRET)
        let_in = []
        while True:
            try:
                self.engine.check(old)
                let_in.append("administrator")
            except errors.EngineUnreachable:
                pass
            try:
                names = user.name, user.password, user.database
                self.new_session(restored, *names).close()
                let_in.append("user")
            except Refused:
                pass
            try:
                self.engine.check(restored)
                break
            except errors.EngineUnreachable:
                continue
        with pytest.raises(errors.EngineUnreachable):
            self.engine.check(old)
        with pytest.raises(Refused):
            self.new_session(restored, user.name, user.password, user.database)
        assert not let_in
        self.endpoint = restored
        self.engine.create_user(restored, user)
        self.session(user).write(user.database)
        assert self.parameters_of(user) == wanted

    def test_another_container_takes_the_data_over(self):
        """What an upgrade does: users, parameters, rows and port stay as they are."""
        user = self.created()
        self.session(user).write(user.database)
        rows = self.session(user).count(user.database)
        engine, wanted = self.engine, self.PARAMETERS
        engine.update_database(self.endpoint, user.database, wanted)
        self.host.stop(self.spec.name, limit_s=20)
        names = {"name": f"{self.spec.name}-2", "publish_port": real.next_port()}
        successor = replace(self.spec, **names)
        self.addCleanup(self.host.remove, successor.name)
        self.host.create(successor)
        chunks = self.host.read_archive(self.spec.name, engine.data_path)
        self.host.write_archive(successor.name, engine.incoming_path, chunks)
        self.host.start(successor.name)
        former = self.endpoint
        self.endpoint = replace(former, port=successor.publish_port)
        real.wait_for(engine, self.endpoint)
        try:
            assert self.session(user).count(user.database) == rows
            self.session(user).write(user.database)
            assert self.parameters_of(user) == wanted
        finally:
            self.endpoint = former
            self.host.start(self.spec.name)
            real.wait_for(engine, former)

    def test_a_rotated_secret_outlives_a_restart(self):
        secret = new_secret()
        rotated = replace(self.endpoint, admin_secret=secret)
        self.rotate(secret)
        try:
            self.docker.containers.get(self.spec.name).restart(timeout=10)
            real.wait_for(self.engine, rotated)
            with pytest.raises(errors.EngineUnreachable):
                self.engine.check(self.endpoint)
        finally:
            self.endpoint = rotated
            self.rotate(SECRET)

    def test_nobody_gets_in_before_the_verifier_is_applied(self):
        """S13, S14: a tight loop of logins from before the start until it is ready."""
        spec = real.spec_of(self.engine, SECRET)
        self.host.create(spec)
        endpoint = Endpoint(real.ADDRESS, spec.publish_port, SECRET)
        let_in, tries, is_ready = [], [], threading.Event()
        names = ["brokersite", "root", "postgres", "default", ""]

        def knock() -> None:
            while not is_ready.is_set():
                for name in names:
                    tries.append(name)
                    try:
                        self.new_session(endpoint, name, "", self.MAINTENANCE).close()
                        let_in.append(name)
                    except Refused:
                        pass

        thread = threading.Thread(target=knock)
        thread.start()
        try:
            self.host.start(spec.name)
            real.wait_for(self.engine, endpoint)
            time.sleep(0.2)
        finally:
            is_ready.set()
            thread.join()
        assert len(tries) > 10
        assert not let_in

    def test_no_secret_is_in_anything_that_docker_shows(self):
        """S18, I14."""
        user = self.created()
        self.session(user).write(user.database)
        seen = json.dumps(self.docker.api.inspect_container(self.spec.name))
        log = self.docker.api.logs(self.spec.name).decode(errors="replace")
        for secret in (SECRET, user.password):
            assert secret not in seen
            assert secret not in log

    def test_a_wrong_verifier_is_a_sentence_and_exit_code_64(self):
        for value in ("", "not a verifier", SECRET):
            names = self.engine.environment(SECRET)
            spec = replace(
                real.spec_of(self.engine, SECRET),
                environment=dict.fromkeys(names, value),
            )
            self.host.create(spec)
            self.host.start(spec.name)
            deadline = time.monotonic() + 20
            while (status := self.host.find(spec.name)) and status.exit_code != 64:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            log = self.host.logs(spec.name, lines=5)
            assert f"{next(iter(names))} must be" in log
            assert SECRET not in log
            self.host.remove(spec.name)

    def test_it_stops_in_time_with_clients_connected(self):
        """Docker kills what has not ended after ten seconds."""
        user = self.created()
        session = self.session(user)
        container = self.docker.containers.get(self.spec.name)
        started_at = time.monotonic()
        container.stop(timeout=10)
        took = time.monotonic() - started_at
        container.start()
        real.wait_for(self.engine, self.endpoint)
        assert took < 5
        with pytest.raises(Refused):
            session.write(user.database)

    def test_its_data_path_has_no_volume(self):
        """F85: a commit leaves volumes out."""
        config = self.docker.api.inspect_image(self.spec.image)["Config"]
        assert config["Labels"]["brokersite.data-path"].startswith("/var/lib/")
        assert not config.get("Volumes")
        assert not config.get("Healthcheck")
