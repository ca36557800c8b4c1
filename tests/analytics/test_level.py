"""The level of a machine: the beta distribution against an integral, shrinkage, certainty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.change import last_change
from analytics.level import BUILT_IN_PRIOR, beta_below, level_of, prior_of


def integral(x: float, a: float, b: float) -> float:
    """In log odds, where the density has no poles."""
    odds = np.linspace(-60, 60, 240_001)
    density = np.exp(-a * np.logaddexp(0, -odds) - b * np.logaddexp(0, odds))
    return float(density[odds <= np.log(x / (1 - x))].sum() / density.sum())


@given(st.floats(0.02, 0.98), st.floats(0.3, 60), st.floats(0.3, 60))
def test_beta_is_its_integral(x: float, a: float, b: float) -> None:
    assert beta_below(x, a, b) == pytest.approx(integral(x, a, b), abs=2e-3)


def test_beta_at_known_points() -> None:
    assert beta_below(0.3, 2, 5) == pytest.approx(0.579825)
    assert beta_below(0.5, 3, 3) == pytest.approx(0.5)
    assert (beta_below(0.0, 2, 2), beta_below(1.0, 2, 2)) == (0.0, 1.0)


def test_steady_low_use_is_sure_and_erratic_use_is_not() -> None:
    whole = np.ones(12)
    steady = level_of(np.full(12, 0.1), whole, BUILT_IN_PRIOR)
    erratic = level_of(np.array([0.0, 0.6] * 3 + [0.0] * 6), whole, BUILT_IN_PRIOR)
    assert steady.below(0.4, 4) > 0.99
    assert erratic.below(0.4, 4) < 0.95
    assert level_of(np.full(12, 0.7), whole, BUILT_IN_PRIOR).below(0.4, 4) < 0.01


def test_few_or_badly_seen_weeks_lean_on_the_prior() -> None:
    nothing = level_of(np.zeros(0), np.zeros(0), BUILT_IN_PRIOR)
    assert nothing.mean == pytest.approx(BUILT_IN_PRIOR.mean)
    one, many = (level_of(np.full(n, 0.1), np.ones(n), BUILT_IN_PRIOR).mean for n in (1, 12))
    assert 0.1 < many < one < 0.5
    poorly = level_of(np.full(12, 0.1), np.full(12, 0.1), BUILT_IN_PRIOR).mean
    assert many < poorly


def test_a_prior_needs_five_machines() -> None:
    weeks = [np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.6, 0.7])]
    assert prior_of(weeks) is BUILT_IN_PRIOR
    learned = prior_of(weeks * 3)
    assert learned.mean == pytest.approx(0.4)
    assert learned.between == pytest.approx(0.2)
    assert learned.origin == "6 machines"
    assert prior_of([np.zeros(4)] * 6).scatter == BUILT_IN_PRIOR.scatter


def test_change_points_are_found_where_the_level_moved() -> None:
    noise = np.array([0.01, -0.02, 0.02, -0.01, 0.0, 0.015, -0.015, 0.01, -0.01, 0.02, -0.02, 0.0])
    assert last_change(0.5 + noise) is None
    moved = 0.5 + noise
    moved[9:] = 0.1 + noise[9:]
    assert last_change(moved) == 3
    assert last_change(np.array([0.1, 0.9, 0.9])) is None
