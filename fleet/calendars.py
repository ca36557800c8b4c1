"""The overlays of an hour: staffed, offered, closed, reserved, lent, as boolean arrays over UTC hours.

A range is ``count`` whole hours from ``start`` (epoch seconds UTC). Calendars are written in local time; local weeks of
167 and 169 hours need nothing special, because only instants are compared. An hour that a shift covers in part counts
as staffed from half of it on, as offered only when all of it is, and as reserved or lent as soon as any of it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from fleet.network import Calendar, Day, Holidays, Machine, Member, Network, Reservation, Shift

Hours = NDArray[np.bool_]
"""One flag an hour, shape (count,); read-only, for it may be shared."""
Seconds = NDArray[np.float64]

_HOUR: Final = 3600
_A_MONDAY: Final = 4 * 86_400  # 5 January 1970
_WEEKDAY: Final = {day: number for number, day in enumerate(Day)}


@dataclass(frozen=True, slots=True)
class CalendarHours:
    """All overlays of one machine over one range.

    Attributes:
        staffed: people are there; never on closed days.
        offered: the owner proposes these hours; never on closed days.
        closed: the whole local day is a closure or a public holiday.
        reserved: promised or lent.
        lent: lent: leaves both sides of the utilisation.
        staffed_known: false when no staffed hours are stated, which is not the same as never.
        offered_known: likewise for offered hours.
    """

    staffed: Hours
    offered: Hours
    closed: Hours
    reserved: Hours
    lent: Hours
    staffed_known: bool
    offered_known: bool


def calendar_hours(member: Member, machine: Machine, network: Network, start: int, count: int) -> CalendarHours:
    """All overlays of a machine. Machines of one calendar share their arrays."""
    calendar = calendar_of(member, machine)
    timezone = member.timezone or network.timezone
    base = (network.holidays, timezone, start, count)
    return CalendarHours(
        staffed=staffed_hours(calendar, *base),
        offered=offered_hours(calendar, *base),
        closed=closed_days(calendar, *base),
        reserved=reserved_hours(machine.reservations, timezone, start, count),
        lent=reserved_hours(tuple(one for one in machine.reservations if one.lent), timezone, start, count),
        staffed_known=bool(calendar.staffed),
        offered_known=bool(calendar.offered),
    )


def calendar_of(member: Member, machine: Machine) -> Calendar:
    """The calendar in force: what the machine states itself, else its member's; closures of both count."""
    own = machine.calendar
    if own is None:
        return member.calendar
    stated = {name: getattr(own, name) for name in own.model_fields_set}
    stated["closures"] = (*member.calendar.closures, *own.closures)
    return member.calendar.model_copy(update=stated)


@lru_cache(maxsize=512)
def staffed_hours(calendar: Calendar, holidays: Holidays | None, timezone: str, start: int, count: int) -> Hours:
    """Hours of which at least half is staffed, on days that are not closed."""
    seconds = _shift_seconds(calendar.staffed, timezone, start, count)
    return _frozen((seconds >= _HOUR / 2) & ~closed_days(calendar, holidays, timezone, start, count))


@lru_cache(maxsize=512)
def staffed_week(calendar: Calendar) -> Hours | None:
    """Staffed hours of an ordinary week, Monday 00 first, shape (168,); None when no staffed hours are stated."""
    if not calendar.staffed:
        return None
    usual = calendar.model_copy(update={"closures": (), "works_on_holidays": True})
    return staffed_hours(usual, None, "UTC", _A_MONDAY, 168)


@lru_cache(maxsize=512)
def offered_hours(calendar: Calendar, holidays: Holidays | None, timezone: str, start: int, count: int) -> Hours:
    """Hours that are offered from beginning to end, on days that are not closed."""
    seconds = _shift_seconds(calendar.offered, timezone, start, count)
    return _frozen((seconds >= _HOUR) & ~closed_days(calendar, holidays, timezone, start, count))


@lru_cache(maxsize=512)
def closed_days(calendar: Calendar, holidays: Holidays | None, timezone: str, start: int, count: int) -> Hours:
    """Hours of local days that are a closure or, unless the calendar works on them, a public holiday."""
    days, midnights = _local_days(timezone, start, count)
    shut = np.zeros(len(days), dtype=np.bool_)
    for closure in calendar.closures:
        shut |= (days >= closure.first.toordinal()) & (days <= closure.last.toordinal())
    if not calendar.works_on_holidays:
        free = holiday_dates(holidays, *_years(days))
        shut |= np.isin(days, np.fromiter((day.toordinal() for day in free), np.int64, len(free)))
    return _frozen(_covered(midnights[:-1][shut], midnights[1:][shut], start, count) >= _HOUR / 2)


def reserved_hours(reservations: Iterable[Reservation], timezone: str, start: int, count: int) -> Hours:
    """Hours that any of the reservations touches; times without an offset are local."""
    zone = ZoneInfo(timezone)
    spans = np.array([(_utc(one.start, zone), _utc(one.end, zone)) for one in reservations]).reshape(-1, 2)
    return _frozen(_covered(spans[:, 0], spans[:, 1], start, count) > 0)


