"""What hours tell beside their states, as columns of a history: energy by state, and the highest power."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fleet.records import HourBucket

Floats = NDArray[np.float64]


def energies(buckets: Sequence[HourBucket], rows: NDArray[np.int64], count: int) -> tuple[Floats | None, Floats | None]:
    """Watt-hours by state, shape (count, 7), NaN where unknown, and metered seconds, shape (count,); None without any.

    Args:
        rows: the row that each bucket has in the columns; those outside are left out.
    """
    told = np.array([bucket.energy_by_state is not None for bucket in buckets], dtype=np.bool_)
    told &= (rows >= 0) & (rows < count)
    if not told.any():
        return None, None
    some = [buckets[place] for place in np.flatnonzero(told).tolist()]
    energy, metered = np.full((count, 7), np.nan), np.zeros(count)
    energy[rows[told]] = np.array([bucket.energy_by_state for bucket in some], dtype=np.float64)
    metered[rows[told]] = np.array([bucket.metered_s for bucket in some])
    return energy, metered


def highest_power(buckets: Sequence[HourBucket], rows: NDArray[np.int64], count: int) -> Floats | None:
    """Watts, shape (count,), NaN where no power was read; None when none ever was; ``rows`` as in :func:`energies`."""
    peaks = np.array([np.nan if bucket.power_max_w is None else bucket.power_max_w for bucket in buckets], np.float64)
    told = (rows >= 0) & (rows < count) & ~np.isnan(peaks)
    if not told.any():
        return None
    column = np.full(count, np.nan)
    column[rows[told]] = peaks[told]
    return column
