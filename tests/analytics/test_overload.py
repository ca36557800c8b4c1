"""Overload: a machine without free hours, whose work waits; and every reason not to say so."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from analytics.history import History
from analytics.rules import RuleContext
from analytics.rules.overload import NAME, judge
from fleet.calendars import holiday_dates
from fleet.consent import answers_to, published_rules
from fleet.network import Answer, Calendar, Calibration, Trade
from fleet.records import Finding, FindingStatus
from fleet.states import FAULT, PRODUCING, STANDBY, UNKNOWN
from tests.analytics.machines import NETWORK, Pattern, all_day, hours, local, machine, member

NOW = local(2026, 5, 11, 7)
START = local(2026, 2, 2)


def until(hour: int) -> Pattern:
    """Produces from 6 on until that hour, on every working day."""
    free = holiday_dates(NETWORK.holidays, 2026, 2026)
    return lambda at: PRODUCING if at.weekday() < 5 and at.date() not in free and 6 <= at.hour < hour else STANDBY


full, full_within = until(24), until(22)
"""Through both shifts: two hours longer, and not longer."""


def thursday_evenings_free(at: datetime) -> int:
    """Through both shifts, but on Thursdays until six: 76 of 80 hours are busy, and every week has a gap."""
    return until(18 if at.weekday() == 3 else 22)(at)


def finding(pattern: Pattern, previous: Finding | None = None, now: datetime = NOW, **changes: object) -> Finding:
    one = machine(**{name: changes.pop(name) for name in ("trade",) if name in changes})
    owner = member(one, **changes)  # type: ignore[arg-type]  # fields of a member
    history = History.from_buckets(hours(START, now, pattern), "Europe/Paris", end=int(now.timestamp()))
    found = judge(RuleContext(owner, one, NETWORK, history, now, feed_alive=True, inferable=True), previous)
    assert found is not None
    return found


def test_a_full_machine_that_works_overtime_is_flagged_with_its_evidence() -> None:
    found = finding(full)
    assert (found.status, found.rule, found.since) == (FindingStatus.FLAGGED, NAME, NOW)
    evidence = found.evidence
    assert evidence["occupied"] > 0.98
    assert evidence["full_certainty"] > 0.95
    assert evidence["overtime"] == pytest.approx(2 / 18, abs=1e-3)
    assert evidence["weeks_without_gap"] == 6
    assert evidence["weeks"][0]["utilisation"] == 1.0
    assert Finding.model_validate_json(found.model_dump_json()) == found


def test_weeks_without_a_gap_are_a_sign_too() -> None:
    found = finding(full_within)
    assert (found.status, found.evidence["overtime"]) == (FindingStatus.FLAGGED, 0.0)


def test_full_without_a_sign_that_work_waits_is_clear() -> None:
    found = finding(thursday_evenings_free)
    assert found.status is FindingStatus.CLEAR
    assert found.evidence["full_certainty"] > 0.95
    assert found.evidence["waits"] is False


def test_a_busy_machine_with_free_evenings_is_clear() -> None:
    assert finding(all_day).status is FindingStatus.CLEAR


def test_a_machine_that_is_down_is_not_overloaded() -> None:
    found = finding(lambda at: FAULT if full(at) == PRODUCING else STANDBY)
    assert (found.status, found.evidence["used"]) == (FindingStatus.CLEAR, 0.0)


def test_silence_is_neither_full_nor_free() -> None:
    """The days that were heard are as full as before; with too few of them nothing is said."""
    assert finding(lambda at: UNKNOWN if at.toordinal() % 9 == 0 else full(at)).status is FindingStatus.FLAGGED
    assert finding(lambda at: UNKNOWN if at.toordinal() % 9 == 0 else all_day(at)).status is FindingStatus.CLEAR
    half = finding(lambda at: UNKNOWN if at.day % 2 else full(at))
    assert (half.status, half.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, "coverage")


@pytest.mark.parametrize("name", ["calendar", "history"])
def test_missing_evidence_is_named(name: str) -> None:
    if name == "calendar":
        found = finding(full, calendar=Calendar())
    else:
        found = finding(full, now=START + timedelta(weeks=4, hours=7))
    assert (found.status, found.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, name)


def test_power_without_the_owners_marks_tells_no_saturation() -> None:
    buckets = [replace(hour, basis="power") for hour in hours(START, NOW, full)]
    history = History.from_buckets(buckets, "Europe/Paris", end=int(NOW.timestamp()))
    for marked, expected in ((Calibration(), "state"), (Calibration(standby_w=300.0, working_w=4_000.0), None)):
        one = machine(calibration=marked)
        found = judge(RuleContext(member(one), one, NETWORK, history, NOW, feed_alive=True, inferable=True), None)
        assert found is not None
        assert found.reason == expected or (expected is None and found.status is FindingStatus.FLAGGED)


def test_a_flag_stands_through_an_odd_week() -> None:
    def slack_at_last(at: datetime) -> int:
        return until(17)(at) if at >= local(2026, 5, 4) else full(at)

    flagged = finding(full)
    assert finding(slack_at_last).status is FindingStatus.INSUFFICIENT_EVIDENCE
    assert finding(slack_at_last, flagged, now=NOW).status is FindingStatus.FLAGGED


def test_a_utility_runs_as_long_as_somebody_needs_it() -> None:
    one = machine(trade=Trade.UTILITY)
    history = History.from_buckets(hours(START, NOW, full), "Europe/Paris", end=int(NOW.timestamp()))
    assert judge(RuleContext(member(one), one, NETWORK, history, NOW, feed_alive=True, inferable=True), None) is None


def test_it_is_its_owners_alone_whatever_stands_in_the_file() -> None:
    said = Answer(machine="mill", rule=NAME, answer="propose", at=NOW)
    assert answers_to(NAME) == ("reserve", "wrong")
    assert published_rules(member(answers=(said,)), "mill") == frozenset()
    assert finding(full, answers=(said,)).evidence["published"] is False
