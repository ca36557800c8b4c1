"""The parts of a sweep against their definitions, and many machines at once against one at a time."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.beta_binomial import log_gamma, log_likelihood
from analytics.change import last_change, last_changes
from analytics.history import local_hours
from analytics.level import BUILT_IN_PRIOR, beta_below, prior_of
from analytics.levels import Levels, Priors, levels_of, others_priors
from analytics.levels import beta_below as betas_below
from analytics.tallies import by_hour_of_week, layout_of, on_weeks
from fleet.records import HOUR_SECONDS

SEEDS = st.integers(0, 2**32 - 1)
MARCH, OCTOBER = 1_774_000_000 // HOUR_SECONDS * HOUR_SECONDS, 1_792_000_000 // HOUR_SECONDS * HOUR_SECONDS
"""Some days before the clocks of Paris change."""


@settings(max_examples=40, deadline=None)
@given(
    SEEDS, st.sampled_from([MARCH, OCTOBER]), st.integers(0, 3000), st.sampled_from(["Europe/Paris", "Asia/Kolkata"])
)
def test_outcomes_are_summed_by_hour_of_week_whatever_the_clocks_do(
    seed: int, start: int, count: int, zone: str
) -> None:
    rng = np.random.default_rng(seed)
    clock = local_hours(start, count + 3, zone)
    flags = rng.random((2, count)) < 0.5
    weight = rng.random(int(clock.week[-1] - clock.week[0]) + 1)
    expected = np.zeros((2, 168))
    for hour in range(count):
        expected[:, clock.hour_of_week[hour]] += weight[clock.week[hour] - clock.week[0]] * flags[:, hour]
    np.testing.assert_allclose(by_hour_of_week(flags, layout_of(clock), weight), expected, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from([MARCH, OCTOBER]), st.integers(1, 1200))
def test_values_lie_on_their_weeks(seed: int, start: int, count: int) -> None:
    values = np.random.default_rng(seed).random((2, count))
    clock = local_hours(start, count, "Europe/Paris")
    found = on_weeks(values, layout_of(clock))
    expected = np.zeros(found.shape)
    for hour, value in enumerate(values.T):
        expected[:, clock.week[hour] - clock.week[0], clock.hour_of_week[hour]] += value
    np.testing.assert_allclose(found, expected)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from([0.5, 1.0, 16.0]))
def test_the_likelihood_is_that_of_its_gamma_functions(seed: int, weeks: float) -> None:
    rng = np.random.default_rng(seed)
    known = 9.0 * rng.random((3, 168)) * (rng.random((3, 168)) < 0.9)
    free, prior = known * rng.integers(0, 2, (3, 168)), np.clip(rng.random((3, 168)), 0.005, 0.995)
    a, b = weeks * prior, weeks * (1 - prior)
    cell = log_gamma(a + free) - log_gamma(a) + log_gamma(b + known - free) - log_gamma(b)
    cell -= log_gamma(weeks + known) - log_gamma(np.array(weeks))
    np.testing.assert_allclose(log_likelihood(free, known, prior, weeks), cell.sum(axis=1), atol=1e-5)


def every_partition(weekly: NDArray[np.float64]) -> int:
    """Weeks of the newest regime of the best partition, by trying all; 0 for one regime."""
    count = len(weekly)
    step = float(np.median(np.abs(np.diff(weekly)))) / (0.6745 * 2**0.5)
    penalty = 3.0 * np.log(count) * max(step, 0.02) ** 2
    best, newest = np.inf, 0
    for changes in range(count // 2):
        for edges in combinations(range(2, count - 1), changes):
            bounds = [0, *edges, count]
            runs = [weekly[low:high] for low, high in pairwise(bounds)]
            if min(map(len, runs)) >= 2:
                cost = sum(float(((run - run.mean()) ** 2).sum()) + penalty for run in runs)
                if cost < best - 1e-12:
                    best, newest = cost, len(runs[-1]) if edges else 0
    return newest


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(4, 9))
def test_regimes_are_those_of_the_best_partition(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    weekly = np.clip(np.repeat(rng.random(3), 3)[:count] + 0.08 * rng.standard_normal(count), 0, 1)
    assert (last_change(weekly) or 0) == every_partition(weekly)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_regimes_are_those_that_ruptures_finds(seed: int) -> None:
    from ruptures import Pelt

    rng = np.random.default_rng(seed)
    weekly = np.clip(np.repeat(rng.random(3), 4) + 0.05 * rng.standard_normal(12), 0, 1)
    step = float(np.median(np.abs(np.diff(weekly)))) / (0.6745 * 2**0.5)
    penalty = 3.0 * np.log(12) * max(step, 0.02) ** 2
    ends = Pelt(model="l2", min_size=2, jump=1).fit(weekly).predict(pen=penalty)
    assert (last_change(weekly) or 12) == ends[-1] - (ends[-2] if len(ends) > 1 else 0)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_regimes_of_many_are_those_of_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weekly, weeks = rng.random((30, 12)).round(1), rng.integers(0, 13, 30)
    found = last_changes(weekly, weeks)
    assert found.tolist() == [last_change(one[:count]) or 0 for one, count in zip(weekly, weeks, strict=True)]


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_chances_to_stay_below_are_those_of_each_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = np.exp(rng.normal(1, 2, 50)), np.exp(rng.normal(1, 2, 50))
    x = np.concatenate([rng.random(48), [0.0, 1.0]])
    assert betas_below(x, a, b).tolist() == [beta_below(*one) for one in zip(x, a, b, strict=True)]
    weekly, coverage = rng.random((50, 12)), rng.random((50, 12))
    prior = Priors(rng.random(50), 0.1 + rng.random(50), rng.random(50))
    levels = levels_of(weekly, coverage, prior)
    for one in range(50):
        alone = levels_of(weekly[[one]], coverage[[one]], Priors(*(column[[one]] for column in prior)))
        assert [column[one] for column in levels] == [column[0] for column in alone]
        assert Levels(*alone).below(0.4, 4)[0] == levels.below(0.4, 4)[one]


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 14))
def test_what_others_teach_is_what_they_teach_without_one(seed: int, machines: int) -> None:
    rng = np.random.default_rng(seed)
    share = rng.random((machines, 12)) * (rng.random((machines, 1)) < 0.9)
    seen = rng.random((machines, 12)) < rng.random((machines, 1))
    built_in = Priors(*(np.array([value]) for value in BUILT_IN_PRIOR[:3]))
    found = others_priors(share, seen, built_in)
    for one in range(machines):
        expected = prior_of([share[other][seen[other]] for other in range(machines) if other != one])
        assert [column[one] for column in found] == pytest.approx(list(expected[:3]), rel=1e-9)
