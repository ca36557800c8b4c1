"""Fuzz every decoder for long: how often each ran, that nothing but DecodeError came out, and how its time grows.

usage: python -m tests.bench.fuzz [--executions 100000] [--seed 1] [--format NAME]

Prints one JSON object. ``growth`` is the worst ratio of the CPU time a byte takes in a payload of 400 kB to the time it
takes in one of 50 kB, over everything that can grow in a payload: 1 is linear. Exit 1 when a decoder raised something
else (the payload that did it is printed) or when the growth is above 5.
"""

import argparse
import json
import random
import sys
import time
from typing import Any

from ingest.decoders import formats
from tests.ingest.fuzzing import Seed, decode, grown, mutated

_SMALL, _LARGE, _ROUNDS = 50_000, 400_000, 5
_STEEPEST = 5.0  # a quadratic decoder comes to 8


def fuzz(name: str, executions: int, rng: random.Random) -> dict[str, Any]:
    """Run one decoder; three in four payloads are nearly right, the others bytes.

    Raises:
        AssertionError: with the payload that a decoder did not stand.
    """
    read, began = 0, time.perf_counter()
    for number in range(executions):
        seed = mutated(name, rng)
        if number % 4 == 0:
            seed = seed._replace(payload=rng.randbytes(rng.randint(0, 200)))
        try:
            read += decode(name, seed)
        except Exception as error:
            raise AssertionError(f"{name}: {error!r} for {seed}") from error
    return {
        "executions": executions,
        "read": read,
        "refused_or_empty": executions - read,
        "seconds": round(time.perf_counter() - began, 1),
    }


def growth(name: str) -> tuple[float, str]:
    """The worst growth of a decoder's time a byte, and of what."""
    smaller, larger = dict(grown(name, _SMALL)), dict(grown(name, _LARGE))
    return max((_seconds(name, larger[what]) / _seconds(name, seed), what) for what, seed in smaller.items())


def _seconds(name: str, seed: Seed) -> float:
    """The least CPU time a byte; less than 100 microseconds in all is too little to compare."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        decode(name, seed)
        best = min(best, time.process_time() - began)
    return max(best, 1e-4) / len(seed.payload)


def main() -> int:
    """Fuzz, print, and say by the exit code whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=100_000, help="of each decoder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=formats(), help="only this one")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name in [options.format] if options.format else formats():
        try:
            found[name] = fuzz(name, options.executions, random.Random(options.seed))
        except AssertionError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        ratio, what = growth(name)
        found[name] |= {"growth": round(ratio, 2), "of": what}
        sys.stderr.write(f"{name}: {json.dumps(found[name])}\n")
    total = sum(one["executions"] for one in found.values())
    sys.stdout.write(json.dumps({"executions": total, "decoders": found}) + "\n")
    return int(any(one["growth"] > _STEEPEST for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
