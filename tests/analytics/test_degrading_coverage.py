"""A feed that loses more and more is told from one that always lost some, was lost once, or is lost now."""

from datetime import datetime
from statistics import NormalDist

import numpy as np
import pytest

from analytics.history import History
from analytics.level import student_below
from analytics.rules import RuleContext
from analytics.rules.degrading_coverage import TREND, certainty, judge, trend
from fleet.records import Finding, FindingStatus
from fleet.states import STANDBY, UNKNOWN
from tests.analytics.machines import NETWORK, Pattern, hours, local, machine, member

NOW = local(2026, 5, 11, 7)
START = local(2026, 2, 2)


def finding(
    pattern: Pattern, *, start: datetime = START, feed_alive: bool = True, previous: Finding | None = None
) -> Finding:
    one = machine()
    history = History.from_buckets(hours(start, NOW, pattern), "Europe/Paris", end=int(NOW.timestamp()))
    found = judge(RuleContext(member(one), one, NETWORK, history, NOW, feed_alive, inferable=True), previous)
    assert found is not None
    return found


def losing(hours_a_day: int, since: datetime) -> Pattern:
    return lambda at: UNKNOWN if at >= since and at.hour < hours_a_day else STANDBY


def worse(at: datetime) -> int:
    """From the middle of April on an hour a day more is lost every week."""
    weeks = max(0, (at - local(2026, 4, 13)).days // 7 + 1)
    return UNKNOWN if at.hour < 2 * weeks else STANDBY


def test_a_feed_that_gets_worse_is_flagged_with_its_evidence() -> None:
    found = finding(worse)
    assert (found.status, found.since) == (FindingStatus.FLAGGED, NOW)
    assert found.evidence["lost_before"] < 0.02
    assert found.evidence["lost_recently"] == pytest.approx(6 / 24, abs=0.01)
    assert found.evidence["weeks"][-1] == {
        "monday": "2026-05-04",
        "utilisation": None,
        "coverage": pytest.approx(2 / 3, abs=0.01),
    }
    assert Finding.model_validate_json(found.model_dump_json()) == found


def test_a_feed_that_always_lost_some_is_clear() -> None:
    assert finding(losing(4, START)).status is FindingStatus.CLEAR


def test_a_little_more_is_clear() -> None:
    assert finding(losing(1, local(2026, 4, 20))).status is FindingStatus.CLEAR


def test_one_long_silence_is_no_trend() -> None:
    found = finding(lambda at: UNKNOWN if local(2026, 4, 22) <= at < local(2026, 4, 27) else STANDBY)
    assert found.status is FindingStatus.CLEAR


def test_bursts_as_before_are_no_trend() -> None:
    random = np.random.default_rng(3)
    lost = {int(day) for day in random.choice(98, 20, replace=False)}
    found = finding(lambda at: UNKNOWN if (at - START).days in lost and at.hour < 12 else STANDBY)
    assert found.status is not FindingStatus.FLAGGED


def test_what_was_before_the_first_reading_is_no_loss() -> None:
    found = finding(lambda at: STANDBY, start=local(2026, 3, 18, 15))
    assert (found.status, found.evidence["lost_before"]) == (FindingStatus.CLEAR, 0.0)


@pytest.mark.parametrize(
    ("name", "changes"), [("feed", {"feed_alive": False}), ("history", {"start": local(2026, 4, 20)})]
)
def test_missing_evidence_is_named(name: str, changes: dict[str, bool]) -> None:
    found = finding(worse, **changes)  # type: ignore[arg-type]  # options of the finding
    assert (found.status, found.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, name)


def test_a_flag_stands_on_less() -> None:
    before = np.array([0.0, 0.02, 0.0, 0.1, 0.0, 0.03, 0.0, 0.05, 0.0])
    chance = certainty(before, np.array([0.07, 0.12, 0.1]))
    assert 0.8 < chance < 0.95


def test_students_distribution_at_known_points() -> None:
    assert student_below(2.228, 10) == pytest.approx(0.975, abs=1e-4)
    assert student_below(-1.812, 10) == pytest.approx(0.05, abs=1e-4)
    assert student_below(0.0, 3) == 0.5
    assert student_below(1.5, 1e6) == pytest.approx(NormalDist().cdf(1.5), abs=1e-4)


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5])
def test_days_lost_at_random_hardly_ever_look_like_a_trend(share: float) -> None:
    """Whole days, twice as often at weekends: the silence test of the other rules, on the series alone."""
    random, wrong = np.random.default_rng(8), 0
    chance = share * 7 / 9 * np.where(np.arange(84) % 7 >= 5, 2, 1)
    for _ in range(1_000):
        lost = (random.random(84) < chance).reshape(12, 7).mean(axis=1)
        wrong += certainty(lost[:-3], lost[-3:]) >= 0.95 and trend(lost) >= TREND
    assert wrong <= 5
