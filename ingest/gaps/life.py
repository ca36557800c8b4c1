"""The numbers of one life of a device: which came, which did not. Pure.

``seq`` grows by one with each reading of a life (``boot``). A number passed over is missing until it comes after all;
what comes twice or in another order makes no gap. Before the first and after the newest number nothing can be known.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import Enum, auto
from operator import attrgetter
from typing import Any, Final, NamedTuple

MAX_GAPS: Final = 64
"""Ranges a life; a device chooses its numbers, so memory must be bounded. The oldest is given up first."""
FARTHEST: Final = 1_000_000
"""A larger step is no loss but another count: a day at ten readings a second has fewer."""


class Gap(NamedTuple):
    """Numbers that did not come.

    Attributes:
        first, last: both are missing.
        after_ms, before_ms: device times of the readings around them, epoch ms.
        noticed_ms: arrival of the reading that told of it, epoch ms.
    """

    first: int
    last: int
    after_ms: int
    before_ms: int
    noticed_ms: int

    @property
    def size(self) -> int:
        """How many are missing."""
        return self.last - self.first + 1


class Took(Enum):
    """What a number was."""

    NEXT = auto()
    GAP = auto()
    """Later than the next one."""
    LATE = auto()
    """A missing one, or one before the first."""
    AGAIN = auto()
    """One that came before."""
    RESTART = auto()
    """Of another count: too far away, or taken already by an older reading. The life is as it was."""


_first: Final = attrgetter("first")


@dataclass(slots=True)
class Life:
    """One life.

    Attributes:
        low, top: the smallest and the largest number that came.
        low_ms: device time of the smallest.
        newest_ms: newest device time.
        gaps: by number.
        given_up: missing numbers in ranges that are not followed any more.
    """

    low: int
    top: int
    low_ms: int
    newest_ms: int
    gaps: list[Gap] = field(default_factory=list)
    given_up: int = 0

    @classmethod
    def begin(cls, number: int, at_ms: int) -> "Life":
        """A life of which this is the first number heard."""
        return cls(number, number, at_ms, at_ms)

    @property
    def missing(self) -> int:
        """How many numbers are missing and followed."""
        return sum(gap.size for gap in self.gaps)

    def take(self, number: int, at_ms: int, arrived_ms: int) -> Took:
        """Take the number of a reading of device time ``at_ms``, which is ``arrived_ms`` when it carried none."""
        if number > self.top:
            return self._forward(number, at_ms, arrived_ms)
        index = self._gap(number)
        if index is not None:
            self._fill(index, number, at_ms)
            return Took.LATE
        if self._is_restart(number, at_ms, arrived_ms):
            return Took.RESTART
        if number >= self.low:
            return Took.AGAIN
        if self.low - number > 1:
            self._add(0, Gap(number + 1, self.low - 1, at_ms, self.low_ms, arrived_ms))
        self.low, self.low_ms = number, at_ms
        return Took.LATE

    def lacks(self, number: int) -> bool:
        """Whether this number is missing."""
        return self._gap(number) is not None

    def expire(self, noticed_before_ms: int) -> None:
        """Give up what is missing for longer."""
        self._give_up([gap for gap in self.gaps if gap.noticed_ms < noticed_before_ms])

    def _forward(self, number: int, at_ms: int, arrived_ms: int) -> Took:
        passed = number - self.top - 1
        if passed > FARTHEST:
            return Took.RESTART
        if passed:
            self._add(len(self.gaps), Gap(self.top + 1, number - 1, self.newest_ms, at_ms, arrived_ms))
        self.top, self.newest_ms = number, max(self.newest_ms, at_ms)
        return Took.GAP if passed else Took.NEXT

    def _is_restart(self, number: int, at_ms: int, arrived_ms: int) -> bool:
        """A reading sent again is not newer than the newest; without a time of its own, a count from 0 or 1 tells."""
        if self.low - number > FARTHEST:
            return True
        return at_ms > self.newest_ms and (at_ms != arrived_ms or number <= 1 < self.top)

    def _gap(self, number: int) -> int | None:
        index = bisect_right(self.gaps, number, key=_first) - 1
        return index if index >= 0 and number <= self.gaps[index].last else None

    def _fill(self, index: int, number: int, at_ms: int) -> None:
        gap = self.gaps.pop(index)
        if number < gap.last:
            self._add(index, gap._replace(first=number + 1, after_ms=at_ms))
        if number > gap.first:
            self._add(index, gap._replace(last=number - 1, before_ms=at_ms))

    def _add(self, index: int, gap: Gap) -> None:
        self.gaps.insert(index, gap)
        if len(self.gaps) > MAX_GAPS:
            self._give_up([self.gaps[0]])

    def _give_up(self, gaps: list[Gap]) -> None:
        for gap in gaps:
            self.gaps.remove(gap)
            self.given_up += gap.size

    def as_row(self) -> list[Any]:
        """JSON values."""
        return [self.low, self.top, self.low_ms, self.newest_ms, self.gaps, self.given_up]

    @classmethod
    def of_row(cls, row: list[Any]) -> "Life":
        """The inverse of :meth:`as_row`."""
        low, top, low_ms, newest_ms, gaps, given_up = row
        return cls(low, top, low_ms, newest_ms, [Gap(*gap) for gap in gaps], given_up)
