"""Outcomes of a year by hour of week, of many machines at once, each by its weight.

An outcome is one bit, and a machine has at most one a week at each hour of the week. So eight weeks of a machine are
168 bytes, and the sum of their weights stands in a table of 256. The result is the same to the last bit however many
machines are told of together.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.history import WEEK_HOURS, LocalHours

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

_BITS: Final = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
"""The digits of each byte, the first week's first."""


def by_hour_of_week(flags: Flags, clock: LocalHours, weight: Floats) -> Floats:
    """Sums of the weights of what is true by local hour of week, shape (machines, 168).

    Args:
        flags: one an hour from the clock's first on, shape (machines, hours), at most as many as the clock has.
        weight: of each week that the clock touches, oldest first, shape (weeks,).
    """
    machines, hours = flags.shape
    sums = np.zeros((machines, WEEK_HOURS))
    if not hours:
        return sums
    place = (clock.week[:hours] - clock.week[0]) * WEEK_HOURS + clock.hour_of_week[:hours]
    weeks, repeated = _weeks(flags, place)
    part = np.empty_like(sums)
    for first in range(0, weeks.shape[1], 8):
        eight = weeks[:, first : first + 8]
        table = (_BITS[:, -eight.shape[1] :] * weight[first : first + eight.shape[1]]).sum(axis=1)
        sums += np.take(table, _as_bytes(eight), out=part, mode="clip")
    for hour in repeated:
        sums[:, clock.hour_of_week[hour]] += weight[place[hour] // WEEK_HOURS] * flags[:, hour]
    return sums


def on_weeks(values: Floats, clock: LocalHours) -> Floats:
    """Values of the clock's hours, shape (machines, n), by local week and hour of week: shape (machines, weeks, 168).

    Two hours that the clocks made alike are added, one that they left out is 0.
    """
    place = (clock.week - clock.week[0]) * WEEK_HOURS + clock.hour_of_week
    count = (int(place[-1]) // WEEK_HOURS + 1) * WEEK_HOURS
    if len(place) == count and (np.diff(place) == 1).all():
        return values.reshape(len(values), -1, WEEK_HOURS)
    weeks = np.zeros((len(values), count))
    for low, high in _stretches(place):
        weeks[:, place[low] : place[low] + high - low] += values[:, low:high]
    return weeks.reshape(len(values), -1, WEEK_HOURS)


def _weeks(flags: Flags, place: NDArray[np.int64]) -> tuple[Bytes, list[int]]:
    """The flags by week and hour of week, shape (machines, weeks, 168); and the hours that the clocks repeated.

    An hour that the clocks left out is false; the second of two alike is in the list instead.
    """
    machines = len(flags)
    weeks = np.zeros((machines, (place[-1] // WEEK_HOURS + 1) * WEEK_HOURS), dtype=np.uint8)
    repeated: list[int] = []
    reached = 0
    for low, high in _stretches(place):
        seen = min(max(0, reached - int(place[low])), high - low)
        repeated += range(low, low + seen)
        weeks[:, place[low] + seen : place[low] + high - low] = flags[:, low + seen : high]
        reached = int(place[low]) + high - low
    return weeks.reshape(machines, -1, WEEK_HOURS), repeated


def _stretches(place: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Runs of hours between changes of the clocks."""
    edges = [0, *(np.flatnonzero(np.diff(place) != 1) + 1).tolist(), len(place)]
    return pairwise(edges)


def _as_bytes(weeks: Bytes) -> Bytes:
    """Up to eight weeks of flags as the digits of bytes, shape (machines, 168)."""
    digits = weeks[:, 0].copy()
    for week in range(1, weeks.shape[1]):
        np.add(digits, digits, out=digits)
        np.bitwise_or(digits, weeks[:, week], out=digits)
    return digits
