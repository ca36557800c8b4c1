"""The back-test of "at least x shareable hours a week", on weeks whose hours are known by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from analytics.capacity import Job, at_least, falls_below
from analytics.evaluate import capacity, scores
from analytics.evaluate.files import Timeline
from analytics.evaluate.grid import Grid
from analytics.spans import Spans, nothing, united

MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
HOUR, WEEK = 3600.0, 168 * 3600.0
JOB = Job(4.0, 1.0)


def line(busy_h: list[float], observed: Spans | None = None) -> Timeline:
    """Busy from each Monday 00:00 on for so many hours."""
    starts = MONDAY + WEEK * np.arange(len(busy_h))
    busy = united(np.stack([starts, starts + HOUR * np.array(busy_h)], axis=1))
    return Timeline(busy, busy, united([(MONDAY, MONDAY + WEEK * len(busy_h))]) if observed is None else observed)


def judged(*lines: Timeline) -> list[dict[str, Any]]:
    grid = Grid.of({f"m{number}": one for number, one in enumerate(lines)}, "UTC")
    rows: list[dict[str, Any]] = capacity.evaluate(grid, JOB)["by_weeks"]
    return rows


def test_a_week_that_falls_below_its_past_is_counted() -> None:
    rows = judged(line([10.0, 20.0, 30.0, 31.0, 15.0]))
    three = rows[0]
    assert (three["weeks"], three["n"], three["stated"]) == (3, 2, 0.75)
    assert three["kept"] == 0.5  # 137 h promised and 136 had; then 136 promised and 152 had
    assert three["hours"] == pytest.approx((137 + 136) / 2)
    assert three["pinball"] == pytest.approx((0.9 * 1 + 0.1 * 16) / 2)
    assert [row["weeks"] for row in rows] == [3, 4]


def test_weeks_badly_observed_are_neither_learned_from_nor_judged() -> None:
    weeks = 8
    gap = united([(MONDAY, MONDAY + 3.5 * WEEK), (MONDAY + 3.7 * WEEK, MONDAY + WEEK * weeks)])
    rows = judged(line([10.0] * weeks, gap))
    assert [(row["weeks"], row["n"]) for row in rows] == [(3, 1)]
    assert judged(line([10.0] * 3)) == []
    assert judged(line([10.0] * 6, nothing()), line([10.0] * 6))[0]["n"] == 3


def test_nothing_of_a_week_is_in_its_own_promise() -> None:
    """The judged week turned into its opposite leaves what was promised for it as it was."""
    plain, other = (judged(line([10.0, 60.0, 30.0, last]))[0] for last in (5.0, 150.0))
    assert plain["hours"] == other["hours"]
    assert (plain["kept"], other["kept"]) == (1.0, 0.0)


@pytest.mark.parametrize("weeks", [3, 6, 9, 12, 19])
def test_what_is_stated_is_what_happens_when_weeks_are_alike(weeks: int) -> None:
    random = np.random.default_rng(7)
    draws = random.gamma(2.0, 20.0, (20_000, weeks + 1))
    reached = [row[-1] >= least.hours for row in draws if (least := at_least(row[:-1])) is not None]
    assert np.mean(reached) == pytest.approx(1.0 - falls_below(weeks), abs=0.01)


def test_the_week_of_167_hours_counts_as_whole() -> None:
    start = datetime(2026, 3, 1, 23, tzinfo=UTC).timestamp()  # Monday in Paris; the clocks change on the 29th
    end = start + timedelta(weeks=5).total_seconds() - HOUR
    shop = Grid.of({"m": Timeline(nothing(), nothing(), united([(start, end)]))}, "Europe/Paris")
    hours, whole = capacity.weekly(shop, JOB)
    assert whole.all()
    np.testing.assert_allclose(hours[0], np.array([168, 168, 168, 167, 168]) * 838 / 839)  # one gap, one changeover


def test_a_share_and_its_interval() -> None:
    happened = np.array([[True, False, True, True], [True, True, False, True]])
    found = scores.share(happened, np.ones((2, 4), np.bool_))
    assert found.value == 0.75
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 0.75 <= found.high
    three_weeks = np.array([[True, False, False, False], [False, True, False, True]])
    assert scores.share(happened, three_weeks) == scores.Interval(1.0, None, None)
    with pytest.raises(ValueError, match="nothing was asked"):
        scores.share(happened, np.zeros((2, 4), np.bool_))
