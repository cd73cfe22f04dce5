"""python -m bench: measure, print a table, leave nothing behind."""

import argparse
import signal
import sys

from bench import provision, standby

MEASUREMENTS = {"provision": provision.measure, "standby": standby.measure}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of each kind")
    parser.add_argument(
        "names", nargs="*", default=[*MEASUREMENTS], help=", ".join(MEASUREMENTS)
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    # As an exception, so that whatever was started is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for name in options.names:
            print(MEASUREMENTS[name](rounds=options.rounds), flush=True)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
