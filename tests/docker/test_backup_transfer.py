"""Backups of real databases that leave Docker as files and come back, or move on."""

import gzip
import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import SimpleTestCase
from docker.models.containers import Container

from instances import errors
from instances.containers import Access, gzip_stream
from instances.containers.docker import DockerContainerHost
from instances.models import Backup, Broker
from instances.operations import download, export, upload
from tests.docker import engine_under_test as real
from tests.docker.real_instances import ACTOR, OWNER, RealInstances
from tests.fakes import drain
from tests.fakes import transfers as archives

ROWS = set(range(25))
pytestmark = pytest.mark.timeout(400)
"""All of an image is packed, some times: minutes where many share two cores."""


class TransferOfBackups:
    """Facts; a subclass gives engine and what a stock server says of a dump."""

    engine: str

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned(self.engine)
        self.binding = self.bound("b-1")
        ledger = self.session(self.binding)
        ledger.open()
        for number in ROWS:
            ledger.add(number)
        self.backup = self.verified(self.instance)

    def downloaded(self) -> bytes:
        self.backup.refresh_from_db()
        return b"".join(download.accept(self.backup, actor=ACTOR))

    def uploaded(self, content: bytes, **said: Any) -> Backup:
        pieces = (content[at : at + 65536] for at in range(0, len(content), 65536))
        wish = upload.Wish(len(content), **said)
        return upload.receive(self.instance, wish, pieces, owner=OWNER, actor=ACTOR)

    def forgotten(self) -> None:
        """As if this were another broker, on another host."""
        self.docker.images.remove(self.backup.reference)
        Backup.objects.filter(pk=self.backup.pk).update(state="gone")

    def test_a_file_comes_back_as_a_backup_and_the_data_with_it(self):
        content = self.downloaded()
        assert self.downloaded() == content
        self.backup.refresh_from_db()
        assert self.backup.archive_bytes == len(content)
        self.forgotten()
        backup = self.uploaded(content, checksum=hashlib.sha256(content).hexdigest())
        backup.refresh_from_db()
        assert backup.state == "committed"
        assert self.proved(backup).state == "verified", backup.problem
        assert backup.pk != self.backup.pk
        self.session(self.binding).add(99)
        self.restored(backup, is_safe=False)
        assert self.session(self.binding).numbers() == ROWS

    def test_docker_itself_loads_the_file(self):
        content = self.downloaded()
        self.forgotten()
        (image,) = self.docker.images.load(content)
        assert image.id == self.backup.image_id
        assert image.tags == [self.backup.reference]

    def test_no_secret_is_in_any_file(self):
        """S18, S24, I14: the image's, the dump's, and what Docker shows meanwhile."""
        container, credentials = self.container(), self.binding.credentials
        secrets = [container.admin_secret, credentials["password"]]
        secrets += [str(key) for key in settings.ENCRYPTION_KEYS]
        plain = b"".join(gzip_stream.unpacked(iter([self.downloaded()])))
        assert credentials["username"].encode() in plain
        dumped = self.exported()
        shown = json.dumps(self.docker.api.inspect_image(self.backup.reference))
        for secret in secrets:
            assert secret.encode() not in plain
            assert secret.encode() not in dumped
            assert secret not in shown
        assert credentials["username"].encode() not in dumped

    def exported(self) -> bytes:
        dump = export.accept(self.backup, actor=ACTOR)
        content = b"".join(dump)
        assert len(content) == dump.length
        if export.file_name(self.backup).endswith(".gz"):
            content = gzip.decompress(content)
        return content

    def test_a_stock_server_loads_the_dump(self):
        content = self.exported()
        assert self.loaded(content) == ROWS
        assert not self.scratches()

    def scratches(self) -> list[str]:
        """Containers beside the instance's own."""
        rows = self.docker.containers.list(all=True, filters={"label": self.label()})
        return [row.name for row in rows if row.name != self.container().name]

    def label(self) -> str:
        return f"brokersite.broker={Broker.this().broker_id}"

    def loaded(self, dump: bytes) -> set[int]:
        """What a fresh server has of the ledger once it has got this dump."""
        raise NotImplementedError

    def fresh(self, script: str, **options: Any) -> Container:
        """A container of the image that runs this and never knew the product."""
        made = self.docker.containers.run(
            real.IMAGES[self.engine],
            entrypoint=["bash", "-c", script],
            network_mode="none",
            detach=True,
            **options,
        )
        self.addCleanup(made.remove, force=True, v=True)
        return made

    def put(self, container: Container, name: str, content: bytes) -> None:
        container.put_archive("/", archives.tar([(f"tmp/{name}", content)]))

    def run_in(self, container: Container, command: str) -> str:
        code, output = container.exec_run(["bash", "-c", command])
        assert code == 0, output
        return output.decode()


class ExportsByName:
    """Redis has no names of databases."""

    def test_an_export_that_fails_is_a_sentence_and_leaves_nothing(self):
        Backup.objects.update(database="dnotthere")
        self.backup.refresh_from_db()
        with pytest.raises(errors.ContainerFailed) as caught:
            self.exported()
        assert "dnotthere" in caught.value.detail
        assert not self.scratches()


class MariaDBTransferTest(ExportsByName, TransferOfBackups, RealInstances):
    engine = "mariadb"

    def loaded(self, dump: bytes) -> set[int]:
        server = self.fresh("mariadbd --skip-networking")
        self.put(server, "dump.sql", dump)
        client = "mariadb --no-defaults --socket=/run/mysqld/mysqld.sock"
        found = self.run_in(
            server,
            f"until {client} -e 'CREATE DATABASE d' 2>/dev/null; do sleep 0.1; done;"
            f" {client} d < /tmp/dump.sql && {client} -N d -e 'SELECT n FROM ledger'",
        )
        return {int(line) for line in found.split()}


