"""P(free) of one machine from what is known of it: its own weeks, its owner's other machines, its trade.

Machines of one member teach one another; no other member's come in here (``docs/consent.md``).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import trade
from analytics.availability import Cells, Floats, level_of, posterior, shape_of, tally
from analytics.history import WEEK_HOURS, History
from analytics.windows import windows
from fleet.trades import Family

Mask = NDArray[np.bool_]


class Kin(NamedTuple):
    """One machine, and what tells where it belongs.

    Attributes:
        machine: its slug.
        closed: closed hours, shape (len(history),): they teach nothing.
        family: of its trade; None when nothing is to be assumed of it.
        staffed: staffed hours of an ordinary week, shape (168,); None when they are not stated.
    """

    machine: str
    history: History
    closed: Mask | None = None
    family: Family | None = None
    staffed: Mask | None = None

    def cells(self, hours: int, week: int) -> Cells:
        """Its outcomes, shape (1, 168), aged to local week ``week``."""
        return history_cells(self.history, hours, week, self.closed)


class Chances(NamedTuple):
    """P(free) by hour of week at the window's start, shape (168,), and what it rests on.

    Attributes:
        trade_share: part that is what is assumed of the trade (:func:`analytics.trade.share`); 0 without a trade.
        siblings: how many of the owner's other machines of its family were seen.
    """

    free: Floats
    trade_share: float
    siblings: int


class FleetProfile:
    """What the machines of one member teach one another, for windows of any length.

    A profile of no machines is flat: every machine then rests on itself and its trade.
    """

    def __init__(self, kin: Iterable[Kin] = ()) -> None:
        self._kin = tuple(kin)
        self._learned: dict[tuple[int, int], _Learned] = {}

    def shape(self, hours: int, week: int) -> Floats:
        """Shape of the week for windows of ``hours``, shape (168,), as known at the start of local week ``week``."""
        return self._of(hours, week).shape

    def told(self, mine: Kin, hours: int, week: int) -> Chances:
        """P(free) of a window of ``hours`` of one of the machines, or of one beside them."""
        own, learned = mine.cells(hours, week), self._of(hours, week)
        if mine.family is None:
            return Chances(posterior(own, learned.shape)[0], 0.0, 0)
        like = [n for n, one in enumerate(self._kin) if one.family is mine.family and one.machine != mine.machine]
        seen = [n for n in like if learned.weeks[n] > 0]
        base = trade.base_of(mine.family, mine.staffed, hours)
        base = base + trade.sibling_level(learned.levels[seen], learned.weeks[seen])
        free = posterior(own, learned.shape, base[None], trade.spread_of(mine.staffed))[0]
        return Chances(free, trade.share(float(own.known.mean())), len(seen))

    def _of(self, hours: int, week: int) -> "_Learned":
        key = (hours, week)
        if key not in self._learned:
            self._learned[key] = _learn(self._kin, hours, week)
        return self._learned[key]


class _Learned(NamedTuple):
    """Of some machines: the shape of their week, shape (168,), their levels and weeks, shape (machines,)."""

    shape: Floats
    levels: Floats
    weeks: Floats


def _learn(kin: tuple[Kin, ...], hours: int, week: int) -> _Learned:
    if not kin:
        return _Learned(np.zeros(WEEK_HOURS), np.zeros(0), np.zeros(0))
    found = [one.cells(hours, week) for one in kin]
    cells = Cells(*(np.concatenate(column) for column in zip(*found, strict=True)))
    base = None
    if any(one.family for one in kin):
        base = np.stack([trade.base_of(one.family, one.staffed, hours) for one in kin])
    shape = shape_of(cells, base)
    return _Learned(shape, level_of(cells, shape, base), cells.known.mean(axis=1))


def history_cells(history: History, hours: int, week: int, closed: Mask | None = None) -> Cells:
    """One machine's cells, shape (1, 168), aged to local week ``week``.

    Windows that touch a closed hour teach nothing: a holiday says little of the ordinary hour of week.
    """
    observed = history.observed if closed is None else np.where(closed, 0.0, history.observed)
    return tally(windows((history.busy > 0)[None], observed[None], hours), history.clock, week)
