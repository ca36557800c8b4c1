"""Cold start: P(free 8 h) of machines of which 0, 1, 2, 4 or 8 weeks are known, leaning on their trade or not.

usage: python -m tests.bench.cold [INTERVALS.csv] [--seed 5] [--window 8]

Without a file on the simulated network, whose calendars and trades are known: what is assumed of trades is what its
machines are made from, so it is the kind case. With a file, machines are taken three at a time as an owner's, their
trade read off their names, no calendar. ``new owner``: so many weeks are known of all of its machines; ``new
machine``: of one, and all weeks of the others. Brier scores and calibration errors.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import trade
from analytics.availability import Cells, Floats, decay, level_of, posterior, shape_of
from analytics.evaluate import scores
from analytics.evaluate.files import read_intervals, timelines
from analytics.evaluate.folds import Past, folds
from analytics.evaluate.grid import Grid
from fleet.calendars import staffed_week
from fleet.network import Trade
from fleet.trades import Family
from tests.bench.builtin import simulated_with_calendars

KNOWN_WEEKS: Final = (0, 1, 2, 4, 8)
WORDS: Final = {"laser": Family.FORMING}
"""Of the names of the job shop's machines; the rest turns, mills and grinds."""


class Fleet(NamedTuple):
    """Machines with what is told of them, and the owners' machines by index."""

    grid: Grid
    families: list[Family]
    staffed: list[NDArray[np.bool_] | None]
    owners: list[list[int]]


def job_shop(path: Path) -> Fleet:
    """The file's machines, three at a time."""
    grid = Grid.of(timelines(read_intervals(path), None), "UTC")
    families = [
        next((family for word, family in WORDS.items() if word in name.lower()), Family.CUTTING)
        for name in grid.machines
    ]
    order = np.random.default_rng(0).permutation(len(families)).tolist()
    owners = [order[low : low + 3] for low in range(0, len(order), 3)]
    return Fleet(grid, families, [None] * len(families), owners)


def network(seed: int) -> Fleet:
    """The simulated network; compressors are nobody's to lend."""
    grid, known = simulated_with_calendars(seed)
    families, staffed, owners = [], [], defaultdict(list)
    for place, name in enumerate(grid.machines):
        plant, calendar = known[name]
        families.append(trade.family_of(plant.kind.trade) or Family.TESTING)
        staffed.append(staffed_week(calendar))
        if plant.kind.trade is not Trade.UTILITY:
            owners[plant.key.member].append(place)
    return Fleet(grid, families, staffed, list(owners.values()))


def recent(past: Past, weeks: int, *, aged: bool) -> Cells:
    """Cells of the newest weeks alone."""
    count = len(past.free)
    weight = [(decay(count - week) if aged else 1.0) * (week >= count - weeks) for week in range(count)]
    return Cells(*(np.tensordot(np.array(weight), counts, axes=1) for counts in (past.free, past.known)))


def told(own: Cells, base: Floats | None, spread: Floats) -> Floats:
    """Chances of an owner's machines."""
    return posterior(own, shape_of(own, base), base, spread)


def beside_others(young: Cells, old: Cells, base: Floats, spread: Floats, families: Sequence[Family]) -> Floats:
    """Chances of each of an owner's machines as if it alone were young: as :class:`analytics.chances.FleetProfile`."""
    found = np.empty(base.shape)
    for mine in range(len(base)):
        cells = Cells(old.free.copy(), old.known.copy())
        cells.free[mine], cells.known[mine] = young.free[mine], young.known[mine]
        shape = shape_of(cells, base)
        like = [n for n, one in enumerate(families) if one is families[mine] and n != mine]
        levels = level_of(cells, shape, base)[like]
        moved = base[mine] + trade.sibling_level(levels, cells.known.mean(axis=1)[like])
        one = Cells(young.free[mine : mine + 1], young.known[mine : mine + 1])
        found[mine] = posterior(one, shape, moved[None], spread[mine])[0]
    return found


def forecasts(fleet: Fleet, past: Past, weeks: int, window: int) -> Iterator[tuple[str, Floats]]:
    """Chances by name, shape (machines, 168)."""
    raw, young, old = recent(past, weeks, aged=False), recent(past, weeks, aged=True), past.cells(aged=True)
    mean = (raw.free.sum(axis=1, keepdims=True) + 0.5) / (raw.known.sum(axis=1, keepdims=True) + 1.0)
    yield "machine's mean", np.broadcast_to(mean, raw.free.shape)
    yield "smoothed hour of week", (raw.free + 4.0 * mean) / (raw.known + 4.0)
    flat, leaning, joined = (np.full(raw.free.shape, 0.5) for _ in range(3))
    for owner in fleet.owners:
        base = np.stack([trade.base_of(fleet.families[n], fleet.staffed[n], window) for n in owner])
        spread = np.array([[trade.spread_of(fleet.staffed[n])] for n in owner])
        mine, others = (Cells(*(column[owner] for column in cells)) for cells in (young, old))
        flat[owner], leaning[owner] = told(mine, None, spread), told(mine, base, spread)
        joined[owner] = beside_others(mine, others, base, spread, [fleet.families[n] for n in owner])
    yield "new owner, no trade", flat
    yield "new owner", leaning
    yield "new machine", joined


def main() -> None:
    parser = argparse.ArgumentParser(description="cold start of P(free)")
    parser.add_argument("intervals", type=Path, nargs="?")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--window", type=int, default=8)
    asked = parser.parse_args()
    fleet = job_shop(asked.intervals) if asked.intervals else network(asked.seed)
    rounds = list(folds(fleet.grid, asked.window, 0, 4))
    owned = sorted(place for owner in fleet.owners for place in owner)
    outcome = np.concatenate([fold.free[owned][fold.scored[owned]] for fold in rounds])
    share = float(outcome.mean())
    for weeks in KNOWN_WEEKS:
        casts = defaultdict(list)
        for fold in rounds:
            for name, chances in forecasts(fleet, fold.past, weeks, asked.window):
                casts[name].append(chances[:, fold.hour_of_week][owned][fold.scored[owned]])
        row = {name: scores.of(np.concatenate(cast), outcome) for name, cast in casts.items()}
        said = {name: [round(one["brier"], 4), round(one["ece"], 3)] for name, one in row.items()}
        sys.stdout.write(json.dumps({"weeks": weeks, "climatology": round(share * (1 - share), 4), **said}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
