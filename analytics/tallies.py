"""Outcomes of a year by hour of week, of many machines at once, each by its weight.

An outcome is one bit, and a machine has at most one a week at each hour of the week. So eight weeks of a machine are
168 bytes, and the sum of their weights stands in a table of 256. The result is the same to the last bit however many
machines are told of together.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.history import WEEK_HOURS, LocalHours

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

_BITS: Final = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
"""The digits of each byte, the first week's first."""


class Layout(NamedTuple):
    """Where the hours of a clock lie in its weeks: so many from the first on, and runs (low, high, place) of hours."""

    first: int
    weeks: int
    runs: tuple[tuple[int, int, int], ...]

    @property
    def plain(self) -> bool:
        """Whole weeks of 168 hours."""
        return self.runs == ((0, self.weeks * WEEK_HOURS, 0),)


def layout_of(clock: LocalHours) -> Layout:
    """The layout of a clock; machines share it."""
    if not len(clock):
        return Layout(0, 0, ())
    place = (clock.week - clock.week[0]) * WEEK_HOURS + clock.hour_of_week
    runs = tuple((low, high, int(place[low])) for low, high in _stretches(place))
    return Layout(int(clock.week[0]), int(place[-1]) // WEEK_HOURS + 1, runs)


def on_weeks(values: NDArray[np.floating], layout: Layout) -> Floats:
    """Values of hours, shape (machines, n), by local week and hour of week: shape (machines, weeks, 168).

    Two hours that the clocks made alike are added, one that they left out is 0.
    """
    shape = (len(values), layout.weeks, WEEK_HOURS)
    if layout.plain:
        return np.asarray(values, dtype=np.float64).reshape(shape)
    weeks = np.zeros((len(values), layout.weeks * WEEK_HOURS))
    reached = 0
    for low, high, place in layout.runs:
        twice = min(max(0, reached - place), high - low)
        weeks[:, place : place + twice] += values[:, low : low + twice]
        weeks[:, place + twice : place + high - low] = values[:, low + twice : high]
        reached = place + high - low
    return weeks.reshape(shape)


def by_hour_of_week(flags: Flags, layout: Layout, weight: Floats) -> Floats:
    """Sums of the weights of what is true by local hour of week, shape (machines, 168).

    Args:
        flags: one an hour from the layout's first on, shape (machines, hours), at most as many as it has.
        weight: of each week of the layout, oldest first, shape (weeks,).
    """
    sums = np.zeros((len(flags), WEEK_HOURS))
    weeks, repeated = _weeks(flags, layout)
    part = np.empty_like(sums)
    for number, eight in enumerate(_as_bytes(weeks)):
        counted = weight[8 * number : 8 * number + 8]
        table = (_BITS[:, : len(counted)] * counted).sum(axis=1)
        sums += np.take(table, eight, out=part, mode="clip")
    for hour, place in repeated:
        week, hour_of_week = divmod(place, WEEK_HOURS)
        sums[:, hour_of_week] += weight[week] * flags[:, hour]
    return sums


def _weeks(flags: Flags, layout: Layout) -> tuple[Bytes, list[tuple[int, int]]]:
    """The flags by week and hour of week, shape (machines, eights, 8, 168), and hours that the clocks repeated.

    An hour that the clocks left out is false, as are weeks after the last; the second of two alike is in the list, with
    its place, instead.
    """
    eights = -(-layout.weeks // 8)
    weeks = np.zeros((len(flags), eights * 8 * WEEK_HOURS), dtype=np.uint8)
    repeated: list[tuple[int, int]] = []
    reached = 0
    for low, end, place in layout.runs:
        high = min(end, flags.shape[1])
        if high <= low:
            break
        seen = min(max(0, reached - place), high - low)
        repeated += [(low + index, place + index) for index in range(seen)]
        weeks[:, place + seen : place + high - low] = flags[:, low + seen : high]
        reached = place + high - low
    return weeks.reshape(len(flags), eights, 8, WEEK_HOURS), repeated


def _stretches(place: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Runs of hours between changes of the clocks."""
    edges = [0, *(np.flatnonzero(np.diff(place) != 1) + 1).tolist(), len(place)]
    return pairwise(edges)


def _as_bytes(weeks: Bytes) -> Bytes:
    """Each eight weeks of flags as the digits of bytes, the oldest week's highest, shape (eights, machines, 168)."""
    digits = weeks[:, :, 0].copy()
    for week in range(1, 8):
        np.add(digits, digits, out=digits)
        np.bitwise_or(digits, weeks[:, :, week], out=digits)
    return digits.swapaxes(0, 1)
