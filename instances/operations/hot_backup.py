"""The hot method of a backup: the data is copied while apps write.

What is copied is made whole in a throw-away container, and that one is committed: the
image starts as one of the paused method does. Writes of the broker's own go on all the
while, to know how long the longest one had to wait, and to stop what holds for longer.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, TypeVar

from instances import containers, errors
from instances.containers.archives import packed
from instances.engines import Endpoint, get_engine
from instances.engines.hot import Files, HotRecipe, find_recipe
from instances.models import Backup, Broker, Container, ServicePlan
from instances.models.backup_policy import BackupMethod
from instances.operations import hosts, proof
from instances.operations.work import Work

logger = logging.getLogger(__name__)

HOT_FROM_BYTES = 100_000_000
"""A plan that leaves it open has more than that copied hot."""
LIMIT_S = 3600.0
"""How long a copy may take."""
LONGEST_HOLD_S = 8.0
"""A copy that has a write wait for so long is stopped."""
WRITE_EVERY_S = 0.01
JOIN_LIMIT_S = 15.0
POLL_S = 0.2
LOG_LINES = 30

T = TypeVar("T")


def is_possible(engine: str) -> bool:
    return find_recipe(engine) is not None


def choose(plan: ServicePlan, container: Container, wanted: str = "") -> str:
    """The method: what is wanted, else what the plan says, if the engine has it.

    Raise BackupRefused if it is wanted and the engine does not have it.
    """
    method = wanted or plan.backup_method
    if not is_possible(container.engine):
        if wanted == Backup.Method.HOT:
            raise errors.BackupRefused(
                f"There is no hot backup of {container.engine}: take a paused one."
            )
        return Backup.Method.PAUSED
    if method == BackupMethod.AUTO:
        is_large = (container.disk_bytes or 0) >= HOT_FROM_BYTES
        return Backup.Method.HOT if is_large else Backup.Method.PAUSED
    return method


def commit(work: Work, backup: Backup, container: Container) -> int:
    """Make the image; return how many milliseconds the longest write took.

    Raise Transient, or BrokerError if it holds writers for too long.
    """
    recipe = find_recipe(container.engine)
    assert recipe is not None
    endpoint = hosts.endpoint(container)
    with Watch(recipe, endpoint, backup.witness) as watch:
        copy = _Copy(work, backup, container, recipe, watch)
        if recipe.script:
            copy.beside()
        else:
            copy.of_open_files(endpoint)
    return watch.longest_ms


def close(backup: Backup, container: Container) -> None:
    """Put right what a killed attempt may have left. Raise EngineUnreachable."""
    recipe = find_recipe(container.engine)
    if recipe is not None and backup.method == Backup.Method.HOT:
        recipe.close(hosts.endpoint(container))


@dataclass(frozen=True)
class _Copy:
    work: Work
    backup: Backup
    container: Container
    recipe: HotRecipe
    watch: "Watch"

    def beside(self) -> None:
        """By a process of the server's image, in a container that sees its files."""
        host = hosts.connect(self.container.host)
        server = host.find(self.container.name)
        if server is None:
            raise errors.ContainerFailed(detail=f"{self.container} is not there")
        # Its tools are as old as the server: the image's name may have moved on.
        with proof.scratch(self.backup, image=server.image_id) as copier:
            self.work.step("copying the data; the database goes on")
            spec = replace(
                hosts.unreachable_spec(copier),
                entrypoint=("bash", "-c"),
                command=(self.recipe.script,),
                beside=self.container.name,
            )
            host.create(spec)
            host.start(copier.name)
            self._wait_for(copier)
            self.work.step("committing the copy")
            self._commit(copier, self.backup.reference, copier)

    def _wait_for(self, copier: Container) -> None:
        host = hosts.connect(copier.host)
        deadline = time.monotonic() + LIMIT_S
        while (status := host.find(copier.name)) and status.is_running:
            if time.monotonic() > deadline:
                raise errors.Transient(detail="the copy did not end in time")
            self._attend(copier)
            time.sleep(POLL_S)
        if status is None or status.exit_code:
            log = host.logs(copier.name, lines=LOG_LINES)
            raise errors.Transient(
                "The database could not be copied.",
                detail=f"the copy has failed. Its last lines:\n{log}",
            )

    def of_open_files(self, endpoint: Endpoint) -> None:
        """The running server's own files, and what makes them one moment's."""
        host = hosts.connect(self.container.host)
        path = get_engine(self.container.engine).data_path
        with self.recipe.open(endpoint) as rest:
            self.work.step("committing; the database goes on")
            # By its id: a late commit of another attempt could take a name over.
            first = self._commit(self.container, "", pauses=False)
            with proof.scratch(self.backup, image=first) as whole:
                self.work.step("adding what was written meanwhile")
                host.create(hosts.unreachable_spec(whole))
                owner = self.recipe.owner
                files = packed(self._attended(rest(), whole), uid=owner, gid=owner)
                host.write_archive(whole.name, path, files)
                self._commit(whole, self.backup.reference, whole)

    def _commit(
        self,
        container: Container,
        reference: str,
        kept: Container | None = None,
        *,
        pauses: bool = True,
    ) -> str:
        """Commit one of them, and meanwhile keep the throw-away one."""
        self._attend(kept)
        host = hosts.connect(container.host)
        labels = {
            containers.BROKER_LABEL: str(Broker.this().broker_id),
            containers.BACKUP_LABEL: self.backup.id.hex,
        }
        return _attended(
            lambda: host.commit(
                container.name, reference, labels=labels, pauses=pauses
            ),
            lambda: self._attend(kept),
        )

    def _attended(self, files: Files, kept: Container) -> Files:
        for file in files:
            self._attend(kept)
            yield file

    def _attend(self, kept: Container | None) -> None:
        self.work.check()
        self.watch.check()
        if kept is not None:
            kept.prolong()


