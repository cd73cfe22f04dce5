"""kill -9 of a process that writes: what it was told is there, and nothing is torn."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection

import pytest
from django.db import connection, connections, transaction
from django.test import TransactionTestCase

from instances.models import Container, PortLease
from tests.fakes import make_host, make_plan

ROUNDS = 20
FEW = 5
"""Writes that are acknowledged before the process is killed in one of the next."""


def write_for_ever(host_id: int, plan_id: str, told: Connection) -> None:
    while True:
        with transaction.atomic():
            container = Container.objects.create(
                host_id=host_id, plan_id=plan_id, image="i", memory_mb=1, cpus=1, pids=1
            )
            taken = PortLease.objects.filter(host_id=host_id).count()
            PortLease.objects.create(
                host_id=host_id, number=20000 + taken, container=container
            )
        told.send(container.pk)


class KilledTest(TransactionTestCase):
    @pytest.mark.timeout(300)
    def test_what_was_acknowledged_is_there(self):
        """F115: both rows of it or neither, in twenty rounds."""
        given = make_host().pk, make_plan().pk
        acknowledged = set()
        for _ in range(ROUNDS):
            acknowledged |= self.killed(*given)
        rows = set(Container.objects.values_list("pk", flat=True))
        assert acknowledged <= rows
        assert rows == set(PortLease.objects.values_list("container", flat=True))
        # At most the one whose answer was cut off is there as well.
        assert len(rows - acknowledged) <= ROUNDS
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA integrity_check")
                assert cursor.fetchall() == [("ok",)]

    def killed(self, host_id: int, plan_id: str) -> set[object]:
        connections.close_all()  # a line that two processes use is of no use to either
        context = multiprocessing.get_context("fork")
        hears, told = context.Pipe(duplex=False)
        process = context.Process(target=write_for_ever, args=(host_id, plan_id, told))
        process.start()
        told.close()
        heard = {hears.recv() for _ in range(FEW)}
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        try:
            while True:
                heard.add(hears.recv())
        except (EOFError, OSError):
            return heard
