"""P(free for the whole window): how likely no second of a window is busy.

The target is the event itself, never a product of hourly probabilities. A machine's chance at an hour of the week is
beta-binomial on the outcomes of the windows that began there. The prior mean of the cell is the machine's level on the
shape of its owner's weeks (:func:`shape_of`), and an outcome's weight halves every :data:`HALF_LIFE_WEEKS` weeks. How
many weeks the prior is worth is the machine's own affair: one that keeps its hours needs little of it, one that does
not needs much. So all of :data:`PRIOR_WEEKS` are asked, each with the likelihood that it gives to the machine's past
(empirical Bayes).

How this was chosen: ``docs/analytics.md``, "How it was chosen".
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.beta_binomial import log_likelihood
from analytics.history import WEEK_HOURS, LocalHours
from analytics.tallies import Layout, by_hour_of_week, layout_of
from analytics.windows import Windows

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
"""Standard deviation of the levels of machines of one trade and known shifts, log odds."""
LEVEL_TOLD: Final = 3.0
"""What a week tells of a level, 1 / variance: 168 windows that count for an eighth each, of a variance of .15."""
SHAPE_RIDGE: Final = 1.0
"""The same for an hour of week that is like all others, at most; less where the weeks tell that hours differ."""
LEAST: Final = 0.005
"""No chance is told that is nearer to 0 or 1 before the cell's own outcomes speak."""
_ROUNDS: Final = 8
_DAMPED: Final = 0.6
"""Whole steps of all parts at once would overshoot."""
_DAYS: Final = 72
_DAY_OF: Final = np.where(np.arange(WEEK_HOURS) < 120, np.arange(WEEK_HOURS) % 24, np.arange(WEEK_HOURS) - 96)
_IN_DAY: Final = (_DAY_OF[:, None] == np.arange(_DAYS)).astype(np.float64)

Floats = NDArray[np.float64]


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
    return summed(outcomes, layout, weights(layout, week))


def summed(outcomes: Windows, layout: Layout, weight: Floats) -> Cells:
    """The same, by the layout of the clock and the weight of each of its weeks."""
    both = np.concatenate([outcomes.free & outcomes.known, outcomes.known])
    sums = by_hour_of_week(both, layout, weight)
    return Cells(sums[: len(outcomes.known)], sums[len(outcomes.known) :])


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
    Where hours differ much, how far is learned with them (empirical Bayes).

    Args:
        base: what is expected of each machine before anything is seen, in log odds, shape of the cells; one half.
    """
    rows = cells.free.shape[:-2]
    ridge, level, fixed = _start(cells, base)
    day, own = np.zeros((*rows, 1, _DAYS)), np.zeros((*rows, 1, WEEK_HOURS))
    of_machine, of_hour = cells.free.sum(-1, keepdims=True), cells.free.sum(-2, keepdims=True)
    day_ridge, own_ridge = np.full((2, *rows, 1, 1), SHAPE_RIDGE)
    for _ in range(_ROUNDS):
        expected, certain = _expected(cells, level + (fixed + day[..., _DAY_OF] + own))
        each = expected.sum(-1, keepdims=True)
        level = level + _DAMPED * _step(of_machine - each, each - certain.sum(-1, keepdims=True), level, ridge)
        together = expected.sum(-2, keepdims=True)
        missed, bend = of_hour - together, together - certain.sum(-2, keepdims=True)
        day_bend = bend @ _IN_DAY
        day = day + _DAMPED * _step(missed @ _IN_DAY, day_bend, day, day_ridge)
        own = own + _DAMPED * _step(missed, bend, own, own_ridge)
        day_ridge, own_ridge = _ridge_of(day, day_bend, day_ridge), _ridge_of(own, bend, own_ridge)
    return np.asarray((day[..., _DAY_OF] + own)[..., 0, :], dtype=np.float64)


def level_of(cells: Cells, shape: Floats, base: Floats | None = None) -> Floats:
    """The level of each machine on the shape of the week and its base, in log odds, shape (..., machines)."""
    ridge, level, fixed = _start(cells, base)
    fixed = fixed + shape[..., None, :]
    of_machine = cells.free.sum(-1, keepdims=True)
    for _ in range(_ROUNDS // 2):
        expected, certain = _expected(cells, fixed + level)
        each = expected.sum(-1, keepdims=True)
        level = level + _step(of_machine - each, each - certain.sum(-1, keepdims=True), level, ridge)
    return np.asarray(level[..., 0], dtype=np.float64)


def prior_of(cells: Cells, shape: Floats, base: Floats | None = None, spread: float | Floats = LEVEL_SPREAD) -> Floats:
    """What is expected of each cell before its own outcomes, shape of the cells.

    A base says little of a machine's level, so the chance is the mean over the levels that it may have: log odds are
    divided by sqrt(1 + pi/8 variance) (MacKay 1992), which a week or two of its own undoes.

    Args:
        spread: standard deviation of the levels about the base, log odds; one number, or shape (..., machines, 1).
    """
    odds = level_of(cells, shape, base)[..., None] + shape[..., None, :]
    if base is not None:
        variance = 1.0 / (1.0 / np.square(spread) + LEVEL_TOLD * cells.known.mean(-1, keepdims=True))
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


def believe(cells: Cells, shape: Floats, base: Floats | None = None, spread: float | Floats = LEVEL_SPREAD) -> Belief:
    """The belief that machines' outcomes, the shape of their week (:func:`shape_of`) and their base lead to."""
    prior = prior_of(cells, shape, base, spread)
    free, known, expected = (column[..., _ASKED] for column in (*cells, prior))
    likelihood = np.stack([log_likelihood(free, known, expected, weeks) for weeks in PRIOR_WEEKS])
    share = np.exp(EVIDENCE * (likelihood - likelihood.max(axis=0)))
    return Belief(prior, share / share.sum(axis=0))


