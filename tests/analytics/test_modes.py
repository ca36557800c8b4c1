"""The sticky model of levels against a plain forward-backward pass, and on columns whose levels are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.modes import STRAY, Floats, Modes, begin, belonging, fit


def plain(x: Floats, modes: Modes) -> Floats:
    """Belonging by the recursion as it stands in the textbook, one sample after the other, no stretches."""
    density = np.exp(-0.5 * ((x[:, None] - modes.mean) / modes.sigma) ** 2) / (modes.sigma * np.sqrt(2 * np.pi))
    likely = np.where(np.isnan(x)[:, None], 1.0, density + STRAY)
    forward, backward = np.empty_like(likely), np.empty_like(likely)
    now = modes.share
    for step in range(len(x)):
        now = (now @ modes.change) * likely[step]
        forward[step] = now = now / now.sum()
    later = np.ones(len(modes.mean))
    for step in range(len(x) - 1, -1, -1):
        backward[step] = later
        later = modes.change @ (later * likely[step])
        later = later / later.sum()
    weight = forward * backward
    whole: Floats = weight / weight.sum(axis=1, keepdims=True)
    return whole


def drawn(seed: int, count: int, mean: Floats, sigma: Floats, change: Floats) -> tuple[Floats, np.ndarray]:
    """A column and the levels behind it."""
    random = np.random.default_rng(seed)
    level = [0]
    for _ in range(count - 1):
        level.append(int(random.choice(len(mean), p=change[level[-1]])))
    levels = np.array(level)
    return mean[levels] + sigma[levels] * random.standard_normal(count), levels


CHANGE = np.array([[0.98, 0.02, 0.0], [0.01, 0.96, 0.03], [0.01, 0.03, 0.96]])
THREE = Modes(np.array([-4.0, -2.5, -0.4]), np.array([0.06, 0.2, 0.4]), CHANGE, np.array([0.3, 0.4, 0.3]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 500), st.floats(0, 0.5))
def test_stretches_lose_nothing(seed: int, count: int, lost: float) -> None:
    x, _ = drawn(seed, count, THREE.mean, THREE.sigma, CHANGE)
    x[np.random.default_rng(seed).random(count) < lost] = np.nan
    np.testing.assert_allclose(belonging(x, THREE, rounds=12).weight, plain(x, THREE), atol=1e-9)


def test_what_was_drawn_is_found_with_gaps_and_strays() -> None:
    x, levels = drawn(7, 12_000, THREE.mean, THREE.sigma, CHANGE)
    random = np.random.default_rng(7)
    x[random.random(len(x)) < 0.1] = np.nan
    x[3000:4000] = np.nan
    x[random.random(len(x)) < 0.005] = 3.0
    groups = [x[x < -3.3], x[(x >= -3.3) & (x < -1.5)], x[x >= -1.5]]
    found, weight = fit(x, begin(groups, 0.8), np.full(3, 0.05), 0.8)
    np.testing.assert_allclose(found.mean, THREE.mean, atol=0.03)
    np.testing.assert_allclose(found.sigma, THREE.sigma, rtol=0.1)
    np.testing.assert_allclose(found.change, CHANGE, atol=0.02)
    known = ~np.isnan(x) & (x < 2)
    assert (weight.argmax(axis=1) == levels)[known].mean() > 0.99


@pytest.mark.parametrize("column", [np.zeros(300), np.full(300, np.nan), np.array([1.0])], ids=["flat", "none", "one"])
def test_nothing_becomes_nan(column: Floats) -> None:
    start = begin([np.array([0.0]), np.array([1.0])], 0.9)
    found, weight = fit(column, start, np.full(2, 0.05), 0.9)
    assert all(np.isfinite(part).all() for part in found)
    np.testing.assert_allclose(weight.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.change.sum(axis=1), 1.0)
