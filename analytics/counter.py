"""What a counter's history says of it: whether it moves at all, how long a cycle takes, and when it rose."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.fitted import Counted
from analytics.power import LEAST_SAMPLES, LEAST_SPAN_MS
from analytics.samples import Ints
from analytics.weights import rounded

NEAR_MS: Final = 3_600_000
"""Rises further apart than this, or than the longest silence, are two runs and not two cycles."""


class Counter(NamedTuple):
    """A counter by its history.

    Attributes:
        moves: whether it rose at all; True until a day of counts says that it does not.
        slow: whether it usually rises less than once an hour: it cannot tell the minutes of work, and is no evidence.
        cycle_ms: longest normal distance between two rises of one that is read more often than it rises; else 0.
        counted: when it rose, as evidence beside power; None when it does not move, or too slowly to tell minutes.
    """

    moves: bool = True
    slow: bool = False
    cycle_ms: int = 0
    counted: Counted | None = None


def counter_of(at: Ints, count: Ints, max_silence_ms: int) -> Counter:
    """What the counts of a machine say; epoch ms rising and counts, shape (n,)."""
    if len(at) < LEAST_SAMPLES or int(at[-1] - at[0]) < LEAST_SPAN_MS:
        return Counter()
    step, rise = np.diff(at), np.diff(count)
    rises = at[1:][rise > 0]
    if len(rises) < 2:
        return Counter(len(rises) > 0)
    distance = np.diff(rises)
    near = distance[distance <= max(max_silence_ms, NEAR_MS)]
    if len(near) < len(distance) / 2:
        return Counter(slow=True)
    usual = float(np.median(near))
    cycle_ms = round(rounded(2 * usual)) if usual > 1.5 * float(np.median(step)) else 0
    told = (step <= max_silence_ms) & (rise >= 0)
    return Counter(True, False, cycle_ms, Counted(at[:-1][told], at[1:][told], _rose(at, rise, cycle_ms)[told]))


def _rose(at: Ints, rise: Ints, cycle_ms: int) -> NDArray[np.bool_]:
    """Whether each interval lies within a cycle of a rise."""
    seen = np.maximum.accumulate(np.where(rise > 0, at[1:], -(2**62)))
    within: NDArray[np.bool_] = at[1:] - seen <= cycle_ms
    return within
