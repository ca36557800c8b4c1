"""Structural under-use: the flag, and every piece of evidence whose lack prevents it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from analytics.history import History
from analytics.rules import RULES, RuleContext, judge, structural_underuse
from analytics.rules.structural_underuse import CONDITIONS, NAME
from fleet.network import Answer, Calendar, Closure, Machine, Member
from fleet.records import Finding, FindingStatus, HourBucket
from fleet.states import PRODUCING, STANDBY, UNKNOWN
from tests.analytics.machines import (
    CALENDAR,
    NETWORK,
    Pattern,
    all_day,
    hours,
    local,
    machine,
    member,
    metered,
    mornings,
)  # fmt: skip

NOW = local(2026, 5, 11, 7)
START = local(2026, 2, 2)


def context(buckets: list[HourBucket], **changes: Any) -> RuleContext:
    one: Machine = changes.pop("machine", machine())
    owner: Member = changes.pop("member", member(one))
    history = History.from_buckets(buckets, "Europe/Paris", end=int(NOW.timestamp()))
    return RuleContext(
        owner, one, NETWORK, history, changes.pop("now", NOW), changes.pop("feed_alive", True),
        changes.pop("inferable", True),
    )  # fmt: skip


def finding(buckets: list[HourBucket], previous: Finding | None = None, **changes: Any) -> Finding:
    found = structural_underuse.judge(context(buckets, **changes), previous)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def idle() -> list[HourBucket]:
    return hours(START, NOW, mornings)


@pytest.fixture(scope="module")
def flagged(idle: list[HourBucket]) -> Finding:
    return finding(idle)


def test_a_machine_used_in_the_morning_only_is_flagged_with_its_evidence(flagged: Finding) -> None:
    assert flagged.status is FindingStatus.FLAGGED
    assert flagged.since == NOW
    assert flagged.reason.startswith("used 19% of its staffed hours over 12 weeks; 100% sure to stay below 40%")
    evidence = flagged.evidence
    assert evidence["failing"] == []
    assert evidence["threshold"] == 0.4
    assert (evidence["set"], evidence["clear"]) == (0.95, 0.8)
    assert (evidence["coverage"], evidence["offered_coverage"]) == (1.0, 1.0)
    assert evidence["weeks"][0] == {"monday": "2026-02-16", "utilisation": 0.1875, "coverage": 1.0}
    assert evidence["shareable_hours_per_week"]["hours"] >= 21.0
    assert (evidence["model"], evidence["rule_version"], evidence["basis"]) == ("v1", "2", "state")
    assert evidence["published"] is False
    assert evidence["answer"] is None
    assert Finding.model_validate_json(flagged.model_dump_json()) == flagged


def test_a_machine_in_use_is_clear() -> None:
    found = finding(hours(START, NOW, all_day))
    assert (found.status, found.evidence["failing"]) == (FindingStatus.CLEAR, [])
    assert "used 87% of its staffed hours" in found.reason


def test_every_rule_of_the_table_answers_and_an_unshared_machine_has_no_finding(idle: list[HourBucket]) -> None:
    powered = [replace(hour, power_max_w=5_000.0) for hour in metered(idle, {PRODUCING: 5_000.0, STANDBY: 300.0})]
    assert [one.rule for one in judge(context(powered), {})] == list(RULES)
    assert NAME not in {one.rule for one in judge(context(idle, machine=machine(shareable=False)), {})}


def quiet_since(day: datetime) -> list[HourBucket]:
    return hours(START, NOW, lambda at: mornings(at) if at < day else STANDBY)


def silent(at: datetime) -> int:
    return UNKNOWN if at.weekday() in (0, 1) else mornings(at)


def uneven(busy_hours: int) -> Pattern:
    """So many hours a day in every other week, two in the others; the evenings are free in all of them."""

    def state(at: datetime) -> int:
        length = busy_hours if at.isocalendar().week % 2 else 2
        return PRODUCING if at.weekday() < 5 and 6 <= at.hour < 6 + length else STANDBY

    return state


def lacking(name: str) -> tuple[list[HourBucket], dict[str, Any]]:
    """Hours and circumstances of a little used machine of which one piece of evidence is missing."""
    idle = hours(START, NOW, mornings)
    closures = tuple(Closure(first=date(2026, 2, 16) + timedelta(weeks=w), last=date(2026, 2, 20) + timedelta(weeks=w))
                     for w in (8, 9, 10))  # fmt: skip
    on_holiday = member(calendar=CALENDAR.model_copy(update={"closures": closures}))
    busy_before = hours(START, NOW, lambda at: all_day(at) if at < local(2026, 4, 20) else mornings(at))
    tight = machine(minimum_hours=7.5)
    erratic = hours(START, NOW, uneven(7))
    cases: dict[str, tuple[list[HourBucket], dict[str, Any]]] = {
        "calendar": (idle, {"member": member(calendar=Calendar())}),
        "history": (hours(local(2026, 4, 6), NOW, mornings), {}),
        "life": (quiet_since(local(2026, 4, 10)), {}),
        "coverage": (hours(START, NOW, silent), {}),
        "state": (idle, {"inferable": False}),
        "feed": (idle, {"feed_alive": False}),
        "holidays": (idle, {"member": on_holiday}),
        "change": (busy_before, {}),
        "capacity": (idle, {"machine": tight, "member": member(tight)}),
        "certainty": (erratic, {}),
    }
    return cases[name]


@pytest.mark.parametrize("name", CONDITIONS)
def test_each_missing_piece_of_evidence_is_named(name: str) -> None:
    buckets, circumstances = lacking(name)
    found = finding(buckets, **circumstances)
    assert found.status is FindingStatus.INSUFFICIENT_EVIDENCE
    assert found.reason == name
    assert found.evidence["failing"][0] == name


def test_a_machine_never_heard_of_has_no_evidence_of_anything() -> None:
    found = finding([])
    assert found.reason == "history"
    assert found.evidence["failing"][:4] == ["history", "life", "coverage", "state"]
    assert found.evidence["level"] is None


def test_the_owners_word_is_life(idle: list[HourBucket]) -> None:
    buckets = quiet_since(local(2026, 4, 10))
    one = machine(works_confirmed=date(2026, 5, 1))
    assert "life" not in finding(buckets, machine=one, member=member(one)).evidence["failing"]
    old = machine(works_confirmed=date(2026, 4, 1))
    assert "life" in finding(buckets, machine=old, member=member(old)).evidence["failing"]


def test_hours_to_come_are_not_looked_at(idle: list[HourBucket], flagged: Finding) -> None:
    later = hours(START, NOW + timedelta(weeks=4), lambda at: mornings(at) if at < NOW else PRODUCING)
    one = machine()
    history = History.from_buckets(later, "Europe/Paris")
    found = judge(RuleContext(member(one), one, NETWORK, history, NOW, True, True), {})
    assert found == judge(context(idle), {})
    assert flagged in found


def test_set_and_clear_levels_differ(flagged: Finding) -> None:
    """Between them a standing flag stays and a new one is not set."""
    buckets = hours(START, NOW, uneven(7))
    fresh = finding(buckets)
    assert 0.8 < fresh.evidence["certainty"] < 0.95
    assert (fresh.status, fresh.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, "certainty")
    standing = finding(buckets, previous=flagged)
    assert standing.status is FindingStatus.FLAGGED
    assert standing.since == flagged.since


def test_since_moves_with_the_status_only(idle: list[HourBucket], flagged: Finding) -> None:
    earlier = flagged.model_copy(update={"since": NOW - timedelta(days=9)})
    assert finding(idle, previous=earlier).since == NOW - timedelta(days=9)
    assert finding(idle, previous=earlier, feed_alive=False).since == NOW


@pytest.mark.parametrize(("answer", "published"), [("propose", True), ("reserve", False), ("wrong", False)])
def test_only_the_answer_propose_publishes(idle: list[HourBucket], answer: str, published: bool) -> None:
    given = [
        Answer(machine="mill", rule=NAME, answer="propose", at=datetime(2026, 4, 1, tzinfo=UTC)),
        Answer(machine="mill", rule=NAME, answer=answer, because="kept for tests", at=datetime(2026, 5, 1, tzinfo=UTC)),
        Answer(machine="mill", rule=NAME, answer="propose", at=datetime(2027, 1, 1, tzinfo=UTC)),
        Answer(machine="saw", rule=NAME, answer="propose", at=datetime(2026, 5, 2, tzinfo=UTC)),
    ]
    found = finding(idle, member=member(answers=tuple(given)))
    assert found.status is FindingStatus.FLAGGED
    assert found.evidence["published"] is published
    assert found.evidence["answer"]["answer"] == answer
    assert found.evidence["answer"]["because"] == "kept for tests"


def test_staffed_hours_stand_in_before_any_are_offered(idle: list[HourBucket]) -> None:
    found = finding(idle, member=member(calendar=CALENDAR.model_copy(update={"offered": ()})))
    assert found.status is FindingStatus.FLAGGED
    assert found.evidence["offered"] == "none stated: staffed hours taken"


def test_power_does_not_tell_set_up_so_a_fifth_of_the_use_is_allowed_for() -> None:
    def a_third(at: datetime) -> int:
        return PRODUCING if at.weekday() < 5 and 6 <= at.hour < 11 else STANDBY  # 5 of 16 staffed hours: 31 %

    def by_power(pattern: Pattern) -> Finding:
        return finding([replace(hour, basis="power") for hour in hours(START, NOW, pattern)])

    assert finding(hours(START, NOW, a_third)).status is FindingStatus.FLAGGED
    assert by_power(a_third).status is not FindingStatus.FLAGGED
    assert by_power(mornings).status is FindingStatus.FLAGGED
    assert (by_power(a_third).evidence["threshold"], by_power(a_third).evidence["unseen_setup"]) == (0.4, 0.2)
