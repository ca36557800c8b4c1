"""P(free for the whole window): how likely no second of a window is busy.

The target is the event itself, never a product of hourly probabilities. A machine's chance at an hour of the week is
beta-binomial on the outcomes of the windows that began there. The prior mean of the cell is the machine's level on the
shape of its owner's weeks (:func:`shape_of`), and an outcome's weight halves every :data:`HALF_LIFE_WEEKS` weeks. How
many weeks the prior is worth is the machine's own affair: one that keeps its hours needs little of it, one that does
not needs much. So all of :data:`PRIOR_WEEKS` are asked, each with the likelihood that it gives to the machine's past
(empirical Bayes).

How this was chosen: ``docs/analytics.md``, "How it was chosen".
"""

from functools import reduce
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.beta_binomial import log_likelihood
from analytics.history import WEEK_HOURS, LocalHours
from analytics.tallies import Layout, by_hour_of_week, layout_of
from fleet.records import HOUR_SECONDS

PRIOR_WEEKS: Final = (0.25, 2.0, 16.0)
HALF_LIFE_WEEKS: Final = 6.0
EVIDENCE: Final = 0.375
"""Every third hour of the week is asked; neighbouring windows share most of their hours, so its likelihood counts for
three eighths of an independent one."""
_ASKED: Final = slice(0, None, 3)
LEVEL_RIDGE: Final = 0.1
"""Belief in a level of one half: enough that a machine never seen busy has a level."""
BASE_RIDGE: Final = 4.0
"""Belief in the level of a base, where there is one: an eighth of what an ordinary week tells."""
LEVEL_SPREAD: Final = 2.0
"""Standard deviation of the levels of machines of one trade, log odds."""
LEVEL_TOLD: Final = 3.0
"""What a week tells of a level, 1 / variance: 168 windows that count for an eighth each, of a variance of .15."""
SHAPE_RIDGE: Final = 1.0
"""The same for an hour of week that is like all others."""
LEAST: Final = 0.005
"""No chance is told that is nearer to 0 or 1 before the cell's own outcomes speak."""
_ROUNDS: Final = 8
_DAMPED: Final = 0.6
"""Whole steps of all parts at once would overshoot."""
_DAYS: Final = 72
_DAY_OF: Final = np.where(np.arange(WEEK_HOURS) < 120, np.arange(WEEK_HOURS) % 24, np.arange(WEEK_HOURS) - 96)
_IN_DAY: Final = (_DAY_OF[:, None] == np.arange(_DAYS)).astype(np.float64)
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
    layout = layout_of(clock)
    weight = weights(layout, week)
    return Cells(
        by_hour_of_week(outcomes.free & outcomes.known, layout, weight),
        by_hour_of_week(outcomes.known, layout, weight),
    )


def weights(layout: Layout, week: int) -> Floats:
    """Weight at local week ``week`` of the outcomes of each week of a layout, oldest first."""
    ages = week - layout.first - np.arange(layout.weeks)
    return np.asarray(0.5 ** (np.maximum(0, ages) / HALF_LIFE_WEEKS), dtype=np.float64)


def shape_of(cells: Cells, base: Floats | None = None) -> Floats:
    """Shape of the week that all machines share, in log odds, shape (..., 168), of cells (..., machines, 168).

    The share of all machines together at an hour of week is flatter than any one machine's: a mean of curves that lie
    at different levels always is. So each machine has a level of its own: logit P = base + level(machine) + day(hour of
    a working day, of Saturday or of Sunday) + own(hour of week) is fitted by penalised likelihood (an additive logistic
    model, Rasch 1960), all parts at once in damped steps. An hour of which nobody tells has the shape of its day's.

    Args:
        base: what is expected of each machine before anything is seen, in log odds, shape of the cells; one half.
    """
    rows = cells.free.shape[:-2]
    ridge, level, fixed = _start(cells, base)
    day, own = np.zeros((*rows, 1, _DAYS)), np.zeros((*rows, 1, WEEK_HOURS))
    for _ in range(_ROUNDS):
        missed, bend = _slopes(cells, fixed + level + day[..., _DAY_OF] + own)
        level = level + _DAMPED * _step(missed.sum(-1, keepdims=True), bend.sum(-1, keepdims=True), level, ridge)
        missed, bend = missed.sum(-2, keepdims=True), bend.sum(-2, keepdims=True)
        day = day + _DAMPED * _step(missed @ _IN_DAY, bend @ _IN_DAY, day, SHAPE_RIDGE)
        own = own + _DAMPED * _step(missed, bend, own, SHAPE_RIDGE)
    return np.asarray((day[..., _DAY_OF] + own)[..., 0, :], dtype=np.float64)


