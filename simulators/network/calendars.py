"""Shift patterns of the trades, closures of the year, and the hours a member would offer."""

from datetime import date, time, timedelta
from typing import Final

import numpy as np

from fleet.network import Calendar, Closure, Day, Shift

_WEEK: Final = tuple(Day)
_WORKDAYS: Final = _WEEK[:5]


def _shift(days: tuple[Day, ...], start: str, end: str) -> Shift:
    return Shift(days=days, start=time.fromisoformat(start), end=time.fromisoformat(end))


STAFFED: Final = {
    "1x8": (_shift(_WORKDAYS, "07:30", "12:00"), _shift(_WORKDAYS, "13:00", "16:30")),
    "2x8": (_shift(_WORKDAYS, "05:00", "13:00"), _shift(_WORKDAYS, "13:00", "21:00")),
    "3x8": (
        _shift(_WORKDAYS, "05:00", "13:00"),
        _shift(_WORKDAYS, "13:00", "21:00"),
        _shift(_WORKDAYS, "21:00", "05:00"),
    ),
    "saturday": (_shift((Day.SAT,), "06:00", "12:00"),),
    "always": (_shift(_WEEK, "00:00", "00:00"),),
}
OFFERED: Final = {
    "1x8": (_shift(_WORKDAYS, "07:30", "19:30"),),
    "2x8": (_shift(_WORKDAYS, "05:00", "21:00"),),
    "3x8": (_shift(_WORKDAYS, "00:00", "00:00"),),
}


def calendar(pattern: str, now: date, rng: np.random.Generator) -> Calendar:
    """The calendar of a member: shifts, some Saturdays, offered hours, August and year-end closures around ``now``."""
    staffed = STAFFED[pattern] + (STAFFED["saturday"] if rng.random() < 0.15 else ())
    weeks, first_monday = int(rng.integers(2, 4)), int(rng.integers(0, 2))
    closures = [
        closure
        for year in (now.year - 1, now.year, now.year + 1)
        for closure in _closures(year, weeks, first_monday)
        if abs((closure.first - now).days) < 400
    ]
    return Calendar(staffed=staffed, offered=OFFERED[pattern], closures=tuple(closures))


def utility_calendar() -> Calendar:
    """A compressor runs as long as the site is under pressure: always."""
    return Calendar(staffed=STAFFED["always"], works_on_holidays=True)


def _closures(year: int, weeks: int, first_monday: int) -> tuple[Closure, Closure]:
    august = date(year, 8, 1)
    monday = august + timedelta(days=(7 - august.weekday()) % 7, weeks=first_monday)
    summer = Closure(first=monday, last=monday + timedelta(days=7 * weeks - 1), reason="Congés d’été")
    winter = Closure(first=date(year, 12, 24), last=date(year + 1, 1, 2), reason="Fin d’année")
    return summer, winter
