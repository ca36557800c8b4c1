"""Scores of forecasts, by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.evaluate import scores


def test_the_interval_of_a_calibration_error() -> None:
    """The sums by machine and week give the error of the table; an honest interval lies below a careful one."""
    random = np.random.default_rng(3)
    told = random.random((12, 9, 168))
    outcome, scored = random.random(told.shape) < told, random.random(told.shape) < 0.8

    def judged(chances: NDArray[np.float64]) -> scores.Interval:
        weeks = [scores.binned(chances[:, week], outcome[:, week], scored[:, week]) for week in range(9)]
        found = scores.calibration(np.stack(weeks, axis=1))
        table = scores.reliability(chances[scored], outcome[scored])
        assert found.value == pytest.approx(scores.calibration_error(table))
        return found

    honest, careful = judged(told), judged(0.25 + 0.5 * told)
    assert honest.low is not None
    assert honest.high is not None
    assert careful.low is not None
    assert honest.low <= honest.value < honest.high < 0.05 < careful.low
    one = scores.binned(told[:1, 0], outcome[:1, 0], scored[:1, 0])
    assert scores.calibration(one[None])[1:] == (None, None)


def test_scores_by_hand() -> None:
    probability, outcome = np.array([0.0, 0.9, 1.0, 0.95]), np.array([False, True, False, True])
    assert scores.brier(probability, outcome) == pytest.approx((0.01 + 1 + 0.0025) / 4)
    expected = -(np.log(0.99) + np.log(0.9) + np.log(0.01) + np.log(0.95)) / 4
    assert scores.log_loss(probability, outcome) == pytest.approx(expected)
    table = scores.reliability(probability, outcome)
    assert [(row["from"], row["n"], row["observed"]) for row in table] == [(0.0, 1, 0.0), (0.9, 3, 2 / 3)]
    assert scores.calibration_error(table) == pytest.approx(0.75 * (0.95 - 2 / 3))


def test_gain_is_resampled_over_machines_and_weeks() -> None:
    random = np.random.default_rng(2)
    rival = random.random((20, 10)) + 1.0
    found = scores.gain(rival * 0.9, rival)
    assert found.value == pytest.approx(10.0)
    assert found.low == pytest.approx(10.0)
    noisy = scores.gain(rival * (0.9 + 0.4 * (random.random((20, 10)) - 0.5)), rival)
    assert noisy.low is not None
    assert noisy.high is not None
    assert noisy.low < noisy.value < noisy.high
    assert scores.gain(rival[:, :3] * 0.9, rival[:, :3]).low is None  # three weeks
    assert scores.gain(rival[:1, :4], rival[:1, :4]) == (0.0, 0.0, 0.0)
    assert scores.gain(rival * 0, rival * 0).low is None


def test_the_interval_of_a_proportion() -> None:
    """Wilson's example: of ten cases all; and what no case tells."""
    assert scores.proportion(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert scores.proportion(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert scores.proportion(0.0, 2.5)[0] == 0.0
    assert scores.proportion(None, 5) == scores.proportion(0.5, 0) == (None, None)
