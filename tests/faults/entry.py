"""``resilian ingest`` for trials: itself, one that ends at an exact point, or one that is broken on purpose.

usage: python -m tests.faults.entry [--die-at POINT --on-call N] [--sabotage NAME] [--keep-alive S]
    [--spool-fills-disk]
"""

import argparse
import sys
from functools import partial

import ingest.service
from accelerator.main import main
from ingest.level import Limits
from tests.faults.points import POINTS, die_at, replace
from tests.faults.sabotage import SABOTAGES, options_of_session

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--die-at", choices=sorted(POINTS))
    parser.add_argument("--on-call", type=int, default=1)
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES))
    parser.add_argument("--keep-alive", type=int)
    parser.add_argument("--name", help="of a collector beside others")
    parser.add_argument("--spool-fills-disk", action="store_true")
    options = parser.parse_args()
    if options.spool_fills_disk:
        replace(
            ingest.service, "IngestConfig", partial(ingest.service.IngestConfig, limits=Limits(min_free_bytes=-(2**62)))
        )
    if options.keep_alive is not None:
        options_of_session(keep_alive_s=options.keep_alive)
    if options.sabotage is not None:
        SABOTAGES[options.sabotage]()
    if options.die_at is not None:
        die_at(options.die_at, options.on_call)
    sys.argv[1:] = []
    main(["ingest", *(["--name", options.name] if options.name else [])])
