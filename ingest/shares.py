"""Who sends so much more than the others that its readings must not make theirs wait. Pure."""

import math
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleet.batch import ReadingBatch

TIMES: Final = 10.0
"""A member is loud when it sends that many times what the others send on average."""
FLOOR: Final = 200.0
"""Readings a second below which nobody is loud: so few delay nobody, and an average of almost nothing says nothing."""
ROWS: Final = 250
"""Of a loud member's batch: the others may have to wait for one to be written, however slow the store."""
_CALM: Final = 0.5  # of the bound; between the two a member stays what it is
_WINDOW_S: Final = 1.0
_SILENT: Final = 0.01


class Shares:
    """Follows what each member sends, in readings a second, and takes the loud ones' readings out of a batch.

    Attributes:
        loud: the members whose readings go apart now.
    """

    def __init__(self) -> None:
        self.loud: set[str] = set()
        self._heard: set[str] = set()
        self._rates: dict[str, float] = {}
        self._at_s = 0.0

    def split(
        self, batch: ReadingBatch, now_s: float, waiting: Collection[str] = ()
    ) -> tuple[ReadingBatch | None, list[tuple[str, ReadingBatch]]]:
        """The readings of the others, and those of each loud member in batches of at most :data:`ROWS`.

        Every row is in exactly one of them, and each member's are in order.

        Args:
            now_s: of a clock that never goes back.
            waiting: members of whose readings some wait apart still: theirs follow, so that they stay in order.
        """
        self._count(batch, now_s)
        self._judge(waiting)
        if not self.loud:
            return batch, []
        owner = np.array([key.member if key.member in self.loud else "" for key in batch.machines])[
            batch.rows["machine"]
        ]
        if not owner.any():
            return batch, []
        lanes: list[tuple[str, ReadingBatch]] = []
        for member in np.unique(owner[owner != ""]).tolist():
            rows = np.flatnonzero(owner == member)
            lanes += [(member, _part(batch, rows[start : start + ROWS])) for start in range(0, len(rows), ROWS)]
        others = np.flatnonzero(owner == "")
        return (_part(batch, others) if len(others) else None), lanes

    def _count(self, batch: ReadingBatch, now_s: float) -> None:
        """Rates forget by half in 0.7 s, so that of a steady sender is what it sends in a second."""
        faded = math.exp((self._at_s - now_s) / _WINDOW_S)
        self._at_s = now_s
        rates = {member: rate * faded for member, rate in self._rates.items() if rate * faded > _SILENT}
        counts = np.bincount(batch.rows["machine"], minlength=len(batch.machines)).tolist()
        for key, count in zip(batch.machines, counts, strict=True):
            rates[key.member] = rates.get(key.member, 0.0) + count / _WINDOW_S
        self._rates = rates

    def _judge(self, waiting: Collection[str]) -> None:
        total, others = sum(self._rates.values()), len(self._rates) - 1
        loud = set(waiting)
        for member, rate in self._rates.items():
            bound = _bound(rate, total, others)
            if rate > bound or (member in self.loud and rate > _CALM * bound):
                loud.add(member)
        self.loud = loud
        self._heard |= loud

    def heard(self) -> set[str]:
        """Who was loud at any time since the last call."""
        heard, self._heard = self._heard, set(self.loud)
        return heard


def flooding(rates: Mapping[str, float]) -> set[str]:
    """Who is loud among members that send so many messages a second, of whatever kind."""
    total, others = sum(rates.values()), len(rates) - 1
    return {member for member, rate in rates.items() if rate > _bound(rate, total, others)}


def _bound(rate: float, total: float, others: int) -> float:
    return max(FLOOR, TIMES * (total - rate) / others) if others else math.inf


def _part(batch: ReadingBatch, rows: NDArray[np.intp]) -> ReadingBatch:
    """These rows with the machines that they are of."""
    part = batch.take(rows)
    used, part.rows["machine"] = np.unique(part.rows["machine"], return_inverse=True)
    return ReadingBatch(tuple(batch.machines[index] for index in used.tolist()), part.rows, part.metrics)
