"""Outcomes of windows: whether no second of them was busy, and whether enough of them was observed to tell."""

from functools import reduce
from itertools import pairwise
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleet.records import HOUR_SECONDS

OBSERVED_SHARE: Final = 0.99
"""A window counts, to learn from or to score, when at least this share of it was observed, whatever its outcome."""

HOUR_MS: Final = 1000 * HOUR_SECONDS
AT_ONCE: Final = 64
"""Machines whose flags of a year stay in a second-level cache."""


class Windows(NamedTuple):
    """Outcomes of the windows that begin at each hour; arrays of shape (..., n - hours + 1).

    Attributes:
        free: no hour of the window holds a busy second.
        known: enough of it was observed to tell.
    """

    free: NDArray[np.bool_]
    known: NDArray[np.bool_]


def windows(busy: NDArray[np.bool_], observed: NDArray[np.floating], hours: int) -> Windows:
    """Outcomes of the windows along the last axis, a few machines at a time, so that all of it stays in the cache.

    Args:
        busy: whether an hour holds a busy second, shape (..., n).
        observed: seconds observed of each hour, shape (..., n).
        hours: length of the windows, at least 1.
    """
    shape = (*busy.shape[:-1], max(0, busy.shape[-1] - hours + 1))
    lying = (prod(busy.shape[:-1]), busy.shape[-1])
    flags, seconds = busy.reshape(lying), observed.reshape(lying)
    found = [outcomes(flags[part], HOUR_SECONDS - seconds[part], hours) for part in slices(len(flags), AT_ONCE)]
    if not found:
        return Windows(*(np.zeros(shape, dtype=np.bool_) for _ in range(2)))
    return Windows(*(np.concatenate(columns).reshape(shape) for columns in zip(*found, strict=True)))


def slices(count: int, most: int) -> list[slice]:
    """As few as there can be of at most so many, all of nearly one size."""
    edges = np.linspace(0, count, -(-count // most) + 1).astype(int).tolist()
    return [slice(low, high) for low, high in pairwise(edges)]


def outcomes(busy: NDArray[np.bool_], missing: NDArray[np.floating], hours: int) -> Windows:
    """:func:`windows` of shape (machines, n), by the seconds of each hour not observed, to the millisecond."""
    if busy.shape[-1] < hours:
        return Windows(*(np.zeros((len(busy), 0), dtype=np.bool_) for _ in range(2)))
    return Windows(~_over_windows(np.logical_or, busy, hours), _known(missing, hours))


def _known(missing: NDArray[np.floating], hours: int) -> NDArray[np.bool_]:
    """Whether enough of each window was observed, to the millisecond.

    An hour that misses more than a whole window may is enough to tell of all its windows; most others miss nothing. So
    sums are needed of few windows, where feeds do not lose a little of every hour.
    """
    longest_ms = round((1.0 - OBSERVED_SHARE) * HOUR_MS * hours)
    much = missing > (longest_ms + 2) / 1000  # beyond doubt, whichever way it is rounded
    known = ~_over_windows(np.logical_or, much, hours)
    little = _over_windows(np.logical_or, (missing != 0) & ~much, hours)
    little &= known
    asked = np.flatnonzero(little)
    if len(asked) * hours < missing.size // 8:
        rows, starts = np.divmod(asked, known.shape[1])
        lost_ms = sum(_whole_ms(missing[rows, starts + hour], hours) for hour in range(hours))
        known[rows, starts] = lost_ms <= longest_ms
        return known
    return _over_windows(np.add, _whole_ms(missing, hours), hours) <= longest_ms


def _whole_ms(missing: NDArray[np.floating], hours: int) -> NDArray[np.integer]:
    """Of a type that so many hours of them fit into."""
    gaps = missing * 1000.0
    whole: NDArray[np.integer] = np.rint(gaps, out=gaps).astype(np.int32 if hours * HOUR_MS < 2**31 else np.int64)
    return whole


def _over_windows(join: np.ufunc, hourly: NDArray[Any], hours: int) -> NDArray[Any]:
    """Hours joined over each window, along the last axis: lengths double, by the binary digits of ``hours``."""
    starts, covered, length = hourly.shape[-1] - hours + 1, 0, 1
    pieces: list[NDArray[Any]] = []
    while covered < hours:
        if hours & length:
            pieces.append(hourly[..., covered : covered + starts])
            covered += length
        if covered < hours:
            hourly = join(hourly[..., :-length], hourly[..., length:])
            length *= 2
    return reduce(join, pieces)
