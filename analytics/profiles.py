"""P(free) by hour of week of several machines, as it was known at each local Monday: what forecasts are corrected from.

A row is learned from the windows that had ended when its week began, and from no other, so that what is learned of the
errors of past rows holds for the row in force now.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.availability import HALF_LIFE_WEEKS, Cells, posterior, shape_of
from analytics.history import WEEK_HOURS, LocalHours
from analytics.windows import windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Hours(NamedTuple):
    """Hours of some machines on one clock; what is not known yet is not in it.

    Attributes:
        busy: whether an hour holds a busy second, shape (machines, n).
        observed: seconds observed of each hour, likewise.
        clock: the n hours.
    """

    busy: NDArray[np.bool_]
    observed: Floats
    clock: LocalHours

    def cut(self, start: int, end: int) -> "Hours":
        """The hours [start, end), by index."""
        return Hours(self.busy[:, start:end], self.observed[:, start:end], self.clock.cut(start, end))


class Profiles:
    """The rows for windows of any length, each computed once when first asked for.

    Row k, shape (machines, 168), is as known at the start of the k-th week; the last one at that of the week after.
    """

    def __init__(self, hours: Hours) -> None:
        self.hours = hours
        self._week = hours.clock.week - (hours.clock.week[0] if len(hours.clock) else 0)
        self._weeks = int(self._week[-1]) + 1 if len(self._week) else 0
        self._cells: dict[int, Cells] = {}
        self._rows: dict[tuple[int, int], Floats] = {}

    def cells(self, window: int) -> Cells:
        """What the rows rest on, shape (weeks + 1, machines, 168): windows that had ended, each by its weight then."""
        if window not in self._cells:
            self._cells[window] = self._count(window)
        return self._cells[window]

    def at(self, window: int, hour: Ints, like: Ints | None = None) -> Floats:
        """P(free) of windows that begin at index ``hour``, by the row of the week of it, or of index ``like``.

        Shape (machines, len(hour)). An index from n on is an hour after the last; as ``like`` it means the last row.
        """
        told_at = hour if like is None else like
        rows = np.append(self._week, self._weeks)[np.minimum(told_at, len(self._week))]
        needed, place = np.unique(rows, return_inverse=True)
        return np.asarray(self._stack(window, needed)[place, :, self._hour_of_week(hour)].T, dtype=np.float64)

    def _stack(self, window: int, rows: Ints) -> Floats:
        missing = [int(row) for row in rows if (window, int(row)) not in self._rows]
        if missing:
            asked = Cells(*(column[missing] for column in self.cells(window)))
            found = posterior(asked, shape_of(asked))
            for row, values in zip(missing, found, strict=True):
                self._rows[window, row] = values
        machines = len(self.hours.busy)
        return np.array([self._rows[window, int(row)] for row in rows]).reshape(-1, machines, WEEK_HOURS)

    def _hour_of_week(self, hour: Ints) -> Ints:
        known = self.hours.clock.hour_of_week
        if not len(known):
            return hour % WEEK_HOURS
        beyond = hour - (len(known) - 1)
        return np.where(beyond > 0, (known[-1] + beyond) % WEEK_HOURS, known[np.minimum(hour, len(known) - 1)])

    def _count(self, window: int) -> Cells:
        """By the week in which windows ended, added up: a window's weight halves with the weeks since it began."""
        outcomes = windows(self.hours.busy, self.hours.observed, window)
        machines, starts = outcomes.free.shape
        begun, ended = self._week[:starts], self._week[window - 1 :]
        place = np.arange(machines)[:, None] * WEEK_HOURS + self.hours.clock.hour_of_week[:starts]
        known = outcomes.known * 2.0 ** (begun / HALF_LIFE_WEEKS)
        age = 0.5 ** (np.arange(self._weeks + 1.0) / HALF_LIFE_WEEKS)[:, None, None]
        return Cells(*(self._added(ended, place, weight) * age for weight in (known * outcomes.free, known)))

    def _added(self, ended: Ints, place: Ints, weight: Floats) -> Floats:
        """Sums of all that ended before each week and before the week after the last."""
        machines = len(place)
        sums = np.zeros((self._weeks + 1, machines, WEEK_HOURS))
        if ended.size:
            flat = (ended * machines * WEEK_HOURS + place).ravel()
            by_week = np.bincount(flat, weight.ravel(), self._weeks * machines * WEEK_HOURS)
            np.cumsum(by_week.reshape(self._weeks, machines, WEEK_HOURS), axis=0, out=sums[1:])
        return sums
