"""Images without the data: never taken, or never verified."""

import io
import uuid
from typing import Any
from unittest import mock

from instances.containers import Access
from instances.containers.docker import DockerContainerHost
from instances.engines import get_engine
from instances.models import Backup, ServiceInstance
from instances.operations import back_up
from instances.operations.retention import sweep
from tests.docker import engine_under_test as real
from tests.docker.real_instances import RealInstances


class WithoutData:
    """Facts; a subclass gives engine."""

    engine: str

    def written(self, *, image: str = "") -> ServiceInstance:
        instance = self.provisioned(self.engine, image=image)
        ledger = self.session(self.bound("b-1"))
        ledger.open()
        ledger.add(1)
        return instance

    def with_volume(self, path: str) -> str:
        """The engine's image with a VOLUME, as most public ones have."""
        tag = f"brokersite-test-volume:{uuid.uuid4().hex}"
        recipe = f"FROM {real.IMAGES[self.engine]}\nVOLUME {path}\n".encode()
        self.docker.images.build(fileobj=io.BytesIO(recipe), tag=tag, rm=True)
        self.addCleanup(real.remove_image, tag)
        return tag

    def refuted(self, backup: Backup) -> None:
        """Never verified, and its image is not kept."""
        assert backup.state == "committed"
        self.proved(backup)
        assert (backup.state, backup.proofs) == ("failed", 3) and backup.problem
        sweep()
        assert (
            DockerContainerHost(Access(real.url())).images.find(backup.reference)
            is None
        )

    def fresh(self) -> str:
        """Another database of the same image, which has nothing in it."""
        spec = real.spec_of(get_engine(self.engine), "an admin secret")
        host = DockerContainerHost(Access(real.url()))
        self.addCleanup(host.remove, spec.name)
        host.create(spec)
        host.start(spec.name)
        return spec.name

    def test_a_commit_of_a_fresh_database_is_refuted(self):
        """I12: it starts, and has nothing in it."""
        instance = self.written()
        commit, other = DockerContainerHost.commit, self.fresh()

        def commit_other(host: Any, name: str, *args: Any, **options: Any) -> None:
            commit(host, other, *args, **options)

        with mock.patch.object(DockerContainerHost, "commit", commit_other):
            self.refuted(self.backed_up(instance))

    def test_data_in_a_volume_is_refused_and_would_be_refuted(self):
        """F85."""
        path = get_engine(self.engine).data_path
        instance = self.written(image=self.with_volume(path))
        refused = self.backed_up(instance)
        assert refused.state == "failed" and path in refused.problem
        with mock.patch.object(back_up, "_refuse_mounts"):
            self.refuted(self.backed_up(instance))


class MariaDBTest(WithoutData, RealInstances):
    engine = "mariadb"


class PostgresTest(WithoutData, RealInstances):
    engine = "postgres"


class RedisTest(WithoutData, RealInstances):
    engine = "redis"

    def test_a_volume_beside_the_data_is_no_obstacle(self):
        """An image whose data was moved away from the VOLUME of its base."""
        instance = self.written(image=self.with_volume("/var/lib/elsewhere"))
        assert self.verified(instance).inventory["found"]["witness"] == 1
