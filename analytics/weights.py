"""Figures of samples that count for as long as they stand, and their rounding."""

import math

import numpy as np

from analytics.samples import Floats, Ints


def held_ms(at: Ints, max_silence_ms: int) -> Floats:
    """How long each sample counts, ms."""
    held: Floats = np.minimum(np.diff(at, append=at[-1] + max_silence_ms), max_silence_ms).astype(np.float64)
    return held


def quantiles(values: Floats, weights: Floats, shares: tuple[float, ...]) -> list[float]:
    """The values below which these shares of the weight lie."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    places = np.searchsorted(total, np.array(shares) * total[-1])
    return [float(value) for value in values[order][np.minimum(places, len(values) - 1)]]


def rounded(value: float) -> float:
    """Two significant digits: a week more of the same machine gives the same thresholds."""
    return 0.0 if value <= 0 else round(value, 1 - math.floor(math.log10(value)))
