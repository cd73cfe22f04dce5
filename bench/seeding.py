"""python -m bench.seeding: fill a broker's database with believable rows.

The database is that of the environment, after `manage.py bootstrap`. There is no
container behind a row, so no worker may run over it: it would take them for lost.
"""

import argparse
import os
import sys

import django


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.seeding", description=__doc__)
    parser.add_argument("--instances", type=int, default=10_000)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brokersite.settings")
    django.setup()
    from bench.seeded_rows import seed  # models can be imported only now

    try:
        seed(options.instances)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
