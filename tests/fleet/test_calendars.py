"""Overlays of hours: shifts, holidays, closures, clock changes, against a plain reckoning minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from holidays import country_holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.calendars import (
    calendar_hours,
    calendar_of,
    closed_days,
    holiday_dates,
    holiday_names,
    offered_hours,
    reserved_hours,
    staffed_hours,
)
from fleet.network import Calendar, Closure, Day, Holidays, Machine, Member, Network, Place, Reservation, Shift

PARIS = "Europe/Paris"
ALSACE = Holidays(country="FR", subdivision="6AE")
WEEK = tuple(Day)
WORKDAYS = WEEK[:5]


def epoch(year: int, month: int, day: int, hour: int = 0, zone: str = PARIS) -> int:
    return int(datetime(year, month, day, hour, tzinfo=ZoneInfo(zone)).timestamp())


def shift(days: tuple[Day, ...], start: str, end: str) -> Shift:
    return Shift(days=days, start=time.fromisoformat(start), end=time.fromisoformat(end))


def test_holidays_of_alsace_are_thirteen_and_the_silent_subdivision_is_known() -> None:
    for year in range(2024, 2031):
        days = holiday_names(ALSACE, year, year)
        names = set(days.values())
        assert {"Vendredi saint", "Saint-Étienne"} <= names
        assert date(year, 12, 26) in days
        # A holiday that falls on another one shares its day: 13 days in every year but those.
        assert sum(name.count(";") + 1 for name in days.values()) == 13
    assert date(2026, 4, 3) in holiday_dates(ALSACE, 2026, 2026)
    assert len(holiday_dates(ALSACE, 2026, 2026)) == 13


def test_the_region_is_refused_because_the_library_would_add_nothing_for_it() -> None:
    with pytest.warns(DeprecationWarning, match="6AE"):
        assert len(country_holidays("FR", subdiv="GES", years=2026)) == 11
    with pytest.raises(ValueError, match="6AE"):
        holiday_dates(Holidays(country="FR", subdivision="GES"), 2026, 2026)


def test_extra_days_and_networks_without_holidays() -> None:
    own = Holidays(country="FR", subdivision="6AE", extra=(date(2026, 12, 24),))
    assert date(2026, 12, 24) in holiday_dates(own, 2026, 2026)
    assert holiday_dates(None, 2026, 2026) == frozenset()
    with pytest.raises(ValueError, match="ZZ"):
        holiday_dates(Holidays(country="ZZ"), 2026, 2026)


def test_a_shift_over_midnight_belongs_to_the_day_it_begins() -> None:
    calendar = Calendar(staffed=(shift((Day.FRI,), "22:00", "06:00"),))
    start = epoch(2026, 2, 6, 18)  # a Friday
    staffed = staffed_hours(calendar, None, PARIS, start, 18)
    assert np.flatnonzero(staffed).tolist() == list(range(4, 12))
    assert staffed_hours(calendar, None, PARIS, epoch(2026, 2, 7), 24).sum() == 6  # the part of Saturday alone


def test_midnight_to_midnight_is_the_whole_day() -> None:
    calendar = Calendar(staffed=(shift((Day.MON,), "00:00", "00:00"),))
    assert staffed_hours(calendar, None, PARIS, epoch(2026, 2, 2), 24).all()
    assert not staffed_hours(calendar, None, PARIS, epoch(2026, 2, 3), 24).any()


@pytest.mark.parametrize(
    ("monday", "hours", "sunday_night"),
    [(date(2026, 3, 23), 167, 5), (date(2026, 10, 19), 169, 7), (date(2026, 2, 2), 168, 6)],
)
def test_weeks_of_167_and_169_hours(monday: date, hours: int, sunday_night: int) -> None:
    start = epoch(monday.year, monday.month, monday.day)
    next_week = monday + timedelta(days=7)
    count = (epoch(next_week.year, next_week.month, next_week.day) - start) // 3600
    assert count == hours
    always = Calendar(staffed=(shift(WEEK, "00:00", "00:00"),))
    assert staffed_hours(always, None, PARIS, start, count).sum() == hours
    night = Calendar(staffed=(shift((Day.SAT,), "22:00", "04:00"),))
    assert staffed_hours(night, None, PARIS, start, count).sum() == sunday_night
    day = Calendar(staffed=(shift(WEEK, "06:00", "14:00"),))
    assert staffed_hours(day, None, PARIS, start, count).sum() == 56


def test_part_hours_staffed_from_half_offered_only_whole_reserved_at_once() -> None:
    spans = (shift((Day.MON,), "05:30", "13:15"),)
    start = epoch(2026, 2, 2)
    staffed = staffed_hours(Calendar(staffed=spans), None, PARIS, start, 24)
    offered = offered_hours(Calendar(offered=spans), None, PARIS, start, 24)
    assert np.flatnonzero(staffed).tolist() == list(range(5, 13))
    assert np.flatnonzero(offered).tolist() == list(range(6, 13))
    booked = Reservation(start=datetime(2026, 2, 2, 5, 59), end=datetime(2026, 2, 2, 7, 0))  # noqa: DTZ001  # local
    assert np.flatnonzero(reserved_hours((booked,), PARIS, start, 24)).tolist() == [5, 6]


def test_touching_and_overlapping_shifts_are_one() -> None:
    calendar = Calendar(offered=(shift((Day.MON,), "06:00", "10:30"), shift((Day.MON,), "09:00", "12:00"),
                                 shift((Day.MON,), "12:00", "12:30"), shift((Day.MON,), "12:30", "13:00")))  # fmt: skip
    offered = offered_hours(calendar, None, PARIS, epoch(2026, 2, 2), 24)
    assert np.flatnonzero(offered).tolist() == list(range(6, 13))


def test_closed_days_are_neither_staffed_nor_offered() -> None:
    day = (shift(WORKDAYS, "08:00", "16:00"),)
    calendar = Calendar(staffed=day, offered=day, closures=(Closure(first=date(2026, 4, 7), last=date(2026, 4, 8)),))
    start = epoch(2026, 3, 30)
    closed = closed_days(calendar, ALSACE, PARIS, start, 14 * 24)
    # Good Friday, Easter Monday and the two days of the closure
    assert sorted(set((np.flatnonzero(closed) // 24).tolist())) == [4, 7, 8, 9]
    assert closed.sum() == 4 * 24
    assert staffed_hours(calendar, ALSACE, PARIS, start, 14 * 24).sum() == 6 * 8
    assert offered_hours(calendar, ALSACE, PARIS, start, 14 * 24).sum() == 6 * 8
    works = calendar.model_copy(update={"works_on_holidays": True})
    assert staffed_hours(works, ALSACE, PARIS, start, 14 * 24).sum() == 8 * 8
    assert closed_days(works, ALSACE, PARIS, start, 14 * 24).sum() == 2 * 24


def network() -> Network:
    return Network(name="N", place=Place(commune="Haguenau"), timezone=PARIS, holidays=ALSACE)


def test_a_machine_states_what_differs_from_its_member() -> None:
    member = Member(
        slug="d", name="D", place=Place(commune="Hatten"),
        calendar=Calendar(
            staffed=(shift(WORKDAYS, "06:00", "14:00"),),
            closures=(Closure(first=date(2026, 2, 2), last=date(2026, 2, 2)),),
        ),
    )  # fmt: skip
    own = Machine(id="a", name="A", calendar=Calendar(offered=(shift((Day.SAT,), "06:00", "14:00"),)))
    start = epoch(2026, 2, 2)
    hours = calendar_hours(member, own, network(), start, 168)
    assert (hours.staffed.sum(), hours.offered.sum(), hours.closed.sum()) == (32, 8, 24)
    assert (hours.staffed_known, hours.offered_known) == (True, True)
    plain = calendar_hours(member, Machine(id="b", name="B"), network(), start, 168)
    assert (plain.staffed_known, plain.offered_known, plain.offered.sum()) == (True, False, 0)
    night = Machine(id="c", name="C", calendar=Calendar(staffed=(shift(WORKDAYS, "20:00", "22:00"),)))
    assert calendar_hours(member, night, network(), start, 168).staffed.sum() == 8
    assert calendar_of(member, night).closures == member.calendar.closures


def test_lent_hours_are_reserved_too_and_known_apart() -> None:
    spans = (
        Reservation(start=datetime(2026, 2, 2, 8, tzinfo=UTC), end=datetime(2026, 2, 2, 10, tzinfo=UTC), lent=True),
        Reservation(start=datetime(2026, 2, 2, 20, tzinfo=UTC), end=datetime(2026, 2, 2, 21, tzinfo=UTC)),
    )
    member = Member(slug="d", name="D", place=Place(commune="Hatten"))
    machine = Machine(id="a", name="A", reservations=spans)
    hours = calendar_hours(member, machine, network(), epoch(2026, 2, 2, zone="UTC"), 24)
    assert np.flatnonzero(hours.reserved).tolist() == [8, 9, 20]
    assert np.flatnonzero(hours.lent).tolist() == [8, 9]
    assert not hours.staffed_known


def test_arrays_are_shared_and_cannot_be_written() -> None:
    calendar = Calendar(staffed=(shift(WORKDAYS, "06:00", "14:00"),))
    one = staffed_hours(calendar, ALSACE, PARIS, epoch(2026, 2, 2), 2016)
    assert staffed_hours(calendar.model_copy(), ALSACE, PARIS, epoch(2026, 2, 2), 2016) is one
    with pytest.raises(ValueError, match="read-only"):
        one[0] = True


TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
SHIFTS = st.lists(
    st.builds(Shift, days=st.lists(st.sampled_from(WEEK), min_size=1, max_size=4).map(tuple), start=TIMES, end=TIMES),
    max_size=4,
)


def plainly(shifts: list[Shift], zone: str, start: int, count: int) -> list[float]:
    """Minutes of each hour in any shift, one minute at a time on the wall clock."""
    return [
        sum(_inside(shifts, start + 3600 * hour + 60 * minute, zone) for minute in range(60)) for hour in range(count)
    ]


def _inside(shifts: list[Shift], at: int, zone: str) -> bool:
    local = datetime.fromtimestamp(at, ZoneInfo(zone))
    for back in (0, 1):
        day = local.date() - timedelta(days=back)
        for one in shifts:
            if WEEK[day.weekday()] in one.days:
                first = datetime.combine(day, one.start, ZoneInfo(zone)).timestamp()
                over = timedelta(days=1 if one.end <= one.start else 0)
                if first <= at < datetime.combine(day + over, one.end, ZoneInfo(zone)).timestamp():
                    return True
    return False


@settings(max_examples=40, deadline=None)
@given(
    SHIFTS,
    st.sampled_from([PARIS, "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]),
    st.sampled_from([(2026, 3, 28), (2026, 10, 24), (2026, 4, 4), (2026, 7, 1), (2025, 12, 31)]),
)
def test_it_equals_a_plain_reckoning(shifts: list[Shift], zone: str, day: tuple[int, int, int]) -> None:
    start, count = epoch(*day, zone="UTC"), 60
    minutes = np.array(plainly(shifts, zone, start, count))
    calendar = Calendar(staffed=tuple(shifts), offered=tuple(shifts))
    assert staffed_hours(calendar, None, zone, start, count).tolist() == (minutes >= 30).tolist()
    assert offered_hours(calendar, None, zone, start, count).tolist() == (minutes >= 60).tolist()
