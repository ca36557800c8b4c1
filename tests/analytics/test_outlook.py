"""The outlook of a machine, by hand-made weeks."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from analytics import outlook
from analytics.history import History
from fleet.network import Calendar, Closure, Day, Offer, Reservation, Shift
from fleet.records import ChanceBasis, HourBucket, Outlook
from fleet.states import PRODUCING, STANDBY, UNKNOWN
from gateway.publish import publish
from tests.analytics.machines import CALENDAR, NETWORK, PARIS, TWO_SHIFTS, hours, local, machine, member, mornings

NOW = local(2026, 9, 9, 10)
WEEKS_AGO = local(2026, 6, 1)


def build(buckets: list[HourBucket], now: datetime = NOW, calendar: Calendar = CALENDAR, **changes: Any) -> Outlook:
    one = machine(**changes)
    return outlook.build(member(one, calendar=calendar), one, NETWORK, buckets, None, now)


@pytest.fixture(scope="module")
def weeks() -> list[HourBucket]:
    return hours(WEEKS_AGO, NOW, mornings)


def test_figures_of_twelve_weeks_and_the_running_one(weeks: list[HourBucket]) -> None:
    found = build(weeks)
    assert found.weeks == 13
    assert [entry["monday"] for entry in found.weekly][::12] == ["2026-06-15", "2026-09-07"]
    assert found.utilisation == pytest.approx((3 * 5 * 12 - 2 * 3 + 9 - 0) / ((16 * 5 * 12) - 16 * 2 + 36), abs=0.02)
    assert found.weekly[0]["utilisation"] == pytest.approx(3 / 16)
    assert found.weekly[0]["utilisation_calendar"] == pytest.approx(15 / 168)
    assert found.weekly[0]["shareable_hours"] == 5 * 7.0  # five evenings of 8 h, less the changeover
    assert found.weekly[-1]["shareable_hours"] is None  # not over
    assert found.coverage == 1.0
    assert found.shareable_hours_per_week == 28.0  # the weeks of 14 July and 15 August are not alike
    assert found.shareable_in_weeks == (12, 12)
    assert (found.grid[6], found.grid[12], len(found.grid)) == (1.0, 0.0, 168)
    assert set(found.grid_coverage) == {1.0}
    assert (found.basis, found.model) == ("state", "v1")
    assert Outlook.model_validate_json(found.model_dump_json()) == found


def test_the_present_is_that_of_the_newest_hour_until_it_is_stale(weeks: list[HourBucket]) -> None:
    found = build(weeks)
    assert (found.state, found.state_since) == ("STANDBY", local(2026, 9, 9, 9))
    stale = build(weeks, NOW + timedelta(hours=1))
    assert (stale.state, stale.state_since) == ("UNKNOWN", NOW)
    assert build(weeks, NOW + timedelta(hours=1), every=3600.0).state == "STANDBY"
    told = outlook.Live("OFF", NOW, NOW)
    live = outlook.build(member(), machine(), NETWORK, weeks, None, NOW, live=told)
    assert (live.state, live.last_reading) == ("OFF", NOW)


def test_free_windows_lie_inside_the_offered_hours(weeks: list[HourBucket]) -> None:
    found = build(weeks)
    assert found.window_hours == 5.0  # L_min + b
    spans = [(window.start.astimezone(PARIS), window.end.astimezone(PARIS)) for window in found.free]
    assert {(start.hour, end.hour) for start, end in spans} == {(14, 19), (15, 20), (16, 21), (17, 22)}
    assert {start.weekday() for start, _ in spans} == {0, 1, 2, 3, 4}
    assert len(spans) == 10 * 4
    assert all(window.probability > 0.95 for window in found.free)  # seen free twelve times of twelve
    assert found.free[0].start == local(2026, 9, 9, 14).astimezone(UTC)


def test_reservations_closures_and_an_unshared_machine_have_no_windows(weeks: list[HourBucket]) -> None:
    booked = Reservation(start=local(2026, 9, 9, 18), end=local(2026, 9, 9, 19))
    on_day = [window.start.astimezone(PARIS).hour for window in build(weeks, reservations=(booked,)).free][:2]
    assert on_day == [14, 15]  # of the next day: 13 h to 18 h is not offered before 14 h
    shut = CALENDAR.model_copy(update={"closures": (Closure(first=date(2026, 9, 9), last=date(2026, 9, 30)),)})
    assert build(weeks, calendar=shut).free == []
    assert build(weeks, shareable=False).free == []
    assert build(weeks, shareable=False).shareable_hours_per_week is None


def test_without_calendars_there_is_no_utilisation_and_nothing_is_offered(weeks: list[HourBucket]) -> None:
    found = build(weeks, calendar=Calendar())
    assert found.utilisation is None
    assert found.utilisation_calendar == pytest.approx(15 / 168, abs=0.01)
    assert found.shareable_hours_per_week is None
    assert found.weekly[0]["shareable_hours"] is None
    assert found.free == []
    assert build(weeks, calendar=Calendar(staffed=(TWO_SHIFTS,))).utilisation is not None


def test_a_machine_of_which_little_is_known_leans_on_its_trade_for_its_owner_alone() -> None:
    young = build(hours(NOW - timedelta(days=10), NOW, mornings))
    assert young.free == []  # nothing that could be published
    assert [window.start for window in young.assumed] == [window.start for window in young.free_to_owner]
    assert young.chance_basis is not None
    assert young.chance_basis.own_weeks == pytest.approx(10 / 7)
    assert 0.4 < young.chance_basis.trade_share < 0.7
    assert publish(young, NOW.date(), PARIS).windows == ()
    assert young.coverage == 1.0  # the weeks before it was connected are no gap
    nothing = build([])
    assert (nothing.state, nothing.weeks, nothing.coverage, nothing.weekly) == ("UNKNOWN", 0, 0.0, [])
    assert nothing.grid == [None] * 168
    assert nothing.chance_basis == ChanceBasis(own_weeks=0.0, trade_share=1.0, siblings=0)
    assert nothing.free == []
    assert nothing.assumed
    assert publish(nothing, NOW.date(), PARIS).windows == ()


def test_two_weeks_are_enough_to_be_told_to_others() -> None:
    old = build(hours(NOW - timedelta(days=14), NOW, mornings))
    assert (old.assumed, bool(old.free)) == ([], True)
    assert old.chance_basis is not None
    assert old.chance_basis.trade_share < 0.5


def test_weeks_seen_in_snatches_are_not_enough() -> None:
    """Every other hour of eight weeks: no window of five hours was ever seen whole."""
    snatches = build(hours(NOW - timedelta(weeks=8), NOW, lambda at: STANDBY if at.hour % 2 else UNKNOWN))
    assert snatches.chance_basis is not None
    assert snatches.chance_basis.own_weeks == pytest.approx(4.0, abs=0.1)
    assert snatches.chance_basis.trade_share == 1.0
    assert (snatches.free, bool(snatches.assumed)) == ([], True)


def test_an_offer_by_declaration_has_no_chance() -> None:
    declared = build([], offer=Offer(kind="declared"))
    assert (declared.free, declared.assumed, declared.chance_basis) == ([], [], None)


def test_badly_seen_weeks_make_no_promise(weeks: list[HourBucket]) -> None:
    gap = [
        one for one in weeks if not local(2026, 8, 17, 14) <= datetime.fromtimestamp(one.hour, UTC) < local(2026, 8, 22)
    ]
    found = build(gap)
    assert found.weekly[9]["shareable_hours"] is None
    assert found.weekly[9]["coverage"] == pytest.approx(1 - 106 / 168)
    assert found.shareable_in_weeks == (11, 11)


def test_unknown_time_is_never_free() -> None:
    silent = hours(WEEKS_AGO, NOW, lambda at: UNKNOWN if at.weekday() == 1 else mornings(at))
    found = build(silent)
    tuesdays = [w.probability for w in found.free if w.start.astimezone(PARIS).weekday() == 1]
    others = [w.probability for w in found.free if w.start.astimezone(PARIS).weekday() == 2]
    assert max(tuesdays) < min(others)
    assert found.grid[24:48] == [None] * 24
    assert found.weekly[0]["shareable_hours"] == 4 * 7.0


def test_history_and_buckets_give_one_outlook(weeks: list[HourBucket]) -> None:
    history = History.from_buckets(weeks, "Europe/Paris", end=int(NOW.timestamp()) + 7200)
    assert outlook.build(member(), machine(), NETWORK, history, None, NOW) == build(weeks)


def test_the_week_of_the_members_other_machines_shapes_a_short_history() -> None:
    old = History.from_buckets(hours(WEEKS_AGO, NOW, lambda at: PRODUCING if at.hour < 18 else STANDBY), "Europe/Paris")
    young = History.from_buckets(
        hours(NOW - timedelta(days=3), NOW, lambda at: PRODUCING if at.hour < 18 else STANDBY), "Europe/Paris"
    )
    both = [(machine(id="old"), old), (machine(), young)]
    profile = outlook.fleet_profile(outlook.kin_of(member(), one, NETWORK, past) for one, past in both)
    alone, together = (outlook.build(member(), machine(), NETWORK, young, p, NOW) for p in (None, profile))
    first = [found.assumed[0].probability for found in (alone, together)]  # 14 h to 19 h: never free
    assert first[1] < first[0]


@pytest.mark.parametrize(("change", "offered"), [(local(2026, 10, 25), 169), (local(2027, 3, 28), 167)])
def test_a_week_in_which_the_clocks_change_is_told_by_local_hours(change: datetime, offered: int) -> None:
    """Always offered: a window of 5 h from every hour of that week, none twice, with the chance of its local hour."""
    daily = Shift(days=tuple(Day), start=time(0), end=time(0))
    whole = Calendar(staffed=(TWO_SHIFTS,), offered=(daily,), works_on_holidays=True)
    now = datetime.combine((change - timedelta(days=6)).date(), time(0), PARIS)
    found = build(hours(now - timedelta(weeks=8), now, mornings), now, calendar=whole, reservations=())
    starts = [window.start for window in found.free]
    end = datetime.combine((now + timedelta(days=7)).date(), time(0), PARIS)
    assert sum(start < end for start in starts) == offered
    assert len(set(starts)) == len(starts) == 336
    chances: dict[tuple[int, int], set[float]] = {}
    for window in found.free:
        start = window.start.astimezone(PARIS)
        assert window.end - window.start == timedelta(hours=5)
        chances.setdefault((start.weekday(), start.hour), set()).add(window.probability)
    assert all(len(told) == 1 for told in chances.values())
    assert max(chances[0, 6]) < 0.2 < 0.9 < min(chances[0, 10])


def test_a_reservation_over_the_change_of_clocks_blocks_every_window_that_touches_it() -> None:
    whole = Calendar(offered=(Shift(days=tuple(Day), start=time(0), end=time(0)),), works_on_holidays=True)
    now = local(2026, 10, 20)
    booked = Reservation(start=local(2026, 10, 25, 1), end=local(2026, 10, 25, 4))  # four hours long
    found = build(hours(now - timedelta(weeks=8), now, mornings), now, calendar=whole, reservations=(booked,))
    assert booked.end.timestamp() - booked.start.timestamp() == 4 * 3600
    assert len(found.free) == 336 - (4 + 5 - 1)
    assert all(window.end <= booked.start or window.start >= booked.end for window in found.free)


def test_a_closed_day_is_told_free_only_where_it_is_offered() -> None:
    """All Saints is a holiday: no window without an offer of that day; a calendar that works on holidays has one."""
    daily = Shift(days=tuple(Day), start=time(0), end=time(0))
    now = local(2026, 10, 28)
    past = hours(now - timedelta(weeks=8), now, mornings)
    day = local(2026, 11, 1).date()
    shut = build(past, now, calendar=Calendar(offered=(daily,)))
    opened = build(past, now, calendar=Calendar(offered=(daily,), works_on_holidays=True))
    touching = [
        sum(window.start.astimezone(PARIS).date() <= day <= (window.end - timedelta(seconds=1)).astimezone(PARIS).date()
            for window in found.free)
        for found in (shut, opened)
    ]  # fmt: skip
    assert touching == [0, 24 + 5 - 1]
