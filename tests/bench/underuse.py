"""How far the flag of under-use can go on a recording: the rule, other posteriors, and what more knowledge would give.

usage: python -m tests.bench.underuse INTERVALS.csv [--threshold 0.15] [--history-weeks 4]

Judged are the machine-weeks for which all evidence but certainty sufficed, and of which something low could be said.
Each line tells flags, precision, and recall with "uncertain" counted as missed:

- the rule, without and with flags that stand;
- other posteriors at the same 95 %: recent weeks weigh more, more or less shrinkage, scatter pooled between machines;
- a lower certainty, the lowest whose precision is still 95 %: chosen with the outcomes known (how well the order of the
  certainties tells low weeks from others), and on the outcomes of the other half of the machines;
- a posterior that knows the machine's level over the whole recording, weeks to come included: what the scatter of four
  weeks leaves even then.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.evaluate.flags import judge_weeks, pasts_of, told_weeks
from analytics.level import BUILT_IN_PRIOR, Level, WeeklyPrior, level_of, prior_of
from analytics.rules.structural_underuse import CLEAR, SET
from tests.bench.silence import HORIZON_WEEKS, Shop, shop_of

Weeks = NDArray[np.float64]
Posterior = Callable[[Weeks, WeeklyPrior, Weeks], Level]
"""Weeks so far, prior of the other machines, all weeks of the recording -> level."""
PRECISION: Final = 0.95


class Case(NamedTuple):
    """One machine at one Monday: its weeks so far, the prior, all its weeks, whether it was low in the next ones."""

    machine: int
    weeks: Weeks
    prior: WeeklyPrior
    whole: Weeks
    true: bool


def _recent(half_life: float) -> Posterior:
    def posterior(weeks: Weeks, prior: WeeklyPrior, _: Weeks) -> Level:
        return level_of(weeks, 0.5 ** (np.arange(len(weeks))[::-1] / half_life), prior)

    return posterior


def _pooled(weeks: Weeks, prior: WeeklyPrior, _: Weeks) -> Level:
    """The scatter of all machines alike, the level of its own."""
    level = level_of(weeks, np.ones(len(weeks)), prior)
    return level._replace(variance=prior.scatter * level.mean * (1.0 - level.mean))


def _knowing(weeks: Weeks, _: WeeklyPrior, whole: Weeks) -> Level:
    level = level_of(whole, np.ones(len(whole)), BUILT_IN_PRIOR)
    return level._replace(mean=float(whole.mean()), weeks=1e6 + len(weeks))


POSTERIORS: Final[dict[str, Posterior]] = {
    "the rule's": lambda weeks, prior, _: level_of(weeks, np.ones(len(weeks)), prior),
    "half-life of 6 weeks": _recent(6.0),
    "half-life of 3 weeks": _recent(3.0),
    "built-in prior": lambda weeks, _, __: level_of(weeks, np.ones(len(weeks)), BUILT_IN_PRIOR),
    "no shrinkage": lambda weeks, prior, _: level_of(weeks, np.ones(len(weeks)), prior._replace(between=10.0)),
    "scatter pooled": _pooled,
    "level of the whole recording known": _knowing,
}


def cases(shop: Shop) -> list[Case]:
    """The machine-weeks for which only certainty can be missing."""
    weeks = shop.grid.weeks[shop.least_weeks : len(shop.grid.weeks) - HORIZON_WEEKS + 1]
    asked = (shop.threshold, shop.least_weeks, HORIZON_WEEKS)
    said = {(one.machine, one.week): one for one in judge_weeks(shop.whole, shop.whole, weeks, *asked)}
    found = []
    for week in weeks:
        told = [told_weeks(past) for past in pasts_of(shop.whole, week, shop.least_weeks)]
        prior = prior_of(told)
        for machine, history in enumerate(shop.whole):
            verdict = said.get((machine, week))
            if verdict is not None and verdict.said in ("flagged", "certainty", "clear"):
                found.append(Case(machine, told[machine], prior, told_weeks(history), verdict.true))
    return found


def standing(shop: Shop) -> dict[str, float | int]:
    """The rule as it is, flags that stand included."""
    weeks = shop.grid.weeks[shop.least_weeks : len(shop.grid.weeks) - HORIZON_WEEKS + 1]
    verdicts = judge_weeks(shop.whole, shop.whole, weeks, shop.threshold, shop.least_weeks, HORIZON_WEEKS)
    judged = [one for one in verdicts if one.said in ("flagged", "certainty", "clear")]
    return row(np.array([one.said == "flagged" for one in judged]), np.array([one.true for one in judged]))


def row(flagged: NDArray[np.bool_], true: NDArray[np.bool_]) -> dict[str, float | int]:
    """Flags, and what they were worth."""
    hits = int((flagged & true).sum())
    return {
        "flags": int(flagged.sum()),
        "precision": round(hits / max(1, int(flagged.sum())), 3),
        "recall": round(hits / max(1, int(true.sum())), 3),
    }


def certainties(found: Sequence[Case], posterior: Posterior, threshold: float) -> Weeks:
    """P(below the threshold) of each case."""
    levels = (posterior(case.weeks, case.prior, case.whole) for case in found)
    return np.array([level.below(threshold, HORIZON_WEEKS) for level in levels])


def lowest_level(certainty: Weeks, true: NDArray[np.bool_]) -> float:
    """The lowest certainty above :data:`CLEAR` from which flags keep the precision."""
    steps = np.unique(certainty[certainty > CLEAR])
    kept = [float(step) for step in steps if true[certainty >= step].mean() >= PRECISION]
    return min(kept, default=1.0)


def _from_the_others(found: Sequence[Case], certainty: Weeks, true: NDArray[np.bool_]) -> Weeks:
    """For each case the level that the machines of the other half teach, every second of the file."""
    half = np.array([case.machine % 2 for case in found])
    levels = [lowest_level(certainty[half != side], true[half != side]) for side in (0, 1)]
    return np.where(half == 0, *levels)


def rows(shop: Shop) -> dict[str, dict[str, float | int]]:
    """All lines of the table by name."""
    found = cases(shop)
    true = np.array([case.true for case in found])
    told: dict[str, dict[str, float | int]] = {"the rule, flags stand": standing(shop)}
    for name, posterior in POSTERIORS.items():
        certainty = certainties(found, posterior, shop.threshold)
        logs = np.clip(np.where(true, certainty, 1.0 - certainty), 0.01, 1.0)
        told[name] = row(certainty >= SET, true) | {"log loss": round(float(-np.log(logs).mean()), 4)}
    certainty = certainties(found, POSTERIORS["the rule's"], shop.threshold)
    level = lowest_level(certainty, true)
    told["level chosen with outcomes known"] = row(certainty >= level, true) | {"level": round(level, 3)}
    told["level chosen on the other half"] = row(certainty >= _from_the_others(found, certainty, true), true)
    told["expected of the rule's certainties"] = {
        "precision": round(float(certainty[certainty >= SET].mean()), 3),
        "recall": round(float(certainty[certainty >= SET].sum() / certainty.sum()), 3),
    }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("intervals", type=Path)
    parser.add_argument("--threshold", type=float, default=0.15)
    parser.add_argument("--history-weeks", type=int, default=4)
    asked = parser.parse_args()
    for name, line in rows(shop_of(asked.intervals, asked.threshold, asked.history_weeks)).items():
        sys.stdout.write(json.dumps({"": name, **line}) + "\n")


if __name__ == "__main__":
    main()
