"""Whole days taken from a recording, machine by machine, and what that does to utilisation and to flags.

usage: python -m tests.bench.silence INTERVALS.csv [--seeds 20] [--threshold 0.15] [--history-weeks 4]

Days are lost twice as often at weekends. Three ways to read what is left: silence as idleness (which the product never
does), the observed share, and the observed share filled by hour of week (which it does). A flag is wrong when the
machine, by the whole recording, was used more than the threshold in the four weeks after, and no flag was set on it
without the silence.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import utilisation
from analytics.evaluate.files import read_intervals, timelines
from analytics.evaluate.flags import Verdict, histories_of, judge_weeks
from analytics.evaluate.grid import Grid
from analytics.history import History
from analytics.rules.structural_underuse import COVERAGE

LOST: Final = (0.15, 0.30, 0.50)
HORIZON_WEEKS: Final = 4
TIMEZONE: Final = "UTC"


class Shop(NamedTuple):
    """A recording, and how flags are judged on it."""

    grid: Grid
    whole: list[History]
    threshold: float
    least_weeks: int

    def verdicts(self, known: Sequence[History], least_coverage: float = COVERAGE) -> list[Verdict]:
        """What is said with that knowledge at each Monday, judged by the whole recording."""
        weeks = self.grid.weeks[self.least_weeks : len(self.grid.weeks) - HORIZON_WEEKS + 1]
        asked = (self.threshold, self.least_weeks, HORIZON_WEEKS, least_coverage)
        return judge_weeks(known, self.whole, weeks, *asked)

    def heard(self, observed: NDArray[np.float64]) -> list[History]:
        """The machines as they are heard in those hours."""
        return self._histories(np.where(observed > 0, self.grid.used, 0.0), observed)

    def idle(self, observed: NDArray[np.float64]) -> list[History]:
        """The machines when silence is taken for idleness."""
        return self._histories(np.where(observed > 0, self.grid.used, 0.0), self.grid.observed)

    def _histories(self, used: NDArray[np.float64], observed: NDArray[np.float64]) -> list[History]:
        columns = zip(used, observed, strict=True)
        return [History.from_columns(self.grid.clock.start, TIMEZONE, mine, seen) for mine, seen in columns]


def shop_of(path: Path, threshold: float = 0.15, least_weeks: int = 4) -> Shop:
    """The recording in that intervals file."""
    grid = Grid.of(timelines(read_intervals(path, TIMEZONE), None), TIMEZONE)
    return Shop(grid, histories_of(grid, TIMEZONE), threshold, least_weeks)


def silenced(grid: Grid, lost: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Observed seconds of each hour, shape (machines, n), when about that share of the days is lost."""
    day = grid.clock.day - grid.clock.day[0]
    weekend = np.arange(int(day[-1]) + 1) % 7 >= 5  # the first day of a grid is a Monday
    gone = random.random((len(grid.machines), len(weekend))) < lost * 7 / 9 * np.where(weekend, 2.0, 1.0)
    return np.where(gone[:, day], 0.0, grid.observed)


def wrong_flags(plain: Sequence[Verdict], silent: Sequence[Verdict]) -> list[int]:
    """For each machine-week truly above the threshold, 1 if silence set a flag on it."""
    flagged = {(one.machine, one.week) for one in plain if one.said == "flagged"}
    busy = [one for one in silent if not one.true]
    return [int(one.said == "flagged" and (one.machine, one.week) not in flagged) for one in busy]


def rows(shop: Shop, lost: float, seeds: Sequence[int]) -> dict[str, float]:
    """Mean over the seeds: errors of utilisation, and wrong flags as a share of the machine-weeks not to be flagged."""
    whole = np.array([utilisation.use(one).share for one in shop.whole])
    plain = shop.verdicts(shop.whole)
    errors: dict[str, list[float]] = {"idle": [], "observed": [], "filled": []}
    wrong: dict[str, list[int]] = {"idle": [], "filled, no rule of coverage": [], "product": []}
    flagged = 0
    for seed in seeds:
        observed = silenced(shop.grid, lost, np.random.default_rng(seed))
        heard, idle = shop.heard(observed), shop.idle(observed)
        for name, share in (
            ("idle", np.array([utilisation.use(one).share for one in idle])),
            ("observed", np.array([utilisation.use(one).share for one in heard])),
            ("filled", np.array([_filled(one) for one in heard])),
        ):
            errors[name].append(float(np.abs(share - whole).mean()))
        product = shop.verdicts(heard)
        flagged += sum(one.said == "flagged" for one in product)
        wrong["idle"] += wrong_flags(plain, shop.verdicts(idle))
        wrong["filled, no rule of coverage"] += wrong_flags(plain, shop.verdicts(heard, 0.0))
        wrong["product"] += wrong_flags(plain, product)
    return {
        **{f"error of U, {name}": round(float(np.mean(found)), 4) for name, found in errors.items()},
        **{f"wrong flags, {name}": round(float(np.mean(found)), 5) for name, found in wrong.items()},
        "machine-weeks not to be flagged": len(wrong["product"]),
        "flags a seed": round(flagged / len(seeds), 1),
    }


def _filled(history: History) -> float:
    weekly = utilisation.stratified(history)
    seen = weekly.observed > 0
    return float(np.average(weekly.share[seen], weights=weekly.total[seen]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("intervals", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--threshold", type=float, default=0.15)
    parser.add_argument("--history-weeks", type=int, default=4)
    asked = parser.parse_args()
    shop = shop_of(asked.intervals, asked.threshold, asked.history_weeks)
    for lost in LOST:
        sys.stdout.write(json.dumps({"days lost": lost, **rows(shop, lost, range(asked.seeds))}) + "\n")


if __name__ == "__main__":
    main()
