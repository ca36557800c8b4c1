"""The staffed hours of a machine as blocks of about four hours, week by week, in epoch seconds."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import holidays

from fleet.network import Calendar, Day, Holidays, Shift

_EPOCH_MONDAY: Final = date(1970, 1, 5)
_DAYS: Final = tuple(Day)
_BLOCK_HOURS: Final = 4.0
_UNKNOWN_HOURS: Final = (
    Shift(days=_DAYS[:5], start=time(8), end=time(12)),
    Shift(days=_DAYS[:5], start=time(13), end=time(17)),
)
"""A calendar without staffed hours does not say "never": such a machine works one shift, unannounced."""


class Block(NamedTuple):
    """Part of a shift, epoch seconds; ``slot`` is the same in every week for the same hours of the week."""

    start: float
    end: float
    slot: int


def monday_of(week: int) -> date:
    """The local Monday that week ``week`` begins with; week 0 begins on 5 January 1970."""
    return _EPOCH_MONDAY + timedelta(weeks=week)


def week_of(day: date) -> int:
    """Number of the week that a local date lies in."""
    return (day - _EPOCH_MONDAY).days // 7


class Schedule:
    """A calendar in its time zone with its public holidays; shared by all machines that keep the same one."""

    def __init__(self, calendar: Calendar, zone: ZoneInfo, public: Holidays | None) -> None:
        self.zone = zone
        self._calendar = calendar
        self._public = public
        self._shifts = calendar.staffed or _UNKNOWN_HOURS
        self._pieces = [max(1, round(_hours(shift) / _BLOCK_HOURS)) for shift in self._shifts]
        self.slots = sum(pieces * len(shift.days) for pieces, shift in zip(self._pieces, self._shifts, strict=True))
        self._weeks: dict[int, tuple[Block, ...]] = {}

    def bounds(self, week: int) -> tuple[float, float]:
        """Epoch seconds at which the local week begins and ends; 167 or 169 hours where the clock changes."""
        first, last = (datetime.combine(monday_of(number), time(), self.zone) for number in (week, week + 1))
        return first.timestamp(), last.timestamp()

    def week_at(self, at: float) -> int:
        """Number of the local week that an instant (epoch seconds) lies in."""
        return week_of(datetime.fromtimestamp(at, self.zone).date())

    def closed(self, day: date) -> bool:
        """Whether the calendar's closures or a public holiday keep that day free of work."""
        if any(closure.first <= day <= closure.last for closure in self._calendar.closures):
            return True
        if self._public is None or self._calendar.works_on_holidays:
            return False
        return day in self._public.extra or day in _public_days(
            self._public.country, self._public.subdivision, day.year
        )

    def blocks(self, week: int) -> tuple[Block, ...]:
        """The staffed blocks that begin in the week, in order, without overlaps."""
        if week not in self._weeks:
            self._weeks[week] = tuple(_apart(sorted(self._raw_blocks(week))))
        return self._weeks[week]

    def _raw_blocks(self, week: int) -> Iterable[Block]:
        slot = 0
        for shift, pieces in zip(self._shifts, self._pieces, strict=True):
            for name in shift.days:
                day = monday_of(week) + timedelta(days=_DAYS.index(name))
                if not self.closed(day):
                    yield from self._split(day, shift, pieces, slot)
                slot += pieces

    def _split(self, day: date, shift: Shift, pieces: int, slot: int) -> Iterable[Block]:
        start = datetime.combine(day, shift.start, self.zone).timestamp()
        last_day = day if shift.end > shift.start else day + timedelta(days=1)
        end = datetime.combine(last_day, shift.end, self.zone).timestamp()
        edges = [start + (end - start) * piece / pieces for piece in range(pieces + 1)]
        for offset, (first, last) in enumerate(pairwise(edges)):
            yield Block(first, last, slot + offset)


def _hours(shift: Shift) -> float:
    minutes = (shift.end.hour - shift.start.hour) * 60 + shift.end.minute - shift.start.minute
    return (minutes if minutes > 0 else minutes + 1440) / 60


def _apart(blocks: Iterable[Block]) -> Iterable[Block]:
    busy_until = float("-inf")
    for block in blocks:
        start = max(block.start, busy_until)
        if block.end > start:
            yield Block(start, block.end, block.slot)
            busy_until = block.end


@lru_cache(maxsize=64)
def _public_days(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
