"""How far a device's clock is from the true time, learned from live messages alone. Pure.

History, replays and resends are old by right. Live is what arrives one by one in the rhythm of its own device times: a
backlog arrives faster than it was measured, and several readings of one message arrive at once.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LARGEST_MS: Final = 26 * 3_600_000
"""Clocks are off by a time zone and a bit; what is older than that is history."""
_JITTER_MS: Final = 2_000
_JITTER_SHARE: Final = 0.2
_ENOUGH: Final = 3
_NEWEST: Final = 50


def ahead_ms(at_ms: NDArray[np.int64], arrived_ms: NDArray[np.int64]) -> int | None:
    """How far the clock is ahead (negative: behind), the median over the newest live readings; None without enough.

    Args:
        at_ms, arrived_ms: device time and arrival of each reading, shape (n,), epoch ms, in any order.
    """
    order = np.lexsort((at_ms, arrived_ms))
    at, arrived = at_ms[order], arrived_ms[order]
    measured, came = np.diff(at), np.diff(arrived)
    jitter = np.maximum(_JITTER_MS, _JITTER_SHARE * measured)
    live = np.zeros(len(at), dtype=bool)
    live[1:] = (measured > 0) & (came > 0) & (np.abs(came - measured) <= jitter) & (came > measured / 2)
    found = (at - arrived)[live & (np.abs(at - arrived) <= LARGEST_MS)][-_NEWEST:]
    return int(np.median(found)) if len(found) >= _ENOUGH else None
