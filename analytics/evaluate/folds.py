"""Rolling origins: what was known at each local Monday 00:00, and the windows that are forecast from it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.availability import Cells, decay, windows
from analytics.evaluate.grid import Grid
from analytics.history import WEEK_HOURS
from fleet.records import HOUR_SECONDS

Floats = NDArray[np.float64]
Counts = NDArray[np.uint8]


class Past(NamedTuple):
    """All that a model may know at an origin: outcomes of windows that had ended by then.

    Counts by local week (oldest first), machine and hour of week at the start, shape (weeks, machines, 168): 0 or 1, or
    2 in the hour that the clocks repeat.

    Attributes:
        free: windows that were free.
        known: windows observed.
    """

    free: Counts
    known: Counts

    def cells(self, *, aged: bool = False) -> Cells:
        """Outcomes by hour of week, shape (machines, 168); ``aged``, each week by its weight at the origin."""
        weeks = len(self.free)
        weight = np.array([decay(weeks - week) if aged else 1.0 for week in range(weeks)])
        free, known = (np.tensordot(weight, counts, axes=1) for counts in self)
        return Cells(free, known)


Model = Callable[[Past], Floats]
"""P(free) by machine and hour of week, shape (machines, 168), for the windows forecast from one origin."""


class Fold(NamedTuple):
    """The windows forecast from one origin, and what was known then.

    Attributes:
        week: number of the local week that the origin begins.
        hour_of_week: of each window's start, shape (windows,).
        free: the outcomes, shape (machines, windows).
        scored: whether enough of the window was observed, likewise.
    """

    week: int
    past: Past
    hour_of_week: NDArray[np.int64]
    free: NDArray[np.bool_]
    scored: NDArray[np.bool_]


def folds(grid: Grid, window_h: int, lead_h: int, first_weeks: int) -> Iterator[Fold]:
    """One fold an origin: the local Monday 00:00 of every week after the first ones.

    A window belongs to the week in which the forecast for it is made, ``lead_h`` hours before it starts.
    """
    free, known = windows(grid.busy > 0, grid.observed, window_h)
    free &= known
    starts = free.shape[1]
    hour_of_week = grid.clock.hour_of_week[:starts]
    begun_in = grid.clock.week[:starts] - grid.clock.week[0]
    made_in = begun_in[np.maximum(np.arange(starts) - lead_h, 0)]
    tables = [_by_week(outcome, begun_in, hour_of_week, len(grid.weeks)) for outcome in (free, known)]
    for index in range(first_weeks, len(grid.weeks)):
        origin = int(np.searchsorted(grid.clock.week, grid.weeks[index]))
        running = np.arange(windows_ended(origin, window_h, starts), min(origin, starts))
        ended = [table[:index].copy() for table in tables]
        for table, outcome in zip(ended, (free, known), strict=True):
            np.subtract.at(table, _places(begun_in[running], hour_of_week[running], len(free)), outcome[:, running].T)
        asked = np.flatnonzero(made_in == index)
        if len(asked):
            yield Fold(grid.weeks[index], Past(*ended), hour_of_week[asked], free[:, asked], known[:, asked])


def windows_ended(origin: int, window_h: int, starts: int) -> int:
    """How many of the windows, by start hour, have ended when the hour ``origin`` begins."""
    return max(0, min(starts, origin - window_h + 1))


def looks_ahead(
    grid: Grid, make: Callable[[Grid], Model], window_h: int, lead_h: int = 0, first_weeks: int = 1
) -> list[int]:
    """The weeks at whose origin a model's forecast depends on what came after; none for an honest one.

    Everything from the origin on is turned into its opposite, and the model is made and asked again. This finds leaks
    of the harness as well as of models.

    Args:
        make: the model for a recording; an honest one has no use for the argument.
    """
    plain = make(grid)
    betrayed = []
    for fold in folds(grid, window_h, lead_h, first_weeks):
        origin = int(np.searchsorted(grid.clock.week, fold.week))
        busy = np.array(grid.busy)
        busy[:, origin:] = HOUR_SECONDS - busy[:, origin:]
        other = replace(grid, busy=busy)
        twin = next(one for one in folds(other, window_h, lead_h, first_weeks) if one.week == fold.week)
        if not np.array_equal(plain(fold.past), make(other)(twin.past)):
            betrayed.append(fold.week)
    return betrayed


def _by_week(
    outcome: NDArray[np.bool_], week: NDArray[np.int64], hour_of_week: NDArray[np.int64], weeks: int
) -> Counts:
    table = np.zeros((weeks, outcome.shape[0], WEEK_HOURS), dtype=np.uint8)
    np.add.at(table, _places(week, hour_of_week, len(outcome)), outcome.T)
    return table


def _places(
    week: NDArray[np.int64], hour_of_week: NDArray[np.int64], machines: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where outcomes of shape (starts, machines) stand in a table."""
    return week[:, None], np.arange(machines)[None], hour_of_week[:, None]
