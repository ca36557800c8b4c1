"""Whether powers can be what they say: kilowatts sent for watts, what cannot be, marks in a wrong order. Pure."""

import itertools
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from fleet.network import Trade
from fleet.trades import TRADES

FLAT_SHARE: Final = 0.02
"""A machine that works draws more than this share of what it is rated at."""
IMPOSSIBLE_TIMES: Final = 3.0
_TRADE_FLAT: Final = 0.003
_TRADE_IMPOSSIBLE: Final = 100.0
"""The usual power of a trade is a default, so only what is far beyond it is doubted."""


class PowerDoubt(NamedTuple):
    """Why a power is doubted.

    Attributes:
        kind: ``kilowatts`` sent where watts are read, or an ``impossible`` power.
        sure: judged by what its owner rated or marked; else by its trade, and a machine that was off looks the same.
        highest_w: highest power read, watts.
        usual_w: what it is judged by, watts.
    """

    kind: Literal["kilowatts", "impossible"]
    sure: bool
    highest_w: float
    usual_w: float


def doubt(trade: Trade, own_w: float | None, highest_w: float | None) -> PowerDoubt | None:
    """What is doubtful about the highest power of a machine; None when nothing is, or nothing can be said.

    Args:
        own_w: what the machine is rated at, or was marked at while it worked; None when its owner said neither.
        highest_w: of a span in which it may have worked.
    """
    if highest_w is None or highest_w <= 0:
        return None
    if own_w is not None:
        if highest_w < FLAT_SHARE * own_w:
            return PowerDoubt("kilowatts", True, highest_w, own_w)
        return PowerDoubt("impossible", True, highest_w, own_w) if highest_w > IMPOSSIBLE_TIMES * own_w else None
    usual = TRADES[trade].working_w
    if highest_w > _TRADE_IMPOSSIBLE * usual:
        return PowerDoubt("impossible", False, highest_w, usual)
    if trade is not Trade.OTHER and highest_w < _TRADE_FLAT * usual:
        return PowerDoubt("kilowatts", False, highest_w, usual)
    return None


MARKS: Final = ("off_w", "standby_w", "working_w")
"""Fields of the marks, by the power that they must have: each more than the one before."""


def contradictions(marks: Mapping[str, float | None], new: str = "") -> list[tuple[str, str]]:
    """Pairs of marks of which the second should be the higher power and is not, by the names of their fields.

    Args:
        marks: watts by field, as in :data:`MARKS`.
        new: only pairs that this mark is part of.
    """
    known = [(name, watts) for name in MARKS if (watts := marks.get(name)) is not None]
    return [
        (lower, higher)
        for (lower, low), (higher, high) in itertools.combinations(known, 2)
        if low >= high and new in ("", lower, higher)
    ]
