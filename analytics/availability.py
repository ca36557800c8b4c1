"""P(free for the whole window): how likely no second of a window is busy.

The target is the event itself, never a product of hourly probabilities. A machine's chance at an hour of the week is
beta-binomial on the outcomes of the windows that began there: the prior mean of the cell is
logit(machine) + logit(fleet at that hour) - logit(fleet), and an outcome's weight halves every
:data:`HALF_LIFE_WEEKS` weeks. How many weeks the prior is worth is the machine's own affair: one that keeps its hours
needs little of it, one that does not needs much. So all of :data:`PRIOR_WEEKS` are asked, each with the likelihood
that it gives to the machine's past (empirical Bayes).

How this was chosen: the form and the half-life before any test; the empirical Bayes in place of one prior weight of
8 weeks after a look at the job-shop recording, where it gains another 0.2 (8 h) and 0.8 (24 h) points of Brier score.
The Brier score there is flat over half-lives of 3 to 12 weeks, an :data:`EVIDENCE` of 1/20 to 1 and finer sets of prior
weeks; recency of the machine's level, smoothing over neighbouring hours and a stacked logistic gained nothing.
"""

from collections.abc import Iterable
from functools import reduce
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.beta_binomial import log_likelihood
from analytics.history import WEEK_HOURS, History, LocalHours
from analytics.tallies import by_hour_of_week
from fleet.records import HOUR_SECONDS

PRIOR_WEEKS: Final = (1.0, 4.0, 16.0)
HALF_LIFE_WEEKS: Final = 6.0
EVIDENCE: Final = 0.125
"""Neighbouring windows share most of their hours, so their likelihoods count for an eighth of independent ones."""
OBSERVED_SHARE: Final = 0.99
"""A window counts, to learn from or to score, when at least this share of it was observed, whatever its outcome."""

HOUR_MS: Final = 1000 * HOUR_SECONDS
AT_ONCE: Final = 16
"""Machines whose year of hours stays in a second-level cache."""

Floats = NDArray[np.float64]


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
    parts = [slice(low, low + AT_ONCE) for low in range(0, len(flags), AT_ONCE)]
    found = [outcomes(flags[part], HOUR_SECONDS - seconds[part], hours) for part in parts]
    if not found:
        return Windows(*(np.zeros(shape, dtype=np.bool_) for _ in range(2)))
    return Windows(*(np.concatenate(columns).reshape(shape) for columns in zip(*found, strict=True)))


def outcomes(busy: NDArray[np.bool_], missing: NDArray[np.floating], hours: int) -> Windows:
    """:func:`windows` of shape (machines, n), by the seconds of each hour not observed, to the millisecond."""
    if busy.shape[-1] < hours:
        return Windows(*(np.zeros((len(busy), 0), dtype=np.bool_) for _ in range(2)))
    gaps = missing * 1000.0
    gap_ms = np.rint(gaps, out=gaps).astype(np.int32 if hours * HOUR_MS < 2**31 else np.int64)
    longest_ms = round((1.0 - OBSERVED_SHARE) * HOUR_MS * hours)
    return Windows(~_over_windows(np.logical_or, busy, hours), _over_windows(np.add, gap_ms, hours) <= longest_ms)


class Cells(NamedTuple):
    """Weighted outcomes by hour of week; arrays of shape (machines, 168).

    Attributes:
        free: weight of the windows that were free.
        known: weight of all windows.
    """

    free: Floats
    known: Floats

    def aged(self, weeks: float) -> "Cells":
        """The same outcomes, so many weeks later."""
        return Cells(self.free * decay(weeks), self.known * decay(weeks))

    def plus(self, other: "Cells") -> "Cells":
        """Outcomes of both."""
        return Cells(self.free + other.free, self.known + other.known)


def decay(weeks: float) -> float:
    """Weight of an outcome of so many weeks ago."""
    return float(0.5 ** (weeks / HALF_LIFE_WEEKS))


def tally(outcomes: Windows, clock: LocalHours, week: int) -> Cells:
    """Outcomes of shape (machines, starts) by hour of week, each by its weight at the start of local week ``week``."""
    weight = weights(clock, outcomes.free.shape[1], week)
    return Cells(
        by_hour_of_week(outcomes.free & outcomes.known, clock, weight),
        by_hour_of_week(outcomes.known, clock, weight),
    )