def level_of(cells: Cells, shape: Floats, base: Floats | None = None) -> Floats:
    """The level of each machine on the shape of the week and its base, in log odds, shape (..., machines)."""
    ridge, level, fixed = _start(cells, base)
    fixed = fixed + shape[..., None, :]
    for _ in range(_ROUNDS // 2):
        missed, bend = _slopes(cells, fixed + level)
        level = level + _step(missed.sum(-1, keepdims=True), bend.sum(-1, keepdims=True), level, ridge)
    return np.asarray(level[..., 0], dtype=np.float64)


def prior_of(cells: Cells, shape: Floats, base: Floats | None = None) -> Floats:
    """What is expected of each cell before its own outcomes, shape of the cells.

    A base says little of a machine's level, so the chance is the mean over the levels that it may have: log odds are
    divided by sqrt(1 + pi/8 variance) (MacKay 1992), which a week or two of its own undoes.
    """
    odds = level_of(cells, shape, base)[..., None] + shape[..., None, :]
    if base is not None:
        variance = 1.0 / (1.0 / LEVEL_SPREAD**2 + LEVEL_TOLD * cells.known.mean(-1, keepdims=True))
        odds = (odds + base) / np.sqrt(1.0 + np.pi / 8.0 * variance)
    return np.clip(expit(odds), LEAST, 1.0 - LEAST)


class Belief(NamedTuple):
    """What some machines' outcomes say of cells before those of the cell itself.

    Attributes:
        prior: P(free) of each cell, shape (..., machines, 168).
        share: belief in each of :data:`PRIOR_WEEKS`, shape (3, ..., machines), sum 1 over the first axis.
    """

    prior: Floats
    share: Floats

    def with_outcomes(self, cells: Cells) -> Floats:
        """P(free) by machine and hour of week, shape (..., machines, 168)."""
        answers = ((cells.free + weeks * self.prior) / (cells.known + weeks) for weeks in PRIOR_WEEKS)
        mixed = sum(share[..., None] * answer for share, answer in zip(self.share, answers, strict=True))
        return np.asarray(mixed, dtype=np.float64)


def believe(cells: Cells, shape: Floats, base: Floats | None = None) -> Belief:
    """The belief that machines' outcomes, the shape of their week (:func:`shape_of`) and their base lead to."""
    prior = prior_of(cells, shape, base)
    free, known, expected = (column[..., _ASKED] for column in (*cells, prior))
    likelihood = np.stack([log_likelihood(free, known, expected, weeks) for weeks in PRIOR_WEEKS])
    share = np.exp(EVIDENCE * (likelihood - likelihood.max(axis=0)))
    return Belief(prior, share / share.sum(axis=0))


def posterior(cells: Cells, shape: Floats, base: Floats | None = None) -> Floats:
    """P(free) of a window by machine and hour of week at its start, shape (..., machines, 168)."""
    return believe(cells, shape, base).with_outcomes(cells)


def logit(share: float | Floats) -> Floats:
    """Log odds, of shares kept .005 away from 0 and 1."""
    kept = np.clip(share, 0.005, 0.995)
    return np.asarray(np.log(kept / (1.0 - kept)), dtype=np.float64)


def expit(odds: Floats) -> Floats:
    """The inverse of :func:`logit`."""
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), dtype=np.float64)


def _start(cells: Cells, base: Floats | None) -> tuple[float, Floats, Floats]:
    """Ridge of a level, the level to begin from, and what is given before it."""
    if base is not None:
        return BASE_RIDGE, np.zeros((*cells.free.shape[:-1], 1)), base
    share = (cells.free.sum(-1, keepdims=True) + 0.5) / (cells.known.sum(-1, keepdims=True) + 1.0)
    return LEVEL_RIDGE, logit(share), np.zeros(1)


def _slopes(cells: Cells, odds: Floats) -> tuple[Floats, Floats]:
    """First derivative of each cell's log likelihood by its log odds, and minus the second."""
    chance = expit(odds)
    expected = cells.known * chance
    return cells.free - expected, expected * (1.0 - chance)


def _step(slope: Floats, bend: Floats, value: Floats, ridge: float) -> Floats:
    """Newton's step, at most 1: far off, a whole step may overshoot."""
    return np.asarray(np.clip((slope - ridge * value) / (bend + ridge), -1.0, 1.0), dtype=np.float64)


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
