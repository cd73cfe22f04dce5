"""Users of the platform who create, bind, use, unbind and delete all the time."""

import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.cf import tenant
from tests.cf.controller import CloudController, Failed

PAUSE_S = 0.2


@dataclass
class Kept:
    """What a user has created and not deleted."""

    guid: str
    ids: dict[str, str]
    bindings: dict[str, tenant.Credentials] = field(default_factory=dict)


class User:
    """One life after the other, of the offerings in turn, until stopped."""

    def __init__(self, controller: CloudController, offerings: list[dict[str, Any]]):
        self._controller = controller
        self._offerings = offerings
        self._turn = random.randrange(len(offerings))  # noqa: S311
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self.kept: list[Kept] = []
        self.lives = 0

    def start(self) -> "User":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _live(self) -> None:
        while not self._stopping.wait(PAUSE_S):
            self._turn += 1
            offering = self._offerings[self._turn % len(self._offerings)]
            since = len(self._controller.ledger.phases) - 1
            try:
                self._one_life(ids_of(offering))
                self.lives += 1
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                self._controller.ledger.note_complaint(said, since=since)

    def _one_life(self, ids: dict[str, str]) -> None:
        guid = str(uuid.uuid4())
        mine = Kept(guid, ids)
        try:
            self._controller.create(guid, ids)
            self.kept.append(mine)
            self._bind_and_use(mine)
        except Failed:
            # As the user of a failed create does.
            self._controller.delete(guid, ids)
            self.kept = [kept for kept in self.kept if kept is not mine]
            raise
        if len(self.kept) > 1:  # the first one stays, for the count at the end
            self._end(mine)

    def _bind_and_use(self, mine: Kept) -> None:
        binding = str(uuid.uuid4())
        credentials = self._controller.bind(mine.guid, binding, mine.ids)
        mine.bindings[binding] = credentials
        tenant.use(credentials)

    def _end(self, mine: Kept) -> None:
        for binding in list(mine.bindings):
            self._controller.unbind(mine.guid, binding, mine.ids)
            del mine.bindings[binding]
        self._controller.delete(mine.guid, mine.ids)
        self.kept.remove(mine)


def ids_of(offering: dict[str, Any]) -> dict[str, str]:
    return {"service_id": offering["id"], "plan_id": offering["plans"][0]["id"]}


class Load:
    """Several users at once; use as a context manager."""

    def __init__(
        self, controller: CloudController, offerings: list[dict[str, Any]], users: int
    ) -> None:
        self.users = [User(controller, offerings) for _ in range(users)]

    def __enter__(self) -> "Load":
        for user in self.users:
            user.start()
        return self

    def __exit__(self, *_: object) -> None:
        for user in self.users:
            user.stop()

    @property
    def lives(self) -> int:
        return sum(user.lives for user in self.users)

    def go_on_for(self, lives: int, *, limit_s: float = 180) -> None:
        """Wait until so many more lives were lived."""
        wanted = self.lives + lives
        deadline = time.monotonic() + limit_s
        while self.lives < wanted:
            assert time.monotonic() < deadline, f"no {lives} lives in {limit_s} s"
            time.sleep(0.1)
