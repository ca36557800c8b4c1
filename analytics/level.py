"""How used a machine really is, and how surely it stays below a threshold: weekly utilisation as a beta posterior.

A week's utilisation u scatters about the machine's level m with variance phi * m * (1 - m): a machine that is rarely
used also varies little, so one phi serves all levels. The level is shrunk to a prior mean by the weight that phi gives
it, phi to the prior's scatter by one week; the mean of the weeks to come is a beta variable of that level and variance.
The arithmetic is that of many machines at once: ``analytics.levels``.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import levels
from analytics.levels import LEAST_MACHINES, Levels, Priors, binomial, levels_of

Floats = NDArray[np.float64]


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
        alone = Levels(*(np.array([value]) for value in self))
        return float(alone.below(threshold, ahead)[0])


def level_of(utilisation: Floats, coverage: Floats, prior: WeeklyPrior) -> Level:
    """The level behind some weeks; a week weighs its coverage.

    Args:
        utilisation: of each week, shape (n,), 0..1, no NaN.
        coverage: of each week, shape (n,), 0..1.
    """
    told = Priors(*(np.array([value]) for value in prior[:3]))
    mean, variance, weeks = (float(column[0]) for column in levels_of(utilisation[None], coverage[None], told))
    return Level(mean, variance, weeks)


def prior_of(weeks: Sequence[Floats], otherwise: WeeklyPrior = BUILT_IN_PRIOR) -> WeeklyPrior:
    """The prior that some machines' weekly utilisations teach; ``otherwise`` when fewer than five are told of.

    Whose machines may teach whom is for the caller to know (``docs/consent.md``).
    """
    told = [week for week in weeks if len(week) > 1]
    if len(told) < LEAST_MACHINES:
        return otherwise
    means = np.array([week.mean() for week in told])
    spread = np.array([week.var(ddof=1) for week in told])
    used = means > 0
    scatter = float(np.median(spread[used] / binomial(means[used]))) if used.any() else otherwise.scatter
    mean = float(np.clip(means.mean(), 0.02, 0.98))
    return WeeklyPrior(mean, max(0.03, float(means.std())), max(0.002, scatter), f"{len(told)} machines")


def beta_below(x: float, a: float, b: float) -> float:
    """P(X < x) of a beta variable."""
    return float(levels.beta_below(x, np.array([a]), np.array([b]))[0])


def student_below(t: float, freedom: float) -> float:
    """P(T < t) of Student's t with so many degrees of freedom (> 0), by its relation to the beta distribution."""
    tail = 0.5 * beta_below(freedom / (freedom + t * t), freedom / 2.0, 0.5) if t else 0.5
    return 1.0 - tail if t > 0 else tail
