"""The bridge is made once, even if several processes make it at the same moment."""

from typing import Any

from django.test import SimpleTestCase
from docker.errors import APIError, NotFound
from requests import Response

from instances.containers.docker_bridge import NETWORK, ensure_bridge


class Engine:
    """Docker's networks; `rivals` are made by others between its look and its own."""

    def __init__(self, *rows: dict[str, Any], rivals: int = 0) -> None:
        self.rows = list(rows)
        self._rivals = rivals

    def networks(self, names: list[str]) -> list[dict[str, Any]]:
        # As Docker does: the filter finds parts of names, and names no containers.
        return [{**row, "Containers": {}} for row in self.rows]

    def inspect_network(self, key: str) -> dict[str, Any]:
        return next(row for row in self.rows if row["Id"] == key)

    def create_network(self, name: str, **_: Any) -> None:
        for number in range(self._rivals + 1):
            self.rows.append(network(f"made {number}", created=str(9 - number)))

    def remove_network(self, key: str) -> None:
        row = next((row for row in self.rows if row["Id"] == key), None)
        if row is None:
            raise NotFound("gone")
        if row["Containers"]:
            refusal = Response()
            refusal.status_code = 403
            raise APIError("has active endpoints", response=refusal)
        self.rows.remove(row)

    @property
    def ids(self) -> list[str]:
        return [row["Id"] for row in self.rows]


def network(key: str, *, name: str = NETWORK, created: str = "1", used: bool = False):
    containers = {"c": {}} if used else {}
    return {"Id": key, "Name": name, "Created": created, "Containers": containers}


class TestEnsureBridge(SimpleTestCase):
    def test_is_made_where_there_is_none(self):
        engine = Engine(network("other", name=f"{NETWORK}-of-somebody"))
        ensure_bridge(engine)
        assert engine.ids == ["other", "made 0"]

    def test_of_two_made_at_once_the_older_one_stays(self):
        """Else Docker refuses every new database: the network is ambiguous."""
        engine = Engine(rivals=1)
        ensure_bridge(engine)
        assert engine.ids == ["made 1"]

    def test_the_one_in_use_stays(self):
        engine = Engine(network("idle"), network("used", created="2", used=True))
        ensure_bridge(engine)
        assert engine.ids == ["used"]

    def test_two_in_use_stay(self):
        engine = Engine(network("a", used=True), network("b", used=True))
        ensure_bridge(engine)
        assert engine.ids == ["a", "b"]

    def test_another_process_may_have_been_quicker(self):
        engine = Engine(network("a"), network("b", created="2"))
        inspect = engine.inspect_network

        def inspect_while_others_clean(key: str) -> dict[str, Any]:
            if key == "b":
                engine.rows[:] = [row for row in engine.rows if row["Id"] != "b"]
                raise NotFound("gone")
            return inspect(key)

        engine.inspect_network = inspect_while_others_clean
        ensure_bridge(engine)
        assert engine.ids == ["a"]
