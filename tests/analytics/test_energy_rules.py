"""Idle but drawing, never off at night: the flags, what clears them, and what is missing."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.history import History
from analytics.rules import RuleContext, idle_but_drawing, never_off_at_night
from analytics.rules.drawing import Drawing, above
from analytics.rules.idle_but_drawing import long_runs
from fleet.network import Calendar, Calibration, Shift
from fleet.records import Finding, FindingStatus, HourBucket
from fleet.states import OFF, PRODUCING, STANDBY, UNKNOWN
from tests.analytics.machines import CALENDAR, NETWORK, Pattern, hours, local, machine, member, metered, mornings

NOW = local(2026, 5, 11, 7)
START = local(2026, 3, 2)
HOT = {PRODUCING: 20_000.0, STANDBY: 3_000.0, OFF: 30.0}
COOL = {**HOT, STANDBY: 250.0}


def staffed(at: datetime) -> bool:
    return at.weekday() < 5 and 6 <= at.hour < 22


def switched_off(at: datetime) -> int:
    """Produces in the morning, stands by until the shifts end, is off then."""
    return mornings(at) if staffed(at) else OFF


def context(buckets: list[HourBucket], **changes: Any) -> RuleContext:
    one = changes.pop("machine", machine())
    owner = changes.pop("member", member(one))
    history = History.from_buckets(buckets, "Europe/Paris", end=int(NOW.timestamp()))
    return RuleContext(
        owner, one, NETWORK, history, changes.pop("now", NOW), changes.pop("feed_alive", True),
        changes.pop("inferable", True),
    )  # fmt: skip


def used(pattern: Pattern, watts: dict[int, float] = HOT, start: datetime = START) -> list[HourBucket]:
    return metered(hours(start, NOW, pattern), watts)


def drawing(buckets: list[HourBucket], previous: Finding | None = None, **changes: Any) -> Finding:
    found = idle_but_drawing.judge(context(buckets, **changes), previous)
    assert found is not None
    return found


def nightly(buckets: list[HourBucket], previous: Finding | None = None, **changes: Any) -> Finding:
    found = never_off_at_night.judge(context(buckets, **changes), previous)
    assert found is not None
    return found


def unmetered(buckets: list[HourBucket], when: Callable[[datetime], bool] = lambda _: True) -> list[HourBucket]:
    bare = {"energy_wh": None, "energy_by_state": None, "metered_s": 0.0}
    return [
        replace(one, **bare) if when(datetime.fromtimestamp(one.hour, NOW.tzinfo)) else one  # type: ignore[arg-type]  # one field each
        for one in buckets
    ]


def test_a_machine_that_idles_hot_is_flagged_with_what_it_costs() -> None:
    found = drawing(used(switched_off))
    assert found.status is FindingStatus.FLAGGED
    evidence = found.evidence
    ordinary = 13 * 5 * 2.97  # hours of a week, 3 kW less 30 W
    assert max(week["kwh"] for week in evidence["weeks"]) == pytest.approx(ordinary, rel=1e-4)
    assert (evidence["idle_w"], evidence["off_w"], evidence["off_from"]) == (3000.0, 30.0, "seen")
    assert evidence["working_w"] == 20_000.0
    assert evidence["eur_per_year"] == pytest.approx(evidence["kwh_per_year"] * 0.172, rel=1e-6)
    assert evidence["kg_co2e_per_year"] == pytest.approx(evidence["kwh_per_year"] * 0.052, rel=1e-6)
    assert found.reason.startswith("draws 3.0 kW for 6")
    assert "EUR" in found.reason
    assert evidence["published"] is False
    assert Finding.model_validate_json(found.model_dump_json()) == found


def test_a_machine_that_idles_cool_is_clear() -> None:
    found = drawing(used(switched_off, COOL))
    assert (found.status, found.evidence["failing"]) == (FindingStatus.CLEAR, [])


def test_energy_between_two_jobs_is_no_long_idling() -> None:
    def busy_every_other_hour(at: datetime) -> int:
        return (PRODUCING if at.hour % 2 else STANDBY) if staffed(at) else OFF

    found = drawing(used(busy_every_other_hour))
    assert (found.status, found.evidence["kwh_per_week"]) == (FindingStatus.CLEAR, 0.0)


@pytest.mark.parametrize(
    ("calibration", "pattern", "expected"),
    [
        (Calibration(off_w=12.0), switched_off, (12.0, "marked")),
        (Calibration(), switched_off, (30.0, "seen")),
        (Calibration(), lambda at: mornings(at), (0.0, "assumed")),
    ],
)
def test_how_the_off_level_is_known(calibration: Calibration, pattern: Pattern, expected: tuple[float, str]) -> None:
    one = machine(calibration=calibration)
    found = Drawing(context(used(pattern), machine=one, member=member(one))).off
    assert found == expected


def test_power_alone_has_two_modes_of_rest() -> None:
    """Off is not told apart: what it draws at night is its off level, when that is far below what it idles with."""
    told = {one.hour: one for one in used(switched_off)}
    as_power = [
        replace(one, basis="power", segments=((0, STANDBY),), seconds=(0.0, 0.0, 3600.0, 0.0, 0.0, 0.0, 0.0))
        if one.seconds[OFF] else replace(one, basis="power") for one in told.values()
    ]  # fmt: skip
    found = drawing(as_power)
    assert found.status is FindingStatus.FLAGGED
    assert (found.evidence["off_w"], found.evidence["off_from"]) == (30.0, "lowest")


def test_set_and_hold_levels_differ() -> None:
    def every_third_week(at: datetime) -> int:
        return switched_off(at) if at.isocalendar().week % 3 else (mornings(at) if mornings(at) == PRODUCING else OFF)

    buckets = used(every_third_week, {**HOT, STANDBY: 4_500.0})
    fresh = drawing(buckets)
    assert 0.8 < fresh.evidence["certainty"] < 0.95
    assert (fresh.status, fresh.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, "certainty")
    flagged = drawing(used(switched_off)).model_copy(update={"since": NOW - timedelta(days=30)})
    standing = drawing(buckets, previous=flagged)
    assert (standing.status, standing.since) == (FindingStatus.FLAGGED, flagged.since)


@pytest.mark.parametrize(
    ("name", "buckets", "changes"),
    [
        ("history", used(switched_off, start=local(2026, 4, 20)), {}),
        ("coverage", used(lambda at: UNKNOWN if at.weekday() < 3 else switched_off(at)), {}),
        ("power", unmetered(used(switched_off), lambda at: at.weekday() < 4), {}),
        ("state", used(switched_off), {"inferable": False}),
        ("feed", used(switched_off), {"feed_alive": False}),
    ],
)
def test_each_missing_piece_of_evidence_is_named(name: str, buckets: list[HourBucket], changes: dict[str, Any]) -> None:
    found = drawing(buckets, **changes)
    assert (found.status, found.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, name)


def test_without_power_nothing_is_said_of_it() -> None:
    assert idle_but_drawing.judge(context(unmetered(used(switched_off))), None) is None
    assert never_off_at_night.judge(context(unmetered(used(mornings))), None) is None


def test_the_owners_price_is_the_one_that_counts() -> None:
    owner = member(machine(), energy_eur_per_kwh=0.10)
    evidence = drawing(used(switched_off), member=owner).evidence
    assert evidence["eur_per_year"] == pytest.approx(evidence["kwh_per_year"] * 0.1, rel=1e-6)
    assert evidence["eur_origin"] == "member"


def test_what_an_owner_acts_on_is_set_in_euros_a_year() -> None:
    evidence = drawing(used(switched_off)).evidence
    assert evidence["least_eur_per_year"] == 500.0
    assert evidence["least_kwh"] == pytest.approx(500 / 0.172 * 7 / 365.25, rel=1e-3)
    cost = evidence["eur_per_year"]
    dear = drawing(used(switched_off), member=member(machine(), idle_eur_per_year=2 * cost))
    assert (dear.status, dear.evidence["least_eur_per_year"]) == (FindingStatus.CLEAR, 2 * cost)
    free = drawing(used(switched_off), member=member(machine(), energy_eur_per_kwh=0.0))
    assert (free.status, free.evidence["certainty"], free.evidence["least_kwh"]) == (FindingStatus.CLEAR, 0.0, None)


def test_a_machine_left_on_at_night_is_flagged_whatever_it_draws_by_day() -> None:
    found = nightly(used(mornings))
    evidence = found.evidence
    assert found.status is FindingStatus.FLAGGED
    assert evidence["nights"] == evidence["nights_on"] > 40
    assert evidence["kwh_per_week"] > 200
    assert found.reason.startswith(f"stayed on in {evidence['nights']} of {evidence['nights']} nights")


def test_a_machine_that_is_switched_off_is_clear_by_state_or_by_power() -> None:
    assert nightly(used(switched_off)).status is FindingStatus.CLEAR
    by_state = nightly(unmetered(used(switched_off)))
    assert (by_state.status, by_state.evidence["eur_per_year"]) == (FindingStatus.CLEAR, None)
    by_power = [replace(one, basis="power") for one in used(mornings, {**HOT, STANDBY: 40.0})]
    assert nightly(by_power).status is FindingStatus.CLEAR


def test_some_nights_are_no_habit() -> None:
    def two_of_three(at: datetime) -> int:
        return switched_off(at) if (at - timedelta(hours=12)).toordinal() % 3 == 0 else mornings(at)

    assert nightly(used(two_of_three)).status is not FindingStatus.FLAGGED


def test_nights_in_which_it_works_or_was_not_seen_tell_nothing() -> None:
    works = nightly(used(lambda at: PRODUCING if at.weekday() < 5 else STANDBY))
    assert works.evidence["nights_not_told"] > works.evidence["nights"]
    unseen = nightly(used(lambda at: UNKNOWN if at.hour < 6 and at.weekday() < 3 else mornings(at)))
    assert unseen.evidence["nights_not_told"] > 0
    assert unseen.evidence["nights"] == unseen.evidence["nights_on"]


def test_without_a_calendar_there_is_no_night_and_always_staffed_has_none() -> None:
    one = machine()
    found = nightly(used(mornings), member=member(one, calendar=Calendar()))
    assert (found.status, found.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, "calendar")
    midnight = NOW.time().replace(hour=0)
    always = Shift(days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), start=midnight, end=midnight)
    calendar = CALENDAR.model_copy(update={"staffed": (always,), "works_on_holidays": True})
    assert never_off_at_night.judge(context(used(mornings), member=member(one, calendar=calendar)), None) is None


def test_a_machine_never_heard_of_has_no_finding() -> None:
    for rule in (idle_but_drawing, never_off_at_night):
        assert rule.judge(context([]), None) is None


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 6))
def test_long_runs_are_those_of_the_length(mask: list[bool], least: int) -> None:
    found = long_runs(np.array(mask, dtype=np.bool_), least)
    text = "".join("x" if one else " " for one in mask)
    expected = "".join(run if len(run) >= least else " " * len(run) for run in _runs(text))
    assert "".join("x" if one else " " for one in found) == expected


def _runs(text: str) -> list[str]:
    runs: list[str] = []
    for one in text:
        if runs and runs[-1][-1] == one:
            runs[-1] += one
        else:
            runs.append(one)
    return runs


def test_chance_of_the_coming_weeks_is_students() -> None:
    """With two weeks and an eternity ahead it is Cauchy's distribution, which has a closed form."""
    weeks = np.array([30.0, 40.0])
    t = (35.0 - 25.0) / (weeks.std(ddof=1) * math.sqrt(1 / 2 + 1e-9))
    assert above(weeks, 25.0, 10**9) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-6)
    assert above(weeks, 45.0, 4) < 0.5 < above(weeks, 30.0, 4)
    assert above(np.array([]), 25.0, 4) == 0.5
