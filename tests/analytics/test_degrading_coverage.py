"""A feed that loses more and more is told from one that always lost some, was lost once, or is lost now."""

from datetime import datetime
from statistics import NormalDist

import numpy as np
import pytest

from analytics.history import History
from analytics.level import student_below
from analytics.rules import RuleContext
from analytics.rules.degrading_coverage import (
    MARGIN,
    MORE_OFTEN,
    TREND,
    certainty,
    judge,
    more_often,
    trend,
    worse_still,
)
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


def gone(at: datetime) -> int:
    return UNKNOWN if at >= local(2026, 5, 9) else worse(at)


@pytest.mark.parametrize(
    ("name", "pattern", "changes"),
    [("feed", gone, {"feed_alive": False}), ("history", worse, {"start": local(2026, 4, 20)})],
)
def test_missing_evidence_is_named(name: str, pattern: Pattern, changes: dict[str, bool]) -> None:
    found = finding(pattern, **changes)  # type: ignore[arg-type]  # options of the finding
    assert (found.status, found.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, name)


def test_a_feed_that_is_silent_just_now_is_judged_all_the_same() -> None:
    assert finding(worse, feed_alive=False).status is FindingStatus.FLAGGED


def torn(at: datetime) -> int:
    """Since three weeks ago silent for an hour and a half twice a day, as never before."""
    return UNKNOWN if at >= local(2026, 4, 22) and at.hour in (3, 15) else STANDBY


def test_interruptions_tell_it_before_lost_hours_do() -> None:
    found = finding(torn)
    assert found.status is FindingStatus.FLAGGED
    assert found.evidence["trend_certainty"] < TREND
    assert found.evidence["more_often_certainty"] > MORE_OFTEN
    assert found.evidence["interruptions"][-4:] == [0, 10, 14, 14]
    assert found.evidence["interrupted_before"] == 0.0
    assert found.evidence["interrupted_recently"] == pytest.approx(38 / 3, abs=0.01)
    recovered = finding(lambda at: torn(at) if at < local(2026, 5, 4) else STANDBY, previous=found)
    assert recovered.status is FindingStatus.CLEAR


@pytest.mark.parametrize("rate", [0.3, 1.5, 5.0])
def test_a_steady_rate_of_interruptions_is_hardly_ever_more_often(rate: float) -> None:
    random = np.random.default_rng(9)
    wrong = sum(more_often(random.poisson(rate, 12).astype(float)) >= MORE_OFTEN for _ in range(1_000))
    assert wrong <= 5


def test_without_interruptions_there_is_nothing_to_say() -> None:
    assert more_often(np.zeros(12)) == more_often(np.zeros(0)) == 0.0


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
        days = random.random(84) < chance
        lost = days.reshape(12, 7).mean(axis=1)
        gaps = (days & ~np.append(False, days[:-1])).reshape(12, 7).sum(axis=1).astype(float)
        rose = lost[-3:].mean() >= lost[:-3].mean() + MARGIN and worse_still(lost[:-3], lost[-3:])
        wrong += certainty(lost[:-3], lost[-3:]) >= 0.95 and trend(lost) >= TREND
        wrong += bool(rose) and more_often(gaps) >= MORE_OFTEN
    assert wrong <= 5
