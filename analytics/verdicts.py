"""What is said of many machines at once when no calendar is known: flagged, clear, or the evidence that is missing.

The conditions are those of ``analytics.rules.structural_underuse`` that hours alone can answer, in its order: history,
life, coverage, change, certainty; utilisation is that of the calendar.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.change import last_changes
from analytics.levels import Priors, levels_of
from analytics.rules.structural_underuse import CHANGE_WEEKS, CLEAR, COVERAGE, LEAST_WEEKS, SET
from analytics.utilisation import WeeklyUse

Floats = NDArray[np.float64]

SAID: Final = ("flagged", "clear", "history", "life", "coverage", "change", "certainty")
FLAGGED, CLEARED, HISTORY, LIFE, SEEN, CHANGE, CERTAINTY = range(len(SAID))


class Rule(NamedTuple):
    """What is asked of a machine.

    Attributes:
        threshold: utilisation of the calendar, 0..1.
        ahead_weeks: weeks whose mean shall stay below it.
        least_weeks: weeks that must have been heard of.
        least_coverage: share of the time that must have been observed, from the first week heard of on.
    """

    threshold: float = 0.15
    ahead_weeks: int = 4
    least_weeks: int = LEAST_WEEKS
    least_coverage: float = COVERAGE


class Verdicts(NamedTuple):
    """Of each machine, shape (machines,).

    Attributes:
        said: index in :data:`SAID`.
        level: of the posterior, 0..1.
        certainty: P(mean utilisation of the next weeks below the threshold).
        coverage: observed share of the time from the first week heard of on; 0 when nothing was.
    """

    said: NDArray[np.uint8]
    level: Floats
    certainty: Floats
    coverage: Floats


def verdicts(weekly: WeeklyUse, alive: NDArray[np.bool_], prior: Priors, rule: Rule) -> Verdicts:
    """Judge machines by their complete weeks.

    Args:
        weekly: columns of shape (machines, weeks), silence filled (``utilisation.filled``).
        alive: whether each produced in the last three weeks, shape (machines,).
    """
    share, coverage, weeks = _packed(weekly)
    covered = _coverage(weekly)
    told = np.arange(share.shape[1]) < weeks[:, None]
    changed = last_changes(share, weeks)
    fresh = np.where(changed <= CHANGE_WEEKS, changed, 0)
    newest = told & (np.arange(share.shape[1]) >= (weeks - fresh)[:, None])
    now = np.where(newest, share, 0.0).sum(axis=1) / np.maximum(fresh, 1)
    level = levels_of(share, coverage, prior)
    certainty = level.below(rule.threshold, rule.ahead_weeks)
    low = (fresh > 0) & (now < rule.threshold)
    conditions = [
        (weeks < rule.least_weeks, HISTORY),
        (~alive, LIFE),
        (covered < rule.least_coverage, SEEN),
        ((certainty <= CLEAR) & ~low, CLEARED),
        (fresh > 0, CHANGE),
        (certainty >= SET, FLAGGED),
    ]
    holds, code = zip(*conditions, strict=True)
    said = np.select(holds, code, CERTAINTY).astype(np.uint8)
    return Verdicts(said, level.mean, certainty, covered)


def _packed(weekly: WeeklyUse) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Share and coverage of the weeks heard of, oldest first, 0 behind them; and how many there are."""
    seen = weekly.observed > 0
    order = np.argsort(~seen, axis=1, kind="stable")
    share, coverage = (
        np.take_along_axis(np.where(seen, column, 0.0), order, axis=1) for column in (weekly.share, weekly.coverage)
    )
    return share, coverage, seen.sum(axis=1)


def _coverage(weekly: WeeklyUse) -> Floats:
    """From the first week on in which anything was heard."""
    since = np.logical_or.accumulate(weekly.observed > 0, axis=1)
    observed, total = weekly.observed.sum(axis=1), np.where(since, weekly.total, 0.0).sum(axis=1)
    share: Floats = np.divide(observed, total, out=np.zeros(len(observed)), where=total > 0)
    return np.minimum(share, 1.0)
