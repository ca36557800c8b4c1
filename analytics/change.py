"""Change-points of weekly series: a clamp that was moved, a machine that got or lost its work."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PENALTY: Final = 3.0
LEAST_STEP: Final = 0.02
"""Of utilisation: smaller steps are no news, however still the weeks before."""
_SHORTEST: Final = 2
_LEAST_WEEKS: Final = 4


def last_change(weekly: Floats, least: float = LEAST_STEP) -> int | None:
    """How many weeks ago the series' newest regime began; None when it is one regime."""
    (ago,) = last_changes(weekly[None], np.array([len(weekly)]), least).tolist()
    return ago or None


def last_changes(weekly: Floats, weeks: Ints, least_step: float = LEAST_STEP) -> Ints:
    """How many weeks ago the newest regime of each series began, shape (machines,); 0 where it is one regime.

    The regimes are those of least squared error about their means and ``3 ln(n) variance`` for each, the variance of a
    week estimated from the median step between neighbours, so that a change does not hide itself (what PELT looks for;
    Killick, Fearnhead, Eckley, 2012). A regime lasts at least two weeks. With twelve weeks all partitions are compared.

    Args:
        weekly: shape (machines, n); of series i the first ``weeks[i]`` count.
        least_step: smaller steps are no news, however still the weeks before.
    """
    newest = _begins(weekly, weeks, least_step)[weeks, np.arange(len(weekly))]
    return np.where((weeks >= _LEAST_WEEKS) & (newest > 0), weeks - newest, 0)


def regimes(weekly: Floats, least_step: float = LEAST_STEP) -> list[int]:
    """Where each regime of one series begins, oldest first: 0 and every change; see :func:`last_changes`."""
    end = len(weekly)
    if end < _LEAST_WEEKS:
        return [0]
    begin = _begins(weekly[None], np.array([end]), least_step)[:, 0]
    starts = [int(begin[end])]
    while starts[-1]:
        starts.append(int(begin[starts[-1]]))
    return starts[::-1]


def _begins(weekly: Floats, weeks: Ints, least_step: float) -> Ints:
    """Where the newest regime of the series up to each end begins in the best partition, shape (n + 1, machines)."""
    penalty = _penalty(weekly, weeks, least_step)
    sums, squares = (_before(column) for column in (weekly, weekly**2))
    machines, longest = weekly.shape
    least = np.full((longest + 1, machines), np.inf)
    least[0] = 0.0
    begin = np.zeros((longest + 1, machines), dtype=np.int64)
    for end in range(_SHORTEST, longest + 1):
        for start in (0, *range(_SHORTEST, end - _SHORTEST + 1)):
            error = squares[end] - squares[start] - (sums[end] - sums[start]) ** 2 / (end - start)
            total = least[start] + error + penalty
            better = total < least[end]
            least[end][better] = total[better]
            begin[end][better] = start
    return begin


def _before(weekly: Floats) -> Floats:
    """Sums of the weeks before each one and of all, shape (n + 1, machines)."""
    sums = np.zeros((weekly.shape[1] + 1, len(weekly)))
    np.cumsum(weekly.T, axis=0, out=sums[1:])
    return sums


def _penalty(weekly: Floats, weeks: Ints, least_step: float) -> Floats:
    """For each regime: 3 ln(n) times the variance of a week, shape (machines,)."""
    steps = np.abs(np.diff(weekly, axis=1))
    count = np.maximum(weeks - 1, 1)
    inside = np.arange(steps.shape[1]) < count[:, None]
    ordered = np.sort(np.where(inside, steps, np.inf), axis=1)
    row = np.arange(len(weekly))
    if not steps.shape[1]:
        return np.zeros(len(weekly))
    middle = (ordered[row, (count - 1) // 2] + ordered[row, count // 2]) / 2
    step = np.where(weeks > 1, middle, 0.0) / (0.6745 * 2**0.5)
    return np.asarray(_PENALTY * np.log(np.maximum(weeks, 1)) * np.maximum(step, least_step) ** 2, dtype=np.float64)
