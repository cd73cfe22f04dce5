"""The fake engine against the facts that hold for every engine.

The real ones do the same in test_mariadb, test_postgres and test_redis.
"""

from django.test import SimpleTestCase

from instances.containers import Access
from instances.engines import Endpoint
from tests.docker import engine_under_test as real
from tests.docker.backup_contract import BackupContract
from tests.docker.engine_contract import SECRET, Session
from tests.fakes import World
from tests.fakes.world import URL


class FakeEngineTest(BackupContract, SimpleTestCase):
    databases = {"default"}
    PARAMETERS = {"max_connections": 42}

    def setUp(self) -> None:
        super().setUp()
        world = World()
        self.engine = world.engine
        spec = real.spec_of(self.engine, SECRET)
        host = world.connect(Access(URL))
        host.create(spec)
        host.start(spec.name)
        self.endpoint = Endpoint(spec.publish_address, spec.publish_port, SECRET)

    def log_in(self, *, username: str, password: str, database: str) -> Session:
        host, port = self.endpoint.host, self.endpoint.port
        return self.engine.log_in(host, port, username=username, password=password)
