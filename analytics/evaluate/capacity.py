"""Back-test of "at least x shareable hours in n of N weeks": does the next week reach it as often as N weeks can say?

Of N weeks the lowest (the k-th lowest, :func:`analytics.capacity.at_least`) is the promise. If weeks are alike the next
one reaches it with probability 1 - k / (N + 1), whatever the machine: that is what is stated. Judged is how often it
does. A recording knows no offered hours: all hours count as offered. Weeks count that were observed to 99 %.
"""

from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics import capacity
from analytics.evaluate import scores
from analytics.evaluate.files import Timeline
from analytics.evaluate.grid import Grid
from analytics.spans import both, total, united, without

Floats = NDArray[np.float64]
OBSERVED_SHARE: Final = 0.99
LEVEL: Final = 0.1
"""Of the pinball loss: the quantile that is promised."""
LEAST_WEEKS: Final = 3
MOST_WEEKS: Final = 12
"""Of history, as in an outlook."""


def evaluate(grid: Grid, job: capacity.Job) -> dict[str, Any]:
    """The object ``capacity`` of the answer.

    ``by_weeks`` has one entry a number of weeks that any machine has in a row before a week that can be judged; pinball
    losses are hours, of the promise and of the mean of the same weeks.
    """
    hours, whole = weekly(grid, job)
    rows = [row for weeks in range(LEAST_WEEKS, MOST_WEEKS + 1) if (row := _judge(hours, whole, weeks)) is not None]
    return {"job_h": job.minimum, "changeover_h": job.changeover, "by_weeks": rows}


def weekly(grid: Grid, job: capacity.Job) -> tuple[Floats, NDArray[np.bool_]]:
    """Shareable hours of each machine and local week, shape (machines, weeks), and whether the week was observed."""
    first = np.searchsorted(grid.clock.week, np.array([*grid.weeks, grid.weeks[-1] + 1]))
    edges = grid.clock.start + 3600.0 * first.astype(np.float64)
    found = [_of_machine(line, edges, job) for line in grid.lines]
    observed = np.stack([seen for _, seen in found])
    return np.stack([hours for hours, _ in found]), observed >= OBSERVED_SHARE * np.diff(edges)


def _of_machine(line: Timeline, edges: Floats, job: capacity.Job) -> tuple[Floats, Floats]:
    gaps = capacity.long_enough(without(line.observed, line.busy), job)
    observed = [total(both(line.observed, united([week]))) for week in pairwise(edges.tolist())]
    return capacity.in_weeks(gaps, edges, job), np.array(observed)


def _judge(hours: Floats, whole: NDArray[np.bool_], weeks: int) -> dict[str, Any] | None:
    """How the promises of so many weeks were kept; None when there is none to judge."""
    asked = np.zeros(whole.shape, np.bool_)
    promised, mean = np.zeros(hours.shape), np.zeros(hours.shape)
    for week in range(weeks, whole.shape[1]):
        asked[:, week] = whole[:, week - weeks : week + 1].all(axis=1)
        for machine in np.flatnonzero(asked[:, week]):
            past = hours[machine, week - weeks : week]
            least = capacity.at_least(past)
            promised[machine, week], mean[machine, week] = least.hours if least else 0.0, past.mean()
    if not asked.any():
        return None
    kept = scores.share(hours >= promised - 1e-9, asked)
    return {
        "weeks": weeks,
        "n": int(asked.sum()),
        "stated": 1.0 - capacity.falls_below(weeks),
        "kept": kept.value,
        "low": kept.low,
        "high": kept.high,
        "hours": float(promised[asked].mean()),
        "pinball": scores.pinball(promised[asked], hours[asked], LEVEL),
        "pinball_mean": scores.pinball(mean[asked], hours[asked], LEVEL),
    }
