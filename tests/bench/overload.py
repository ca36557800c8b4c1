"""How far the flag of overload can go on the simulated network: the rule, and who knows each machine's whole year.

usage: python -m tests.bench.overload [--machines 600] [--seed 11]

The rule says of the coming four weeks that they will be full, which is judged by those weeks; here it stands beside
one that knows how many of the other months of the same machine are overloaded, up to a year ahead, and flags it where
that is 95 % of them, or the lowest share that keeps a precision of 95 % (with the outcomes known; and as the machines
of the other half teach it). What such a one misses nobody can be sure of: it is not decided before these weeks.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.rules.evidence import Evidence
from analytics.rules.overload import NAME, Fullness
from simulators.timeline import Timeline, counting_since
from simulators.troubles import Trouble
from tests.bench.network_world import NOW, TRUTH_WEEKS, Judged, World, overloaded
from tests.bench.underuse import lowest_level, row

WEEKS: Final = 16
MONTHS: Final = 13
SURE: Final = 0.95
Shares = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Case(NamedTuple):
    """One machine: what was said, whether the coming weeks are overloaded, and how many of its other months, 0..1."""

    said: str
    missing: bool
    true: bool
    others: float


def cases(machines: int, seed: int) -> list[Case]:
    """So many machines that the rule applies to; of those that were sold nothing is true."""
    found: list[Case] = []
    with tempfile.TemporaryDirectory() as folder:
        while len(found) < machines:
            world = World.of(Path(folder) / str(seed), seed, WEEKS)
            found += [case for slug in world.registry.members for case in _of_member(world, slug)]
            seed += 1
    return found[:machines]


def _of_member(world: World, slug: str) -> Iterator[Case]:
    for one in world.judged(slug):
        if NAME in one.said and one.trouble is not Trouble.SOLD:
            status, _ = one.said[NAME]
            months = list(_months(world, one))
            yield Case(status, status == "insufficient_evidence", one.overloaded, float(np.mean(months)))


def _months(world: World, one: Judged) -> Iterator[bool]:
    """Whether each whole month after the coming weeks is overloaded; those with holidays in them are left out."""
    member, machine = world.registry.members[one.key.member], world.registry.machine(one.key)
    assert machine is not None
    timeline = Timeline(world.plants[one.key], counting_since(NOW.date(), world.weeks))
    for month in range(1, MONTHS):
        start = NOW + timedelta(weeks=TRUTH_WEEKS * month)
        seen = world.truth(member, machine, timeline, start - timedelta(hours=8), start + timedelta(weeks=TRUTH_WEEKS))
        fullness = Fullness(Evidence(seen))
        if fullness.kept.sum() == TRUTH_WEEKS:
            yield overloaded(fullness)


def rows(found: Sequence[Case]) -> dict[str, dict[str, float | int]]:
    """All lines of the table by name; recall is of all that are true."""
    true, others = np.array([case.true for case in found]), np.array([case.others for case in found])
    flagged, told = np.array([case.said == "flagged" for case in found]), ~np.array([case.missing for case in found])
    level = lowest_level(others, true)
    half = np.arange(len(found)) % 2
    taught = np.where(half == 0, *(lowest_level(others[half != side], true[half != side]) for side in (0, 1)))
    usual = others > 0.5
    return {
        "the rule": row(flagged, true),
        "the rule, evidence sufficient": row(flagged[told], true[told]),
        "other months known, 95 % of them": row(others >= SURE, true),
        "other months known, level chosen with outcomes known": row(others >= level, true) | {"level": round(level, 3)},
        "other months known, level chosen on the other half": row(others >= taught, true),
        "the rule, judged by whether most other months are": row(flagged, usual),
        "true": {"now": int(true.sum()), "most other months": int(usual.sum()), "both": int((true & usual).sum())},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--machines", type=int, default=600)
    parser.add_argument("--seed", type=int, default=11)
    asked = parser.parse_args()
    for name, line in rows(cases(asked.machines, asked.seed)).items():
        sys.stdout.write(json.dumps({"": name, **line}) + "\n")


if __name__ == "__main__":
    main()
