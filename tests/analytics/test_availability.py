"""P(free for the whole window): outcomes against their definition, cells by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.availability import (
    Cells,
    FleetProfile,
    decay,
    free_probabilities,
    history_cells,
    posterior,
    shape_of,
    tally,
    windows,
)
from analytics.beta_binomial import log_gamma
from analytics.history import History, LocalHours, week_of
from fleet.states import PRODUCING, STANDBY
from tests.analytics.machines import hours, local, mornings


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 1800.0, 3590.0, 3600.0])), max_size=40), st.integers(1, 9)
)
def test_windows_are_free_when_no_hour_is_busy_and_known_when_observed(
    day: list[tuple[bool, float]], length: int
) -> None:
    busy, observed = np.array([b for b, _ in day], dtype=np.bool_), np.array([o for _, o in day])
    found = windows(busy[None], observed[None], length)
    starts = range(max(0, len(day) - length + 1))
    assert found.free[0].tolist() == [not busy[s : s + length].any() for s in starts]
    assert found.known[0].tolist() == [observed[s : s + length].sum() >= 0.99 * 3600 * length - 1e-6 for s in starts]


def test_cells_sum_weights_by_hour_of_week() -> None:
    outcomes = windows(np.array([[True, False, False]]), np.array([[3600.0, 3600.0, 0.0]]), 1)
    hour_of_week, week = np.array([167, 0, 1]), np.array([10, 11, 11])
    cells = tally(outcomes, LocalHours(0, hour_of_week, week, week * 7), 12)
    assert (cells.free[0, 167], cells.known[0, 167]) == (0.0, decay(2))
    assert (cells.free[0, 0], cells.known[0, 0], cells.known[0, 1]) == (decay(1), decay(1), 0.0)


def test_an_hour_without_outcomes_rests_on_machine_and_fleet() -> None:
    free, known = np.zeros((2, 168)), np.zeros((2, 168))
    known[:, :2] = 10.0
    free[0, :2], free[1, 0], free[1, 1] = (8.0, 6.0), 6.0, 4.0
    shape = shape_of(Cells(free, known))
    assert shape[0] > 0 > shape[1]
    assert shape[5] == 0.0  # nobody was seen there: no shape of its own
    found = posterior(Cells(free, known), shape)
    assert found[0, 5] == pytest.approx((14 + 0.5) / (20 + 1.0))  # the machine's own level
    assert abs(found[0, 0] - 0.8) < abs(14.5 / 21 - 0.8)  # drawn to what was seen


def test_no_machine_gives_a_flat_shape_and_nothing_seen_a_half() -> None:
    assert FleetProfile([]).shape(8, 3000).tolist() == [0.0] * 168
    nothing = Cells(np.zeros((1, 168)), np.zeros((1, 168)))
    np.testing.assert_allclose(posterior(nothing, np.zeros(168)), 0.5)


def test_a_machine_that_keeps_its_hours_needs_little_prior() -> None:
    """Both were free four times of four at hour 0; one is always so at even hours, the other now and then."""
    known = np.full((2, 168), 4.0)
    free = np.zeros((2, 168))
    free[0, ::2] = 4.0
    free[1] = np.tile([4.0, 2.0, 1.0, 1.0], 42)
    regular, irregular = posterior(Cells(free, known), np.zeros(168))[:, 0]
    assert regular > 0.85
    assert irregular < 0.8


def test_log_gamma() -> None:
    at = np.array([0.005, 0.3, 1.0, 2.5, 30.0, 400.0])
    np.testing.assert_allclose(log_gamma(at), [math.lgamma(x) for x in at], atol=1e-8)


def test_weight_halves_in_six_weeks() -> None:
    assert decay(0) == 1.0
    assert decay(6) == 0.5
    history = History.from_buckets(hours(local(2026, 6, 1), local(2026, 6, 8), mornings), "Europe/Paris")
    week = week_of(local(2026, 6, 1), "Europe/Paris")
    assert history_cells(history, 1, week).known[0, 0] == 1.0
    assert history_cells(history, 1, week + 12).known[0, 0] == 0.25


def test_chances_follow_the_week_of_the_machine() -> None:
    history = History.from_buckets(hours(local(2026, 6, 1), local(2026, 8, 24), mornings), "Europe/Paris")
    chances = free_probabilities(history, 4, week_of(local(2026, 8, 24), "Europe/Paris"), FleetProfile([history]))
    assert chances[24 + 12] > 0.95  # Tuesday noon
    assert chances[24 + 6] < 0.3
    assert chances[24 + 3] < 0.3  # reaches into the morning
    assert (chances[5 * 24 :] > 0.9)[: 24 * 2 - 4].all()


def test_closed_days_teach_nothing() -> None:
    quiet = hours(local(2026, 6, 1), local(2026, 6, 8), lambda _: STANDBY)
    history = History.from_buckets(quiet, "Europe/Paris")
    closed = history.clock.hour_of_week < 24
    cells = history_cells(history, 4, int(history.clock.week[0]), closed)
    assert cells.known[0, :24].sum() == 0.0
    assert cells.known[0, 24:164].tolist() == [1.0] * 140


def test_windows_longer_than_the_history_are_none() -> None:
    history = History.from_buckets(hours(local(2026, 6, 1), local(2026, 6, 1, 3), lambda _: PRODUCING), "Europe/Paris")
    assert history_cells(history, 8, int(history.clock.week[0])).known.sum() == 0.0
