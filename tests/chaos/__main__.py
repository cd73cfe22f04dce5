"""`make chaos`: one run, its score line, and the story of whatever went wrong."""

import argparse
import os
import random
import signal
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from tests.chaos.crowd import Plan  # noqa: E402
from tests.chaos.lab import Lab  # noqa: E402
from tests.chaos.run import run  # noqa: E402


def main() -> int:
    # What is killed in order still takes its hosts and processes down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--ops", type=int, default=300)
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument(
        "--database", default="sqlite", choices=["sqlite", "mariadb", "postgres"]
    )
    parser.add_argument("--engines", default="redis,mariadb,postgres")
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="write all about it into this folder")
    given = parser.parse_args()
    engines = tuple(given.engines.split(","))
    plan = Plan(given.seed, given.ops, engines, given.clients)
    print(f"chaos: seed={given.seed} begins", flush=True)
    with Lab(list(engines)) as lab:
        score = run(
            lab,
            plan,
            faults=given.faults,
            database=given.database,
            standbys={"redis": 1} if "redis" in engines else {},
            folder=given.keep,
        )
    if score.story:
        print(score.story)
    print(dict(score.faults))
    print(score.line())
    return 0 if score.is_good else 1


sys.exit(main())
