"""An image that no engine knows: memcached, with the settings of its example."""

import json
import socket
import time
from dataclasses import replace
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import SimpleTestCase

from instances import errors
from instances.containers import Access, ContainerSpec
from instances.containers.docker import DockerContainerHost
from instances.engines import Endpoint, User
from instances.engines.generic import ENGINE
from tests.docker import engine_under_test as real
from tests.docker.memcached_session import MemcachedSession
from tests.fakes import Refused

SECRET = "canary-of-the-container"
EXAMPLE = settings.BASE_DIR / "images" / "memcached" / "catalog.yml"
USER = User("u1", "of a binding", "d1", 1)


def example() -> dict[str, Any]:
    (offering,) = yaml.safe_load(EXAMPLE.read_text())["offerings"]
    return dict(offering["plans"][0]["settings"])


class MemcachedTest(SimpleTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.addClassCleanup(real.remove_all)
        cls.docker = real.client()
        cls.host = DockerContainerHost(Access(real.url()))
        cls.spec, cls.endpoint = cls.described(example())
        cls.host.create(cls.spec)
        cls.host.start(cls.spec.name)
        real.wait_for(ENGINE, cls.endpoint)

    @classmethod
    def described(cls, wanted: dict[str, Any]) -> tuple[ContainerSpec, Endpoint]:
        """A container to be, as operations.hosts makes it from a row."""
        spec = real.spec_of(ENGINE, SECRET)
        endpoint = Endpoint(real.ADDRESS, spec.publish_port, SECRET, wanted)
        startup = ENGINE.startup(endpoint)
        made = replace(
            spec,
            port=startup.port,
            environment=startup.environment,
            command=startup.command,
            memory_mb=64,
            pids=50,
        )
        return made, endpoint

    def session(self, **changes: str) -> MemcachedSession:
        credentials = ENGINE.credentials(self.endpoint, USER)
        session = MemcachedSession({**credentials, **changes})
        self.addCleanup(session.close)
        return session

    def test_the_credentials_set_and_get(self):
        assert self.session().set("key", "value") == "STORED"
        assert self.session().get("key") == "value"

    def test_no_others_do(self):
        for changes in ({"password": "0" * 48}, {"username": "root"}):
            with pytest.raises(Refused):
                self.session(**changes)

    def test_the_command_is_the_images_own_with_the_plans_arguments(self):
        assert self.session().limit_mb() == 48

    def test_a_restart_keeps_the_credentials(self):
        self.host.restart(self.spec.name)
        real.wait_for(ENGINE, self.endpoint)
        assert self.session().get("nothing") is None

    def test_it_is_ready_when_it_takes_commands_and_not_before(self):
        """FACTS §2: docker-proxy accepts from the start."""
        spec, endpoint = self.described(example())
        self.host.create(spec)
        self.host.start(spec.name)
        real.wait_for(ENGINE, endpoint)
        session = MemcachedSession(ENGINE.credentials(endpoint, USER))
        assert session.set("key", "value") == "STORED"
        session.close()

    def test_a_port_on_which_nothing_listens_is_never_ready(self):
        """docker-proxy takes the connection all the same, and closes it."""
        spec, endpoint = self.described({**example(), "port": 11212})
        self.host.create(spec)
        self.host.start(spec.name)
        with socket.create_connection((endpoint.host, endpoint.port), timeout=5):
            pass
        for _ in range(5):
            with pytest.raises(errors.EngineUnreachable):
                ENGINE.check(endpoint)

    def test_a_server_that_speaks_no_http_is_not_ready_over_http(self):
        wanted = {**example(), "readiness": "http"}
        with pytest.raises(errors.EngineUnreachable):
            ENGINE.check(replace(self.endpoint, settings=wanted))

    def test_it_is_confined_like_every_other(self):
        """S9, S11, S12."""
        seen = self.docker.api.inspect_container(self.spec.name)
        config = seen["HostConfig"]
        assert (config["CapDrop"], config["CapAdd"]) == (["ALL"], None)
        assert config["SecurityOpt"] == ["no-new-privileges"]
        assert (config["Memory"], config["PidsLimit"]) == (64 * 2**20, 50)
        assert list(seen["NetworkSettings"]["Networks"]) == ["brokersite"]
        assert not seen["Mounts"]

    def test_docker_shows_what_the_template_says_and_never_the_secret_behind_it(self):
        """S18: the console warns of the one."""
        shown = json.dumps(self.docker.api.inspect_container(self.spec.name))
        assert ENGINE.credentials(self.endpoint, USER)["password"] in shown
        assert SECRET not in shown

    def test_the_image_runs_as_its_own_user_and_has_no_volume(self):
        config = self.docker.api.inspect_image(self.spec.image)["Config"]
        assert config["User"] == "memcached"
        assert not config.get("Volumes") and not config.get("Healthcheck")

    def test_a_wrong_user_or_password_is_a_sentence_and_exit_code_64(self):
        for value in ("", "two words", "a:b"):
            changed = {**example(), "environment": {"MEMCACHED_USERNAME": value}}
            spec, _ = self.described(changed)
            self.host.create(spec)
            self.host.start(spec.name)
            deadline = time.monotonic() + 20
            while (status := self.host.find(spec.name)) and status.exit_code != 64:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            log = self.host.logs(spec.name, lines=5)
            assert "MEMCACHED_USERNAME must be" in log
            self.host.remove(spec.name)