def shape_of(cells: Cells) -> Floats:
    """Shape of the week of all machines together: logit(hour of week) - logit(all), shape (168,).

    An hour of week is shrunk to the whole by two outcomes: one machine's single week says little of a shape.
    """
    free, known = cells.free.sum(axis=0), cells.known.sum(axis=0)
    if not known.sum():
        return np.zeros(WEEK_HOURS)
    whole = (free.sum() + 0.5) / (known.sum() + 1.0)
    hourly = (free + 2.0 * whole) / (known + 2.0)
    return np.asarray(logit(hourly) - logit(whole), dtype=np.float64)


def posterior(cells: Cells, shape: Floats) -> Floats:
    """P(free) of a window by machine and hour of week at its start, shape (machines, 168)."""
    level = (cells.free.sum(axis=1) + 0.5) / (cells.known.sum(axis=1) + 1.0)
    prior = expit(logit(level)[:, None] + shape)
    likelihood = np.stack([log_likelihood(cells.free, cells.known, prior, weeks) for weeks in PRIOR_WEEKS])
    weight = np.exp(EVIDENCE * (likelihood - likelihood.max(axis=0)))
    weight /= weight.sum(axis=0)
    answers = ((cells.free + weeks * prior) / (cells.known + weeks) for weeks in PRIOR_WEEKS)
    mixed = sum(share[:, None] * answer for share, answer in zip(weight, answers, strict=True))
    return np.asarray(mixed, dtype=np.float64)


class FleetProfile:
    """The shape of the week of some machines, for windows of any length.

    What one member's machines teach may enter another member's forecast only by consent: make one profile a member,
    of its own machines. A profile of no machines is flat: every machine then rests on its own level alone.
    """

    def __init__(self, histories: Iterable[History]) -> None:
        self._histories = tuple(histories)
        self._shapes: dict[tuple[int, int], Floats] = {}

    def shape(self, hours: int, week: int) -> Floats:
        """Shape of the week for windows of ``hours``, shape (168,), as known at the start of local week ``week``."""
        key = (hours, week)
        if key not in self._shapes:
            cells = Cells(np.zeros((1, WEEK_HOURS)), np.zeros((1, WEEK_HOURS)))
            for history in self._histories:
                cells = cells.plus(history_cells(history, hours, week))
            self._shapes[key] = shape_of(cells)
        return self._shapes[key]


def history_cells(history: History, hours: int, week: int, closed: NDArray[np.bool_] | None = None) -> Cells:
    """One machine's cells, shape (1, 168), aged to local week ``week``.

    Windows that touch a closed hour teach nothing: a holiday says little of the ordinary hour of week.
    """
    observed = history.observed if closed is None else np.where(closed, 0.0, history.observed)
    return tally(windows((history.busy > 0)[None], observed[None], hours), history.clock, week)


def weights(clock: LocalHours, starts: int, week: int) -> Floats:
    """Weight at local week ``week`` of outcomes of each week that the first ``starts`` hours touch, oldest first."""
    touched = np.arange(clock.week[0], clock.week[starts - 1] + 1) if starts else np.zeros(0, np.int64)
    ages: Floats = 0.5 ** (np.maximum(0, week - touched) / HALF_LIFE_WEEKS)
    return ages


def free_probabilities(
    history: History, hours: int, week: int, profile: FleetProfile | None, closed: NDArray[np.bool_] | None = None
) -> Floats:
    """P(free) of a window of ``hours`` by hour of week at its start, shape (168,)."""
    shape = profile.shape(hours, week) if profile else np.zeros(WEEK_HOURS)
    return np.asarray(posterior(history_cells(history, hours, week, closed), shape)[0], dtype=np.float64)


def logit(share: float | Floats) -> Floats:
    """Log odds, of shares kept .005 away from 0 and 1."""
    kept = np.clip(share, 0.005, 0.995)
    return np.asarray(np.log(kept / (1.0 - kept)), dtype=np.float64)


def expit(odds: Floats) -> Floats:
    """The inverse of :func:`logit`."""
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), dtype=np.float64)


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
