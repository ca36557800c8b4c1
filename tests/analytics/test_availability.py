"""P(free for the whole window): outcomes against their definition, cells by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.availability import (
    LEAST,
    LEVEL_RIDGE,
    LEVEL_SPREAD,
    Cells,
    decay,
    expit,
    logit,
    posterior,
    prior_of,
    shape_of,
    tally,
)
from analytics.beta_binomial import log_gamma
from analytics.history import LocalHours
from analytics.windows import outcomes, windows


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


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.0005, 0.002, 0.3]),
    st.sampled_from([1, 8, 24, 130]),
    st.sampled_from([np.float32, np.float64]),
)
def test_a_window_is_known_to_the_millisecond_however_often_a_little_is_missing(
    seed: int, share: float, length: int, kind: type[np.floating]
) -> None:
    rng = np.random.default_rng(seed)
    longest_ms, shape = 36_000 * length, (3, 1000)
    edge = min(3_600_000, longest_ms) + rng.integers(-2, 3, shape)
    gap_ms = np.where(rng.random(shape) < 0.5, edge, rng.integers(0, 3_600_001, shape)).clip(0, 3_600_000)
    gap_ms[rng.random(shape) >= share] = 0
    gap_ms[rng.random(shape) < 0.001] = 3_600_000
    found = outcomes(np.zeros(shape, dtype=np.bool_), (gap_ms / 1000.0).astype(kind), length)
    lost = np.lib.stride_tricks.sliding_window_view(gap_ms, length, axis=1).sum(axis=-1)
    np.testing.assert_array_equal(found.known, lost <= longest_ms)


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
    level = float(logit(found[0, 5]))  # the machine's own, and nothing else
    assert 14.0 - 10.0 * expit(level + shape[:2]).sum() == pytest.approx(LEVEL_RIDGE * level, abs=1e-3)
    assert abs(found[0, 0] - 0.8) < abs(14.5 / 21 - 0.8)  # drawn to what was seen


@given(
    st.floats(-1.5, 1.5),
    st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=6),
    st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=8),
)
def test_a_shape_is_that_of_each_machine_not_of_their_mean(
    middle: float, levels: list[float], bends: list[float]
) -> None:
    """Outcomes as they are expected of an additive model give it back, however far apart the machines lie."""
    true = np.resize(bends, 168) - np.mean(np.resize(bends, 168))
    odds = middle + np.array(levels)[:, None] + true
    known = np.full(odds.shape, 4000.0)
    cells = Cells(known * expit(odds), known)
    shape = shape_of(cells)
    np.testing.assert_allclose(shape - shape.mean(), true, atol=0.1)
    np.testing.assert_allclose(prior_of(cells, shape), np.clip(expit(odds), LEAST, 1 - LEAST), atol=0.01)


def test_machines_in_rows_of_weeks_are_judged_as_alone() -> None:
    random = np.random.default_rng(5)
    known = random.uniform(0.0, 6.0, (3, 4, 168))
    cells = Cells(known * random.random(known.shape), known)
    together = posterior(cells, shape_of(cells))
    for row in range(3):
        one = Cells(cells.free[row], cells.known[row])
        np.testing.assert_allclose(posterior(one, shape_of(one)), together[row], rtol=1e-12)


def test_nothing_seen_is_a_half_or_the_base() -> None:
    nothing = Cells(np.zeros((1, 168)), np.zeros((1, 168)))
    np.testing.assert_allclose(posterior(nothing, np.zeros(168)), 0.5)
    base = np.linspace(-2.0, 2.0, 168)[None]
    assert not shape_of(nothing, base).any()
    told = posterior(nothing, np.zeros(168), base)
    spread = np.sqrt(1.0 + np.pi / 8.0 * LEVEL_SPREAD**2)  # of the levels that such machines have
    np.testing.assert_allclose(told, expit(base / spread), rtol=1e-12)


def test_a_base_is_the_mean_over_levels() -> None:
    """Against many levels drawn: MacKay's mean is right to two hundredths."""
    base = np.linspace(-4.0, 4.0, 168)
    levels = np.random.default_rng(1).normal(0.0, LEVEL_SPREAD, 20_000)
    nothing = Cells(np.zeros((1, 168)), np.zeros((1, 168)))
    found = prior_of(nothing, np.zeros(168), base[None])[0]
    np.testing.assert_allclose(found, expit(base + levels[:, None]).mean(axis=0), atol=0.02)


def test_a_base_is_outweighed_by_what_is_seen() -> None:
    """Always free, against a base that says nearly never: after eight weeks next to nothing is left of it."""
    base = np.full((1, 168), -2.5)
    told = []
    for weeks in (0.0, 1.0, 8.0):
        cells = Cells(np.full((1, 168), weeks), np.full((1, 168), weeks))
        told.append(float(posterior(cells, shape_of(cells, base), base).mean()))
    assert told[0] < 0.2 < told[1] < told[2]
    assert told[2] > 0.97


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
