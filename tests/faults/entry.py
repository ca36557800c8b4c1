"""``resilian ingest`` for trials: itself, one that ends at an exact point, or one that is broken on purpose.

usage: python -m tests.faults.entry [--die-at POINT --on-call N] [--sabotage NAME] [--keep-alive S]
"""

import argparse
import sys

from accelerator.main import main
from tests.faults.points import POINTS, die_at
from tests.faults.sabotage import SABOTAGES, options_of_session

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--die-at", choices=sorted(POINTS))
    parser.add_argument("--on-call", type=int, default=1)
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES))
    parser.add_argument("--keep-alive", type=int)
    options = parser.parse_args()
    if options.keep_alive is not None:
        options_of_session(keep_alive_s=options.keep_alive)
    if options.sabotage is not None:
        SABOTAGES[options.sabotage]()
    if options.die_at is not None:
        die_at(options.die_at, options.on_call)
    sys.argv[1:] = []
    main(["ingest"])
