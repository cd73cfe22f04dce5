"""python -m bench: measure, print a table, leave nothing behind."""

import argparse
import signal
import sys

from bench import provision


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of each kind")
    options = parser.parse_args()
    # As an exception, so that whatever was started is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        print(provision.measure(rounds=options.rounds))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
