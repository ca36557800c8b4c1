"""How well a prior explains what was seen: the beta-binomial likelihood of the outcomes of many machines at once.

Stirling's series holds well from 6 on, so every argument is taken six steps up: with h = x + 6,
ln gamma(x) = (h - 1/2) ln h - h + ln(2 pi) / 2 + series(1 / h) - ln(x (x + 1) ... (x + 5)), to 1e-8.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_HALF_LN_2_PI: Final = 0.9189385332046727


def log_gamma(x: Floats) -> Floats:
    """ln of the gamma function for x > 0, to 1e-8."""
    return np.asarray(_stirling(x) - (x + 6.0) + _HALF_LN_2_PI - np.log(_six_steps(x)), dtype=np.float64)


def log_likelihood(free: Floats, known: Floats, prior: Floats, weeks: float) -> Floats:
    """ln of the likelihood of each machine's outcomes when its prior is worth ``weeks`` outcomes, shape (machines,).

    Of the six gamma functions of a cell three stand above and three below: what is linear in them cancels, and their
    steps are one logarithm.

    Args:
        free: weight of the outcomes that were free, shape (machines, cells).
        known: weight of all outcomes, likewise.
        prior: what is believed of each cell, between 0 and 1, likewise.
    """
    a, seen = weeks * prior, weeks + known
    b = weeks - a
    above_free, above_busy = a + free, b + (known - free)
    cell = _stirling(above_free) - _stirling(a)
    cell += _stirling(above_busy) - _stirling(b)
    cell -= _stirling(seen)
    steps = _six_steps(a) * _six_steps(b)
    steps *= _six_steps(seen)
    below = _six_steps(above_free) * _six_steps(above_busy)
    below *= _six_steps(np.float64(weeks))
    cell += np.log(np.divide(steps, below, out=steps), out=steps)
    alike = free.shape[-1] * _stirling(np.float64(weeks))
    return np.asarray(cell.sum(axis=-1) + alike, dtype=np.float64)


def _stirling(x: Floats | np.float64) -> Floats:
    """What of ln gamma(x) is not linear in x, the steps left out."""
    high = x + 6.0
    part = 1.0 / high
    square = part * part
    part *= 1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0)
    part += (high - 0.5) * np.log(high)
    return np.asarray(part, dtype=np.float64)


def _six_steps(x: Floats | np.float64) -> Floats:
    """x (x + 1) ... (x + 5), as three products of two factors that lie alike about the middle."""
    outer = x * (x + 5.0)
    return np.asarray(outer * (outer + 4.0) * (outer + 6.0), dtype=np.float64)