@lru_cache(maxsize=64)
def holiday_dates(holidays: Holidays | None, first_year: int, last_year: int) -> frozenset[date]:
    """Public holidays of these years, last one included, with the network's own extra days."""
    if holidays is None:
        return frozenset()
    return frozenset(holiday_names(holidays, first_year, last_year)) | frozenset(holidays.extra)


def holiday_names(holidays: Holidays, first_year: int, last_year: int, language: str = "fr") -> dict[date, str]:
    """Public holidays with their names, where the `holidays` library knows them in that language.

    Raises:
        ValueError: the library knows no such country or subdivision.
    """
    import holidays as public_holidays  # a sixth of what the start of a command costs, and most ask for none

    wanted = holidays.subdivision
    try:
        country = public_holidays.country_holidays(holidays.country)
    except NotImplementedError as error:
        raise ValueError(f"no public holidays are known of country {holidays.country!r}") from error
    if wanted is not None and wanted not in (*country.subdivisions, *country.subdivisions_aliases):
        # Old names, such as "GES" for the region of Alsace, are refused too: the library takes them and adds nothing.
        names = ", ".join(sorted(country.subdivisions)) or "none"
        raise ValueError(f"{holidays.country!r} has no subdivision {wanted!r} with holidays of its own; it has {names}")
    years = range(first_year, last_year + 1)
    return dict(
        public_holidays.country_holidays(holidays.country, subdiv=wanted, years=years, language=language).items()
    )


def _shift_seconds(shifts: Iterable[Shift], timezone: str, start: int, count: int) -> Seconds:
    """Seconds of each hour that the shifts cover."""
    days, midnights = _local_days(timezone, start, count)
    firsts, lasts = [np.zeros(0)], [np.zeros(0)]
    for shift in shifts:
        due = np.isin((days - 1) % 7, [_WEEKDAY[day] for day in shift.days])
        first, last = _seconds(shift.start), _seconds(shift.end)
        over = int(last <= first)
        firsts.append(_instants(days[due], midnights[:-1][due], first, timezone))
        lasts.append(_instants(days[due] + over, midnights[over : len(days) + over][due], last, timezone))
    return _covered(np.concatenate(firsts), np.concatenate(lasts), start, count)


def _covered(firsts: Seconds, lasts: Seconds, start: int, count: int) -> Seconds:
    """Seconds of each hour that the union of the spans covers, shape (count,)."""
    order = np.argsort(firsts, kind="stable")
    firsts, lasts = firsts[order], np.maximum.accumulate(lasts[order])
    firsts = np.maximum(firsts, np.concatenate([firsts[:1], lasts[:-1]]))  # what an earlier span covers is not counted
    lengths = np.maximum(lasts - firsts, 0.0)
    if not lengths.any():
        return np.zeros(count)
    edges = np.stack([firsts, firsts + lengths], axis=1).ravel()
    passed = np.cumsum(np.stack([np.zeros(len(lengths)), lengths], axis=1).ravel())
    return np.diff(np.interp(start + _HOUR * np.arange(count + 1), edges, passed))


@lru_cache(maxsize=64)
def _local_days(timezone: str, start: int, count: int) -> tuple[NDArray[np.int64], Seconds]:
    """Local days of the range and one before: ordinals, shape (n,), and their midnights, shape (n + 1,), epoch s."""
    zone = ZoneInfo(timezone)
    first = datetime.fromtimestamp(start, zone).toordinal() - 1  # its last shift may reach into the range
    last = datetime.fromtimestamp(start + count * _HOUR, zone).toordinal()
    days = np.arange(first, last + 1, dtype=np.int64)
    return days, np.array([_instant(day, 0.0, zone) for day in range(first, last + 2)])


def _years(days: NDArray[np.int64]) -> tuple[int, int]:
    return date.fromordinal(int(days[0])).year, date.fromordinal(int(days[-1])).year


def _instants(days: NDArray[np.int64], midnights: Seconds, seconds: float, timezone: str) -> Seconds:
    """Epoch seconds of a local time of day on each of these days."""
    instants = midnights + seconds
    zone = ZoneInfo(timezone)
    for index in np.flatnonzero(_changes(days, timezone)):
        instants[index] = _instant(int(days[index]), seconds, zone)
    return instants


def _changes(days: NDArray[np.int64], timezone: str) -> NDArray[np.bool_]:
    """On which of the days the clock changes."""
    return np.fromiter((_day_length(int(day), timezone) != 86_400 for day in days), np.bool_, len(days))


@lru_cache(maxsize=16_384)
def _day_length(day: int, timezone: str) -> float:
    zone = ZoneInfo(timezone)
    return _instant(day + 1, 0.0, zone) - _instant(day, 0.0, zone)


def _instant(day: int, seconds: float, zone: ZoneInfo) -> float:
    """Epoch seconds of a local time of a day; a time that the clock change skips is the one an hour later."""
    wall = datetime.fromordinal(day) + timedelta(seconds=seconds)
    return wall.replace(tzinfo=zone).timestamp()


def _seconds(at: time) -> float:
    return float(at.hour * 3600 + at.minute * 60 + at.second)


def _utc(at: datetime, zone: ZoneInfo) -> float:
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).timestamp()


def _frozen(flags: Hours) -> Hours:
    flags.setflags(write=False)
    return flags
