"""How used a machine really is, and how surely it stays below a threshold: weekly utilisation as a beta posterior.

A week's utilisation u scatters about the machine's level m with variance phi * m * (1 - m): a machine that is rarely
used also varies little, so one phi serves all levels. The level is shrunk to a prior mean by the weight that phi gives
it, phi to the prior's scatter by one week; the mean of the weeks to come is a beta variable of that level and variance.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LEAST = 0.01  # level below which the scatter of a machine is not told from that of a hundredth


class WeeklyPrior(NamedTuple):
    """What is believed of a machine's level before its own weeks are seen.

    Attributes:
        mean: of the machines it is likened to, 0..1.
        between: standard deviation of their levels.
        scatter: phi, the variance of their weeks over m * (1 - m).
        origin: said in the evidence.
    """

    mean: float
    between: float
    scatter: float
    origin: str


BUILT_IN_PRIOR: Final = WeeklyPrior(0.5, 0.3, 0.08, "built-in")
"""Weak on purpose: two weeks of a machine's own outweigh it. Other members' machines never enter it."""


class Level(NamedTuple):
    """A machine's level.

    Attributes:
        mean: of the posterior, 0..1.
        variance: phi * m * (1 - m) of one week.
        weeks: what the posterior weighs, in weeks: observed parts of weeks and the prior.
    """

    mean: float
    variance: float
    weeks: float

    def below(self, threshold: float, ahead: int) -> float:
        """P(mean utilisation of the next ``ahead`` weeks < ``threshold``)."""
        variance = self.variance * (1.0 / ahead + 1.0 / self.weeks)
        total = max(self.mean * (1.0 - self.mean) / variance - 1.0, 0.05)
        return beta_below(threshold, self.mean * total, (1.0 - self.mean) * total)


def level_of(utilisation: Floats, coverage: Floats, prior: WeeklyPrior) -> Level:
    """The level behind some weeks; a week weighs its coverage.

    Args:
        utilisation: of each week, shape (n,), 0..1, no NaN.
        coverage: of each week, shape (n,), 0..1.
    """
    seen = float(coverage.sum())
    plain = float((utilisation * coverage).sum() / seen) if seen else prior.mean
    phi = _scatter(utilisation, coverage, plain, prior.scatter)
    prior_weeks = phi * prior.mean * (1.0 - prior.mean) / prior.between**2
    mean = (plain * seen + prior.mean * prior_weeks) / (seen + prior_weeks)
    return Level(mean, phi * mean * (1.0 - mean), seen + prior_weeks)


def prior_of(weeks: Sequence[Floats], otherwise: WeeklyPrior = BUILT_IN_PRIOR) -> WeeklyPrior:
    """The prior that some machines' weekly utilisations teach; ``otherwise`` when fewer than five are told of.

    Whose machines may teach whom is for the caller to know (``docs/consent.md``).
    """
    told = [week for week in weeks if len(week) > 1]
    if len(told) < 5:
        return otherwise
    means = np.array([week.mean() for week in told])
    spread = np.array([week.var(ddof=1) for week in told])
    used = means > 0
    scatter = float(np.median(spread[used] / _binomial(means[used]))) if used.any() else otherwise.scatter
    mean = float(np.clip(means.mean(), 0.02, 0.98))
    return WeeklyPrior(mean, max(0.03, float(means.std())), max(0.002, scatter), f"{len(told)} machines")


def beta_below(x: float, a: float, b: float) -> float:
    """P(X < x) of a beta variable: the regularised incomplete beta function, by its continued fraction (Lentz)."""
    if x <= 0.0 or x >= 1.0:
        return float(x > 0.0)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1.0) / (a + b + 2.0):
        return math.exp(front) * _fraction(x, a, b) / a
    return 1.0 - math.exp(front) * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0) or tiny)
    value = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / (1.0 + term * d or tiny)
            c = 1.0 + term / c or tiny
            value *= c * d
        if abs(c * d - 1.0) < 1e-12:
            break
    return value


def _scatter(utilisation: Floats, coverage: Floats, mean: float, prior: float) -> float:
    """phi of the machine's weeks, with one week of the prior's."""
    seen = float(coverage.sum())
    own = float((coverage * (utilisation - mean) ** 2).sum()) / float(_binomial(np.array(mean)))
    return max(0.002, (own + prior) / max(1.0, seen))  # seen - 1 degrees of freedom of its own, 1 of the prior


def _binomial(mean: Floats) -> Floats:
    kept = np.clip(mean, _LEAST, 1.0 - _LEAST)
    return np.asarray(kept * (1.0 - kept), dtype=np.float64)
