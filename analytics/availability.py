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
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.history import WEEK_HOURS, History, LocalHours
from fleet.records import HOUR_SECONDS

PRIOR_WEEKS: Final = (1.0, 4.0, 16.0)
HALF_LIFE_WEEKS: Final = 6.0
EVIDENCE: Final = 0.125
"""Neighbouring windows share most of their hours, so their likelihoods count for an eighth of independent ones."""
OBSERVED_SHARE: Final = 0.99
"""A window counts, to learn from or to score, when at least this share of it was observed, whatever its outcome."""

Floats = NDArray[np.float64]


class Windows(NamedTuple):
    """Outcomes of the windows that begin at each hour; arrays of shape (..., n - hours + 1).

    Attributes:
        free: no hour of the window holds a busy second.
        known: enough of it was observed to tell.
    """

    free: NDArray[np.bool_]
    known: NDArray[np.bool_]


def windows(busy: NDArray[np.bool_], observed: Floats, hours: int) -> Windows:
    """Outcomes by prefix sums along the last axis.

    Args:
        busy: whether an hour holds a busy second, shape (..., n).
        observed: seconds observed of each hour, shape (..., n).
        hours: length of the windows, at least 1.
    """
    starts = max(0, busy.shape[-1] - hours + 1)
    if not starts:
        nothing = np.zeros((*busy.shape[:-1], 0), dtype=np.bool_)
        return Windows(nothing, nothing)
    free = _sums(busy, hours) == 0
    known = _sums(observed, hours) >= OBSERVED_SHARE * HOUR_SECONDS * hours - 1e-6
    return Windows(free, known)


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


def tally(outcomes: Windows, hour_of_week: NDArray[np.int64], weight: Floats) -> Cells:
    """Sum outcomes of shape (machines, starts) by hour of week; ``weight`` is per start, or per machine and start."""
    machines = outcomes.free.shape[0]
    cell = (np.arange(machines)[:, None] * WEEK_HOURS + hour_of_week).ravel()
    known = (outcomes.known * weight).ravel()
    return Cells(_sum_by(cell, known * outcomes.free.ravel(), machines), _sum_by(cell, known, machines))


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
    likelihood = np.stack([_log_likelihood(cells, prior, weeks) for weeks in PRIOR_WEEKS])
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
    outcomes = windows((history.busy > 0)[None], observed[None], hours)
    starts = outcomes.free.shape[1]
    return tally(outcomes, history.clock.hour_of_week[:starts], weights(history.clock, starts, week))


def weights(clock: LocalHours, starts: int, week: int) -> Floats:
    """Weight of each start's outcome at local week ``week``, shape (starts,)."""
    ages: Floats = 0.5 ** (np.maximum(0, week - clock.week[:starts]) / HALF_LIFE_WEEKS)
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


def _sums(values: NDArray[np.bool_] | Floats, hours: int) -> NDArray[np.int64] | Floats:
    kind = np.float64 if values.dtype.kind == "f" else np.int64
    total = np.zeros((*values.shape[:-1], values.shape[-1] + 1), dtype=kind)
    np.cumsum(values, axis=-1, out=total[..., 1:])
    sums: NDArray[np.int64] | Floats = total[..., hours:] - total[..., :-hours]
    return sums


def _sum_by(cell: NDArray[np.int64], weight: Floats, machines: int) -> Floats:
    size = machines * WEEK_HOURS
    return np.asarray(np.bincount(cell, weight, size).reshape(machines, WEEK_HOURS), dtype=np.float64)


def _log_likelihood(cells: Cells, prior: Floats, weeks: float) -> Floats:
    """Of the outcomes of each machine when its prior is worth ``weeks``: beta-binomial, shape (machines,)."""
    free, busy = weeks * prior, weeks * (1.0 - prior)
    cell = log_gamma(free + cells.free) + log_gamma(busy + cells.known - cells.free) - log_gamma(weeks + cells.known)
    cell -= log_gamma(free) + log_gamma(busy) - log_gamma(np.array(weeks))
    return np.asarray(cell.sum(axis=1), dtype=np.float64)


def log_gamma(x: Floats) -> Floats:
    """ln of the gamma function for x > 0, to 1e-8: Stirling's series six steps up, and the steps back down."""
    high = x + 6.0
    series = (high - 0.5) * np.log(high) - high + 0.9189385332046727
    series += 1.0 / (12.0 * high) - 1.0 / (360.0 * high**3) + 1.0 / (1260.0 * high**5)
    steps = x * (x + 1.0) * (x + 2.0) * (x + 3.0) * (x + 4.0) * (x + 5.0)
    return np.asarray(series - np.log(steps), dtype=np.float64)
