"""Rolling origins: what was known at each local Monday 00:00, and the windows that are forecast from it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.availability import Cells, decay
from analytics.evaluate import scores
from analytics.evaluate.grid import Grid
from analytics.history import WEEK_HOURS
from analytics.profiles import Hours
from analytics.windows import windows
from fleet.records import HOUR_SECONDS

Floats = NDArray[np.float64]
Counts = NDArray[np.uint8]


class Recent(NamedTuple):
    """The hours before an origin, and where the windows lie that are asked for.

    Attributes:
        hours: all that had ended by then.
        window: length of the windows, hours.
        start: index of the hour at which the window of each hour of week begins, shape (168,), from len(hours) on.
    """

    hours: Hours
    window: int
    start: NDArray[np.int64]


class Past(NamedTuple):
    """All that a model may know at an origin: outcomes of windows that had ended by then.

    Counts by local week (oldest first), machine and hour of week at the start, shape (weeks, machines, 168): 0 or 1, or
    2 in the hour that the clocks repeat.

    Attributes:
        free: windows that were free.
        known: windows observed.
        recent: the hours themselves; None where outcomes alone are known.
    """

    free: Counts
    known: Counts
    recent: Recent | None = None

    def cells(self, *, aged: bool = False) -> Cells:
        """Outcomes by hour of week, shape (machines, 168); ``aged``, each week by its weight at the origin."""
        if not aged:
            return Cells(*(counts.sum(axis=0, dtype=np.float64) for counts in (self.free, self.known)))
        weight = np.array([decay(len(self.free) - week) for week in range(len(self.free))])
        return Cells(*(np.tensordot(weight, counts, axes=1) for counts in (self.free, self.known)))


Model = Callable[[Past], Floats]
"""P(free) by machine and hour of week, shape (machines, 168), for the windows forecast from one origin."""


class Fold(NamedTuple):
    """The windows forecast from one origin, and what was known then.

    Attributes:
        week: number of the local week that the origin begins.
        start: index of the hour at which each window begins, shape (windows,).
        hour_of_week: of each window's start, shape (windows,).
        free: the outcomes, shape (machines, windows).
        scored: whether enough of the window was observed, likewise.
    """

    week: int
    past: Past
    start: NDArray[np.int64]
    hour_of_week: NDArray[np.int64]
    free: NDArray[np.bool_]
    scored: NDArray[np.bool_]


def folds(grid: Grid, window_h: int, lead_h: float, first_weeks: int) -> Iterator[Fold]:
    """One fold an origin: the local Monday 00:00 of every week after the first ones.

    A window belongs to the week in which the forecast for it is made, ``lead_h`` hours before it starts.
    """
    free, known = windows(grid.busy > 0, grid.observed, window_h)
    free &= known
    starts = free.shape[1]
    hour_of_week = grid.clock.hour_of_week[:starts]
    begun_in = grid.clock.week[:starts] - grid.clock.week[0]
    made_in = begun_in[np.maximum(np.arange(starts) - math.ceil(lead_h), 0)]
    tables = [_by_week(outcome, begun_in, hour_of_week, len(grid.weeks)) for outcome in (free, known)]
    for index in range(first_weeks, len(grid.weeks)):
        origin = int(np.searchsorted(grid.clock.week, grid.weeks[index]))
        running = np.arange(windows_ended(origin, window_h, starts), min(origin, starts))
        ended = [table[:index].copy() for table in tables]
        for table, outcome in zip(ended, (free, known), strict=True):
            np.subtract.at(table, _places(begun_in[running], hour_of_week[running], len(free)), outcome[:, running].T)
        asked = np.flatnonzero(made_in == index)
        if len(asked):
            recent = Recent(grid.hours.cut(0, origin), window_h, _starts(asked, hour_of_week[asked]))
            past = Past(ended[0], ended[1], recent)
            yield Fold(grid.weeks[index], past, asked, hour_of_week[asked], free[:, asked], known[:, asked])


def _starts(asked: NDArray[np.int64], hour_of_week: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first window of each hour of week; where the recording ends before it, where it would lie."""
    starts: NDArray[np.int64] = asked[0] + (np.arange(WEEK_HOURS) - hour_of_week[0]) % WEEK_HOURS
    starts[hour_of_week[::-1]] = asked[::-1]
    return starts


def windows_ended(origin: int, window_h: int, starts: int) -> int:
    """How many of the windows, by start hour, have ended when the hour ``origin`` begins."""
    return max(0, min(starts, origin - window_h + 1))


def summed_losses(casts: Sequence[Floats], rounds: Sequence[Fold]) -> Floats:
    """Squared error of the forecasts of each fold, summed by machine and origin, shape (machines, origins)."""
    summed = [(((cast - fold.free) ** 2) * fold.scored).sum(axis=1) for cast, fold in zip(casts, rounds, strict=True)]
    return np.stack(summed, axis=1)


def binned(casts: Sequence[Floats], rounds: Sequence[Fold]) -> Floats:
    """Sums of the reliability table of each fold, shape (machines, origins, bins, 3)."""
    folded = [scores.binned(cast, fold.free, fold.scored) for cast, fold in zip(casts, rounds, strict=True)]
    return np.stack(folded, axis=1)


def looks_ahead(
    grid: Grid, make: Callable[[Grid], Model], window_h: int, lead_h: float = 0, first_weeks: int = 1
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
