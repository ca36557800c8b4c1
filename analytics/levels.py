"""The levels of many machines at once, and how surely each stays below a threshold; what is meant: ``analytics.level``.

Every machine's figures are the same to the last bit however many are asked for together.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.beta_binomial import log_gamma

Floats = NDArray[np.float64]
_LEAST: Final = 0.01  # level below which the scatter of a machine is not told from that of a hundredth
_TINY: Final = 1e-300
LEAST_MACHINES: Final = 5
"""Machines whose weeks must be told of before they teach a prior."""


class Priors(NamedTuple):
    """What is believed of each machine before its weeks are seen, shape (machines,): as ``level.WeeklyPrior``."""

    mean: Floats
    between: Floats
    scatter: Floats


class Levels(NamedTuple):
    """Of each machine, shape (machines,): as ``level.Level``."""

    mean: Floats
    variance: Floats
    weeks: Floats

    def below(self, threshold: float | Floats, ahead: int) -> Floats:
        """P(mean utilisation of the next ``ahead`` weeks < ``threshold``), shape (machines,)."""
        variance = self.variance * (1.0 / ahead + 1.0 / self.weeks)
        total = np.maximum(self.mean * (1.0 - self.mean) / variance - 1.0, 0.05)
        return beta_below(threshold, self.mean * total, (1.0 - self.mean) * total)


def levels_of(utilisation: Floats, coverage: Floats, prior: Priors) -> Levels:
    """The levels behind some weeks; a week weighs its coverage, 0 for one that is left out.

    Args:
        utilisation: of each week, shape (machines, weeks), 0..1, no NaN.
        coverage: of each week, likewise.
    """
    seen = coverage.sum(axis=1)
    told = (utilisation * coverage).sum(axis=1)
    plain = np.divide(told, seen, out=prior.mean.copy(), where=seen > 0)
    off = (coverage * (utilisation - plain[:, None]) ** 2).sum(axis=1) / binomial(plain)
    # seen - 1 degrees of freedom of its own, 1 of the prior
    phi = np.maximum(0.002, (off + prior.scatter) / np.maximum(1.0, seen))
    prior_weeks = phi * prior.mean * (1.0 - prior.mean) / prior.between**2
    mean = (plain * seen + prior.mean * prior_weeks) / (seen + prior_weeks)
    return Levels(mean, phi * mean * (1.0 - mean), seen + prior_weeks)


def others_priors(share: Floats, seen: NDArray[np.bool_], otherwise: Priors) -> Priors:
    """For each machine of one member the prior that the others teach, as ``level.prior_of`` has it.

    Args:
        share: utilisation of each week, shape (machines, weeks); what it is where nothing was seen does not matter.
        seen: whether it was, likewise.
        otherwise: shape (1,): where fewer than :data:`LEAST_MACHINES` others are told of.
    """
    weeks = seen.sum(axis=1)
    told = weeks > 1
    mean = np.where(seen, share, 0.0).sum(axis=1) / np.maximum(weeks, 1)
    spread = np.where(seen, (share - mean[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(weeks - 1, 1)
    others = told.sum() - told
    enough = others >= LEAST_MACHINES
    centre, between = _others_mean_and_deviation(np.where(told, mean, 0.0), told, np.maximum(others, 1))
    scatter = _others_median(spread / binomial(mean), told & (mean > 0), float(otherwise.scatter[0]))
    return Priors(
        np.where(enough, np.clip(centre, 0.02, 0.98), otherwise.mean),
        np.where(enough, np.maximum(0.03, between), otherwise.between),
        np.where(enough, np.maximum(0.002, scatter), otherwise.scatter),
    )


def _others_mean_and_deviation(
    values: Floats, told: NDArray[np.bool_], others: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Of all but one, for each one: from the deviations about the mean of all, so that nothing cancels."""
    middle = values.sum() / max(1, int(told.sum()))
    off = np.where(told, values - middle, 0.0)
    shift = (off.sum() - off) / others
    variance = ((off**2).sum() - off**2) / others - shift**2
    return middle + shift, np.sqrt(np.maximum(variance, 0.0))


def _others_median(values: Floats, kept: NDArray[np.bool_], otherwise: float) -> Floats:
    """Of the kept values without one's own, for each one; ``otherwise`` where there is no other."""
    ordered = np.sort(values[kept])
    rank = np.full(len(values), len(ordered))
    rank[np.flatnonzero(kept)[np.argsort(values[kept], kind="stable")]] = np.arange(len(ordered))
    left = len(ordered) - kept
    padded = np.append(ordered, [0.0, 0.0])
    low, high = np.maximum(left - 1, 0) // 2, left // 2
    median = (padded[low + (low >= rank)] + padded[high + (high >= rank)]) / 2
    return np.where(left > 0, median, otherwise)


def binomial(mean: Floats) -> Floats:
    """m (1 - m), of means kept a hundredth away from 0 and 1."""
    kept = np.clip(mean, _LEAST, 1.0 - _LEAST)
    return np.asarray(kept * (1.0 - kept), dtype=np.float64)


def beta_below(x: float | Floats, a: Floats, b: Floats) -> Floats:
    """P(X < x) of beta variables: the regularised incomplete beta function, by its continued fraction (Lentz)."""
    x = np.broadcast_to(np.asarray(x, dtype=np.float64), a.shape)
    inside = (x > 0.0) & (x < 1.0)
    below = np.where(x > 0.0, 1.0, 0.0)
    x, a, b = x[inside], a[inside], b[inside]
    log_front = log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * np.log(x) + b * np.log1p(-x)
    turned = x >= (a + 1.0) / (a + b + 2.0)
    at, first, second = np.where(turned, 1.0 - x, x), np.where(turned, b, a), np.where(turned, a, b)
    tail = np.exp(log_front) * _fraction(at, first, second) / first
    below[inside] = np.where(turned, 1.0 - tail, tail)
    return below


def _fraction(x: Floats, a: Floats, b: Floats) -> Floats:
    """The continued fraction; an element that has converged is left alone, whatever the others need."""
    found = np.empty_like(x)
    running = np.arange(len(x))
    c = np.ones_like(x)
    d = 1.0 / _kept_off_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d.copy()
    for m in map(float, range(1, 500)):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _kept_off_zero(1.0 + term * d)
            c = _kept_off_zero(1.0 + term / c)
            value *= c * d
        left = np.abs(c * d - 1.0) >= 1e-12
        found[running] = value
        if not left.all():
            running = running[left]
            x, a, b, c, d, value = (column[left] for column in (x, a, b, c, d, value))
        if not len(running):
            break
    return found


def _kept_off_zero(value: Floats) -> Floats:
    return np.where(value == 0.0, _TINY, value)