def _attended(call: Callable[[], T], attend: Callable[[], None]) -> T:
    """Make a call that may take long, and attend to the rest meanwhile."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    # A daemon: a process that is told to stop does not wait for it.
    threading.Thread(target=run, daemon=True).start()
    while not wait([outcome], timeout=POLL_S).done:
        attend()
    return outcome.result()


class Watch:
    """Writes over and over, in a thread, and knows how long the longest write took."""

    def __init__(self, recipe: HotRecipe, endpoint: Endpoint, witness: str) -> None:
        self._recipe, self._endpoint, self._witness = recipe, endpoint, witness
        self._is_over, self._has_written = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began_at: float | None = None
        self._error: errors.BrokerError | None = None
        self._longest_s = 0.0

    @property
    def longest_ms(self) -> int:
        return round(1000 * self._longest_s)

    def check(self) -> None:
        """Raise BrokerError if a write fails, or waits for too long."""
        if self._error is not None:
            raise self._error
        began_at = self._began_at
        if began_at and time.monotonic() - began_at > LONGEST_HOLD_S:
            # Not tried again: it would hold them again.
            raise errors.BrokerError(
                "The backup would have held writers for too long.",
                detail=f"a write has waited for {LONGEST_HOLD_S:.0f} s for the copy: "
                "a long statement of an app may hold it up",
            )

    def __enter__(self) -> Self:
        self._thread.start()
        self._has_written.wait(LONGEST_HOLD_S)
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        # Its last write must not come after the witness has been taken out.
        self._thread.join(JOIN_LIMIT_S)
        if error is not None:
            return
        self.check()
        if self._thread.is_alive():
            raise errors.EngineUnreachable(detail="a write does not end")

    def _run(self) -> None:
        try:
            with self._recipe.writer(self._endpoint, self._witness) as write:
                self._write(write)
        except errors.BrokerError as error:
            self._error = error
        finally:
            self._has_written.set()

    def _write(self, write: Callable[[], None]) -> None:
        while True:
            began_at = self._began_at = time.monotonic()
            write()
            self._began_at = None
            self._longest_s = max(self._longest_s, time.monotonic() - began_at)
            self._has_written.set()
            if self._is_over.wait(WRITE_EVERY_S):
                return