def posterior(cells: Cells, shape: Floats, base: Floats | None = None, spread: float | Floats = LEVEL_SPREAD) -> Floats:
    """P(free) of a window by machine and hour of week at its start, shape (..., machines, 168)."""
    return believe(cells, shape, base, spread).with_outcomes(cells)


def logit(share: float | Floats) -> Floats:
    """Log odds, of shares kept .005 away from 0 and 1."""
    kept = np.clip(share, 0.005, 0.995)
    return np.asarray(np.log(kept / (1.0 - kept)), dtype=np.float64)


def expit(odds: Floats) -> Floats:
    """The inverse of :func:`logit`."""
    found = np.negative(odds)
    np.exp(found, out=found)
    found += 1.0
    return np.divide(1.0, found, out=found)


def _start(cells: Cells, base: Floats | None) -> tuple[float, Floats, Floats]:
    """Ridge of a level, the level to begin from, and what is given before it."""
    if base is not None:
        return BASE_RIDGE, np.zeros((*cells.free.shape[:-1], 1)), base
    share = (cells.free.sum(-1, keepdims=True) + 0.5) / (cells.known.sum(-1, keepdims=True) + 1.0)
    return LEVEL_RIDGE, logit(share), np.zeros(1)


def _expected(cells: Cells, odds: Floats) -> tuple[Floats, Floats]:
    """Weight that should be free of each cell, and of it what is certain to be: what is less is its second derivative.

    Sums over cells of the first, taken from what was free, are the derivatives of the log likelihood by log odds.
    """
    chance = expit(odds)
    expected = cells.known * chance
    return expected, np.multiply(expected, chance, out=chance)


def _step(slope: Floats, bend: Floats, value: Floats, ridge: float | Floats) -> Floats:
    """Newton's step, at most 1: far off, a whole step may overshoot."""
    return np.asarray(np.clip((slope - ridge * value) / (bend + ridge), -1.0, 1.0), dtype=np.float64)


def _ridge_of(part: Floats, bend: Floats, ridge: Floats) -> Floats:
    """The ridge that a part of the shape tells of, 1 / variance of its hours: a step of EM (Dempster et al. 1977).

    It only ever lets hours differ more: that they are alike, a few machines cannot tell.
    """
    spread = np.mean(part * part + 1.0 / (bend + ridge), axis=-1, keepdims=True)
    return np.asarray(np.minimum(1.0 / spread, SHAPE_RIDGE), dtype=np.float64)
