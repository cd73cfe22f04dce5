"""Django's SQLite, with transactions that begin as soon as another one has ended.

SQLite itself looks ever more rarely for its turn, at last ten times a second: with
eight requests at once, the lock was free most of the time and all of them asleep.
"""

import time

from django.db import OperationalError
from django.db.backends.sqlite3 import base

LOOK_AGAIN_S = 0.003


class DatabaseWrapper(base.DatabaseWrapper):
    def _start_transaction_under_autocommit(self) -> None:
        limit_s = self.settings_dict["OPTIONS"].get("timeout", 5)
        deadline = time.monotonic() + limit_s
        self._wait_inside(0)
        try:
            while True:
                try:
                    super()._start_transaction_under_autocommit()  # type: ignore[misc]
                    return
                except OperationalError:
                    if time.monotonic() > deadline:
                        raise
                time.sleep(LOOK_AGAIN_S)
        finally:
            self._wait_inside(limit_s)

    def _wait_inside(self, limit_s: float) -> None:
        """How long SQLite waits for a lock: all other statements leave it to that."""
        self.connection.execute(f"PRAGMA busy_timeout = {int(limit_s * 1000)}")
