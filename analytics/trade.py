"""What is assumed of a trade's week, for machines that have few weeks of their own, or none.

Nothing here was measured on a member's machines, and nothing of one member reaches another through it. The figures are
those that the simulated machines are made from (``simulators/machines``, ``simulators/network/cast.py``), by the five
families of ``fleet.trades``. A machine is one of three kinds: little used, ordinary, or full. Work comes in half-days
of :data:`HALF_DAY_H` staffed hours, each worked or not for itself; hours without staff are worked rarely. When the
owner stated no staffed hours, one, two and three shifts are each as likely as the family has them.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.availability import LEVEL_SPREAD, Floats, logit
from analytics.history import WEEK_HOURS
from fleet.network import Trade
from fleet.trades import TRADES, Family

Mask = NDArray[np.bool_]


class Assumed(NamedTuple):
    """Of a family: shares of the machines that are little used and that are full, and of those in 1, 2 and 3 shifts."""

    little: float
    full: float
    shifts: tuple[float, float, float]


ASSUMED: Final = {
    Family.SURFACE: Assumed(0.60, 0.05, (0.5, 0.4, 0.1)),
    Family.CUTTING: Assumed(0.25, 0.20, (0.2, 0.4, 0.4)),
    Family.FORMING: Assumed(0.30, 0.15, (0.4, 0.45, 0.15)),
    Family.HEAT: Assumed(0.30, 0.20, (0.1, 0.1, 0.8)),
    Family.TESTING: Assumed(0.55, 0.05, (0.5, 0.5, 0.0)),
}
WORKED: Final = (0.15, 0.71, 0.97)
"""Share of the staffed half-days that is worked, of the three kinds of machine."""
UNSTAFFED: Final = 0.03
"""The same of as many hours without staff."""
HALF_DAY_H: Final = 4.0
WEEKS: Final = 1.5
"""Weeks of a machine's own that weigh as much as its trade."""
UNSTATED_SPREAD: Final = 4.0
"""Standard deviation of a machine's level about what is assumed where no shifts are stated, log odds."""
SIBLING_WEEKS: Final = 4.0
"""Weeks of its own from which one of the owner's machines tells as much of its family's level as what is assumed."""


def family_of(trade: Trade) -> Family | None:
    """The family whose figures hold for a trade; None for a utility, which is never shared."""
    return TRADES[trade].family


def week_of_trade(family: Family, staffed: Mask | None, hours: int) -> Floats:
    """P(free) of a window of ``hours`` by hour of week at its start, shape (168,).

    Args:
        staffed: the staffed hours of an ordinary week, shape (168,), Monday 00 first; None when they are not stated.
    """
    known = None if staffed is None else np.packbits(staffed).tobytes()
    return _week(family, known, hours)


@lru_cache(maxsize=1024)
def _week(family: Family, staffed: bytes | None, hours: int) -> Floats:
    assumed = ASSUMED[family]
    if staffed is None:
        patterns = [(share, shift) for share, shift in zip(assumed.shifts, _SHIFTS, strict=True) if share]
    else:
        patterns = [(1.0, np.unpackbits(np.frombuffer(staffed, np.uint8)).astype(np.bool_))]
    kinds = (assumed.little, 1.0 - assumed.little - assumed.full, assumed.full)
    week = np.zeros(WEEK_HOURS)
    for share, pattern in patterns:
        inside = np.concatenate([pattern, pattern])[: WEEK_HOURS + hours - 1].astype(np.float64)
        open_ = np.convolve(inside, np.ones(hours), "valid")
        for kind, worked in zip(kinds, WORKED, strict=True):
            free = (1.0 - worked) ** _half_days(open_) * (1.0 - UNSTAFFED) ** _half_days(hours - open_)
            week += share * kind * free
    week.setflags(write=False)
    return week


def _half_days(hours: Floats) -> Floats:
    """How many half-days so many hours in a row touch on average, whatever hour they begin at."""
    return np.where(hours > 0, 1.0 + (hours - 1.0) / HALF_DAY_H, 0.0)


def _shift(first: int, last: int, days: int = 5) -> Mask:
    hour = np.arange(WEEK_HOURS)
    return (hour < 24 * days) & (hour % 24 >= first) & (hour % 24 < last)


_SHIFTS: Final = (_shift(7, 17), _shift(5, 21), _shift(0, 24))


def share(own_weeks: float) -> float:
    """Part of a chance that is still the trade's after so many weeks of the machine's own, 0..1.

    About how far the log odds told follow a change of what is assumed: by .56, .40 and .28 for a single machine without
    habits after 1, 3 and 8 weeks (by age .9, 2.4 and 4.9), less where the owner has others or the machine has habits.
    """
    return WEEKS / (WEEKS + own_weeks)


def base_of(family: Family | None, staffed: Mask | None, hours: int) -> Floats:
    """What is expected of a machine before anything is seen of it, in log odds, shape (168,)."""
    if family is None:
        return np.zeros(WEEK_HOURS)
    return logit(week_of_trade(family, staffed, hours))


def spread_of(staffed: Mask | None) -> float:
    """How far a machine's level may lie from what is assumed of it, log odds: its standard deviation."""
    return UNSTATED_SPREAD if staffed is None else LEVEL_SPREAD


def sibling_level(levels: Floats, weeks: Floats) -> float:
    """How much freer than assumed the owner's other machines of the family are, in log odds.

    Args:
        levels: theirs above what is assumed of them, shape (siblings,).
        weeks: theirs, likewise.
    """
    weight = np.minimum(weeks / SIBLING_WEEKS, 1.0)
    return float((weight * levels).sum() / (1.0 + weight.sum()))
