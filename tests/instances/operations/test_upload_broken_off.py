"""Uploads that end half way: whoever ends them, nothing is left."""

from collections.abc import Iterator

import pytest

from instances import errors
from instances.models import Backup
from instances.operations import retention, upload
from instances.operations.execution import run
from tests.fakes import AFTER, BEFORE, WORKER, Crash, claim, drain, expire_leases
from tests.instances.base import ACTOR
from tests.instances.operations.test_upload import OWNER, UploadTestCase


class BrokenOff(UploadTestCase):
    def test_the_browser_goes_away(self):
        def pieces() -> Iterator[bytes]:
            yield self.content[:2000]
            raise errors.ArchiveRefused("The upload was broken off.")

        with pytest.raises(errors.ArchiveRefused):
            self.receive_pieces(pieces())
        self.assert_nothing_came_in()

    def test_a_bug_is_no_running_operation(self):
        with pytest.raises(ZeroDivisionError):
            self.receive_pieces(1 // 0 for _ in range(1))
        self.assert_nothing_came_in()

    def test_the_process_dies_before_and_after_docker_has_it(self):
        """F89: a worker ends what nobody brings any more, and nothing is left."""
        for moment in (BEFORE, AFTER):
            self.faults.on("load_image", Crash(), moment=moment)
            with pytest.raises(Crash):
                self.receive()
            expire_leases()
            drain()
            retention.sweep()
        self.assert_nothing_came_in(2)

    def test_a_worker_only_ends_it(self):
        operation = upload.accept(self.instance, self.wish(), owner=OWNER, actor=ACTOR)
        expire_leases()
        run(claim(operation, WORKER))
        operation.refresh_from_db()
        assert operation.state == "failed"
        assert "broken off" in operation.error
        self.assert_nothing_came_in()

    def test_a_deprovision_ends_it(self):
        def pieces() -> Iterator[bytes]:
            yield self.content[:50]
            self.accept_deprovision(self.instance)
            yield self.content[50:]

        with pytest.raises(errors.LeaseLost):
            self.receive_pieces(pieces())
        drain()
        retention.sweep()
        assert Backup.objects.get().state == "failed"
        assert self.world.machine.backups == {}

    def test_a_host_that_goes_away(self):
        self.faults.on("load_image", errors.HostUnreachable(detail="gone"))
        with pytest.raises(errors.HostUnreachable):
            self.receive()
        self.assert_nothing_came_in()