class PostgresTransferTest(ExportsByName, TransferOfBackups, RealInstances):
    engine = "postgres"

    def loaded(self, dump: bytes) -> set[int]:
        server = self.fresh("exec postgres")
        self.put(server, "dump.sql", dump)
        client = "psql -qAtX -v ON_ERROR_STOP=1"
        found = self.run_in(
            server,
            "until createdb d 2>/dev/null; do sleep 0.1; done;"
            f" {client} -f /tmp/dump.sql d >/dev/null"
            f" && {client} -c 'SELECT n FROM ledger' d",
        )
        return {int(line) for line in found.split()}


class RedisTransferTest(TransferOfBackups, RealInstances):
    engine = "redis"

    def loaded(self, dump: bytes) -> set[int]:
        wait = "until [ -e /tmp/dump.rdb ]; do sleep 0.1; done;"
        server = self.fresh(
            f"{wait} exec redis-server --dir /tmp --port 0 --unixsocket /tmp/s"
        )
        self.put(server, "dump.rdb", dump)
        client = "redis-cli -s /tmp/s"
        found = self.run_in(
            server,
            f'until [ "$({client} PING)" = PONG ]; do sleep 0.1; done 2>/dev/null;'
            f" {client} KEYS 'ledger:*'",
        )
        return {int(line.partition(":")[2]) for line in found.split()}


class HostileFileTest(RealInstances):
    """What a file may do to a Docker host: nothing but be a backup."""

    def setUp(self) -> None:
        super().setUp()
        self.instance = self.provisioned("redis")
        self.backup = self.verified(self.instance)
        packed = b"".join(download.accept(self.backup, actor=ACTOR))
        self.content = gzip.decompress(packed)
        self.victim = f"brokersite-test-victim:{uuid.uuid4().hex}"
        self.docker.images.get(real.IMAGES["postgres"]).tag(self.victim)
        self.addCleanup(self.docker.images.remove, self.victim)

    def rebuilt(self, change: Any) -> bytes:
        with tarfile.open(fileobj=io.BytesIO(self.content)) as found:
            members = [(row.name, found.extractfile(row).read()) for row in found]
        return archives.tar([change(*member) for member in members])

    def send(self, content: bytes) -> Backup:
        wish = upload.Wish(len(content))
        return upload.receive(
            self.instance, wish, iter([content]), owner=OWNER, actor=ACTOR
        )

    def test_it_takes_no_other_image_s_name(self):
        before = self.docker.images.get(self.victim).id

        def change(name: str, content: bytes) -> tuple[str, bytes]:
            if name == "manifest.json":
                (entry,) = json.loads(content)
                content = json.dumps([{**entry, "RepoTags": [self.victim]}]).encode()
            return name, content

        hostile = self.rebuilt(change)
        backup = self.send(hostile)
        assert self.docker.images.get(self.victim).id == before
        tags = self.docker.images.get(backup.reference).tags
        assert tags == [backup.reference]
        assert self.proved(backup).state == "verified"

    def test_what_is_cut_off_or_damaged_leaves_nothing_on_the_host(self):
        images = {row.id for row in self.docker.images.list(all=True)}
        damaged = bytearray(self.content)
        damaged[len(damaged) // 2] ^= 1
        for content in (self.content[: len(self.content) // 2], bytes(damaged)):
            with pytest.raises(errors.ArchiveRefused):
                self.send(content)
        drain()
        references = {tag for row in self.docker.images.list() for tag in row.tags}
        mine = Backup.objects.filter(trigger="upload")
        assert mine.count() == 2
        assert not {row.reference for row in mine} & references
        assert {row.id for row in self.docker.images.list(all=True)} >= images


class SaveTest(SimpleTestCase):
    def setUp(self) -> None:
        self.host = DockerContainerHost(Access(real.url()))

    def test_an_image_that_is_not_there(self):
        with pytest.raises(errors.ImageMissing):
            next(self.host.save_image("brokersite/backup:nothing"))

    def test_a_host_that_is_not_there(self):
        host = DockerContainerHost(Access("unix:///no/such.sock"), timeout_s=2)
        with pytest.raises(errors.HostUnreachable):
            next(host.save_image("brokersite/backup:nothing"))
        with pytest.raises(errors.HostUnreachable):
            host.load_image(iter([b"x"]))

    def test_docker_s_own_refusal(self):
        with pytest.raises(errors.ArchiveRefused):
            self.host.load_image(iter([archives.tar([("x", b"y")])]))

    def test_who_stops_sending_loads_nothing(self):
        def pieces() -> Iterator[bytes]:
            yield archives.tar([("x", b"y")])[:700]
            raise errors.ArchiveRefused("no more")

        with pytest.raises(errors.ArchiveRefused, match="no more"):
            self.host.load_image(pieces())

    def test_layers_that_it_has(self):
        layers = self.host.layers(real.IMAGES["redis"])
        assert len(layers) > 2
        assert self.host.count_known(layers) == len(layers)
        other = (*layers[:2], "sha256:" + "0" * 64)
        assert self.host.count_known(other) == 2
        assert self.host.count_known(()) == 0
        assert self.host.layers("brokersite/backup:nothing") == ()
