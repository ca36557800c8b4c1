"""Closures, August, the turn of the year and holidays make no machine look under-used, and hide none that is."""

from datetime import date, datetime

import pytest

from analytics.history import History
from analytics.rules import RuleContext
from analytics.rules.structural_underuse import judge
from fleet.network import Calendar, Closure
from fleet.records import Finding, FindingStatus
from fleet.states import STANDBY
from tests.analytics.machines import CALENDAR, NETWORK, Pattern, all_day, hours, local, machine, member, mornings

AUGUST = Closure(first=date(2026, 8, 3), last=date(2026, 8, 23), reason="Congés d’été")
YEAR_END = Closure(first=date(2026, 12, 21), last=date(2027, 1, 3), reason="Fin d’année")
CLOSED = CALENDAR.model_copy(update={"closures": (AUGUST, YEAR_END)})


def shut(pattern: Pattern) -> Pattern:
    """As the pattern, but still during the closures."""

    def state(at: datetime) -> int:
        inside = any(one.first <= at.date() <= one.last for one in (AUGUST, YEAR_END))
        return STANDBY if inside else pattern(at)

    return state


def finding(pattern: Pattern, start: datetime, now: datetime, calendar: Calendar = CLOSED) -> Finding:
    one = machine()
    history = History.from_buckets(hours(start, now, pattern), "Europe/Paris", end=int(now.timestamp()))
    owner = member(one, calendar=calendar)
    found = judge(RuleContext(owner, one, NETWORK, history, now, feed_alive=True, inferable=True), None)
    assert found is not None
    return found


SPANS = [(local(2026, 5, 25), local(2026, 9, 7, 7)), (local(2026, 10, 5), local(2027, 1, 18, 7))]


@pytest.mark.parametrize(("start", "now"), SPANS)
def test_a_closure_makes_no_busy_machine_look_idle(start: datetime, now: datetime) -> None:
    found = finding(shut(all_day), start, now)
    assert found.status is FindingStatus.CLEAR
    assert found.evidence["level"] > 0.8


@pytest.mark.parametrize(("start", "now"), SPANS)
def test_a_closure_hides_no_machine_that_is_little_used(start: datetime, now: datetime) -> None:
    found = finding(shut(mornings), start, now)
    assert found.status is FindingStatus.FLAGGED
    assert found.evidence["ordinary_weeks"] < 12


@pytest.mark.parametrize(("start", "now"), SPANS)
def test_a_closure_that_no_calendar_tells_of_is_no_flag(start: datetime, now: datetime) -> None:
    assert finding(shut(all_day), start, now, CALENDAR).status is not FindingStatus.FLAGGED


def test_while_it_lasts_the_weeks_before_it_count_as_long_as_there_are_enough() -> None:
    during = finding(shut(mornings), local(2026, 4, 6), local(2026, 8, 17, 7))
    assert during.status is FindingStatus.FLAGGED
    long = CLOSED.model_copy(update={"closures": (Closure(first=date(2026, 7, 6), last=date(2026, 8, 30)),)})
    still = finding(mornings, local(2026, 4, 6), local(2026, 8, 10, 7), long)
    assert (still.status, still.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, "holidays")
