"""Two Docker hosts over TLS: databases spread, and a frozen host delays only itself."""

import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.system.docker_lab import Lab, cannot_run
from tests.system.site import Site, can_log_in, wait_for
from tests.system.using import compare, measure, shown, took, use

WEB_LIMIT_S = 25
SLOWEST_RATIO = 2


@pytest.mark.skipif(cannot_run(), reason="needs root, iproute2 and a local dockerd")
@pytest.mark.timeout(400)
class TestTwoHosts:
    def test_one_frozen_delays_only_itself_and_pays_its_debts(self) -> None:
        """I13, F33, F34, F71, F108; a proxy and CA bundle around it change nothing."""
        with Lab() as lab:
            traps = {
                "HTTPS_PROXY": "http://127.0.0.1:9",
                "HTTP_PROXY": "http://127.0.0.1:9",
                "REQUESTS_CA_BUNDLE": "/nonexistent/ca.pem",
            }
            with lab.site(**traps) as site:
                lab.add_others(site)
                site.start_worker()
                self.run(lab, site)

    def run(self, lab: Lab, site: Site) -> None:
        told = site.manage("checkhost")
        assert told.count("answers, API") == 2 and "bad" not in told, told
        frozen = lab.hosts[0]
        here, there = self.spread(site, frozen.address)
        credentials = site.bind(here[0]).body["credentials"]
        assert can_log_in(credentials)

        before = measure(site, there[0], "before")
        frozen.freeze()
        at_once = use(site, there[0], "at-once")
        wait_for(lambda: self.problem(site), "the frozen host to be noted")
        after = measure(site, there[0], "frozen")
        compare(before, after, SLOWEST_RATIO)
        print(f"right after the freeze: {shown(at_once)}")

        self.owe(site, frozen.cut_off, here, credentials)
        assert site.bind(there[1], "still").status == 201
        frozen.reconnect()
        frozen.thaw()
        self.pay(site, here, credentials)

    def spread(self, site: Site, address: str) -> tuple[list[str], list[str]]:
        """GUIDs on the first host and on the other."""
        places: dict[str, str] = {}
        for number in range(4):
            guid = f"spread-{number}"
            site.provisioned(guid)
            places[guid] = site.bind(guid, "where").body["credentials"]["hostname"]
        counted = Counter(places.values())
        assert sorted(counted.values()) == [2, 2], counted
        here = [guid for guid, place in places.items() if place == address]
        return here, [guid for guid in places if guid not in here]

    def problem(self, site: Site) -> str:
        rows = site.rows("SELECT problem FROM instances_dockerhost WHERE problem <> ''")
        return rows[0][0] if rows else ""

    def owe(
        self,
        site: Site,
        cut_off: Callable[[], None],
        here: list[str],
        credentials: dict[str, object],
    ) -> None:
        """An unbind and a deletion that the lost host cannot carry out."""
        cut_off()
        answers = []
        seconds = took(lambda: answers.append(site.unbind(here[0])))
        print(f"unbind on a lost host: {answers[0].status} after {seconds:.1f} s")
        assert answers[0].status >= 500 and seconds < WEB_LIMIT_S
        seconds = took(lambda: answers.append(site.bind(here[0], "new")))
        print(f"bind on a lost host: {answers[1].status} after {seconds:.1f} s")
        assert answers[1].status >= 500 and seconds < WEB_LIMIT_S
        assert site.deprovision(here[1]).status == 202
        assert site.last_operation(here[1]).body["state"] == "in progress"

    def pay(self, site: Site, here: list[str], credentials: dict[str, object]) -> None:
        started_at = time.monotonic()
        assert site.wait_until_finished(here[1], limit_s=150) == "succeeded"

        def is_revoked() -> bool:
            sql = "SELECT count(*) FROM instances_operation WHERE kind = 'unbind'"
            unfinished = f"{sql} AND state IN ('queued', 'running')"
            return site.rows(unfinished)[0][0] == 0

        wait_for(is_revoked, "the unbinds to be done", limit_s=150)
        assert not can_log_in(credentials), "I5"
        print(f"debts paid {time.monotonic() - started_at:.1f} s after it was back")
        wait_for(lambda: not self.problem(site), "the host to be well")
