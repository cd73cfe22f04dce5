"""What a platform does with a site, and how long it takes."""

import statistics
import time
from collections.abc import Callable

from tests.system.site import Site

ROUNDS = 3
NOISE_S = 0.1
"""So much more says nothing, whatever the ratio."""


def measure(site: Site, bound: str, name: str) -> dict[str, float]:
    """The median seconds of each, the binds on an instance that is there."""
    rounds = [use(site, bound, f"{name}-{number}") for number in range(ROUNDS)]
    return {key: statistics.median(row[key] for row in rounds) for key in rounds[0]}


def use(site: Site, bound: str, guid: str) -> dict[str, float]:
    """The seconds of each, done once."""

    def provision() -> None:
        site.provisioned(guid)

    def deprovision() -> None:
        assert site.deprovision(guid).status == 202
        assert site.wait_until_finished(guid) == "succeeded"

    def bind() -> None:
        assert site.bind(bound, guid).status == 201
        assert site.unbind(bound, guid).status == 200

    return {
        "provision": took(provision),
        "bind and unbind": took(bind),
        "deprovision": took(deprovision),
    }


def compare(before: dict[str, float], after: dict[str, float], limit: float) -> None:
    """Tell both. Raise AssertionError if one takes so many times as long, or more."""
    for name in before:
        ratio = after[name] / before[name]
        print(f"{name}: {before[name]:.2f} s, {after[name]:.2f} s ({ratio:.2f} x)")
        is_noise = after[name] - before[name] < NOISE_S
        assert ratio < limit or is_noise, (name, before, after)


def took(act: Callable[[], object]) -> float:
    started_at = time.monotonic()
    act()
    return time.monotonic() - started_at


def shown(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
