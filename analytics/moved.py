"""Whether a machine's power levels are others than before: a clamp was moved, a machine changed, W became kW.

The mean of the working level, week by week on a logarithmic scale, is searched for change-points. A week without work
says nothing of that level and is passed over, so that a closure is no change; and all weeks since must lie on one side
of the four before, so that a week of odd work is none either.
"""

from typing import Final

import numpy as np

from analytics.change import last_change
from analytics.power import DAY_MS, LEAST_SAMPLES
from analytics.power_rule import LEVEL_SHARE
from analytics.samples import Floats, Ints
from analytics.weights import held_ms, quantiles

WEEK_MS: Final = 7 * DAY_MS
LEAST_MOVE: Final = 0.3
"""On the logarithm: a third more or less. Thresholds lie further than that from the levels on either side."""
_STILL: Final = 0.1
_TOP: Final = 0.995
_AT_REST: Final = 2.0
"""A week whose highest power is within this factor of what is rest in other weeks had no work in it."""
_EITHER: Final = 0.005
"""Nor had a week that spent less than this share of its time on either side of its own threshold."""


def newest_move(at: Ints, power_w: Floats, max_silence_ms: int) -> int | None:
    """The Monday (epoch ms UTC) from which on the machine's levels are others; None when they are what they were.

    Args:
        at, power_w: epoch ms, rising, and watts without NaN, shape (n,); at least two weeks on either side are needed.
    """
    mondays, working, resting, top = _weekly(at, power_w, max_silence_ms)
    if len(mondays) < 4:
        return None
    worked = np.array([not _rests_elsewhere(week, resting, top) for week in top])
    series, starts = working[worked], mondays[worked]
    ago = last_change(series, _STILL)
    if ago is None or ago >= len(series):
        return None
    before, after = series[:-ago][-4:], series[-ago:]
    apart = after.min() > before.max() or after.max() < before.min()
    if not apart or abs(float(np.median(after)) - float(np.median(before))) < LEAST_MOVE:
        return None
    return int(starts[-ago])


def _rests_elsewhere(week: float, resting: Floats, top: Floats) -> bool:
    """Whether the highest power of a week is about what is rest in weeks that drew more."""
    others = resting[top > week * _AT_REST]
    return bool(((others > week / _AT_REST) & (others < week * _AT_REST)).any())


def _weekly(at: Ints, power_w: Floats, max_silence_ms: int) -> tuple[Ints, Floats, Floats, Floats]:
    """Monday, log of the working level, highest rest and highest power of each week with a day of power, (n,) each."""
    found: list[tuple[int, float, float, float]] = []
    edges = np.unique((at // DAY_MS + 3) // 7)
    for week in edges.tolist():
        monday = (week * 7 - 3) * DAY_MS
        inside = slice(*np.searchsorted(at, [monday, monday + WEEK_MS]).tolist())
        mine, watts = at[inside], power_w[inside]
        if len(mine) < LEAST_SAMPLES or int(mine[-1] - mine[0]) < DAY_MS:
            continue
        held = held_ms(mine, max_silence_ms)
        (top,) = quantiles(watts, held, (_TOP,))
        if top <= 0:
            continue
        works = watts >= LEVEL_SHARE * top
        if not _EITHER <= float(np.average(works, weights=held)) <= 1 - _EITHER:
            continue
        level = float(np.average(np.log(watts[works]), weights=held[works]))
        found.append((monday, level, float(np.quantile(watts[~works], 0.95)), top))
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    monday_, *rest_ = (np.array(column, np.float64) for column in columns)
    return monday_.astype(np.int64), rest_[0], rest_[1], rest_[2]
