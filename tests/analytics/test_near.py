"""What recent days and the present change in P(free): no look ahead, nothing of silence, the profile far away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import near
from analytics.availability import posterior, shape_of
from analytics.evaluate.folds import folds
from analytics.evaluate.grid import Grid
from analytics.history import local_hours
from analytics.profiles import Hours, Profiles
from analytics.signals import BUSY, FREE, LASTING, SCALE, UNKNOWN, WIDTH, Present, Signals, States
from tests.bench import builtin

MONDAY = 1_772_409_600  # 2026-03-02
NAMES = list(SCALE)


def sticky(machines: int, weeks: int, seed: int = 3, stay: float = 0.97) -> Hours:
    """Machines that stay busy, or free, for a day or so whatever the hour of week: only the present tells of them."""
    random = np.random.default_rng(seed)
    count = 168 * weeks
    change = random.random((machines, count)) > stay
    busy = (np.cumsum(change, axis=1) % 2).astype(bool)
    return Hours(busy, np.full(busy.shape, 3600.0), local_hours(MONDAY, count, "UTC"))


def ends(hours: Hours) -> States:
    return np.where(hours.busy, BUSY, FREE).astype(np.int8)


def signals(hours: Hours, window: int = 4, phase: float = 1.0) -> Signals:
    return Signals(Profiles(hours), Present(ends(hours), phase), window)


def test_rows_are_what_was_known_at_each_monday() -> None:
    hours = sticky(3, 6)
    seconds = np.where(hours.busy, 3600.0, 0.0)
    grid = Grid(("a", "b", "c"), hours.clock, seconds, seconds, hours.observed)
    profiles = Profiles(hours)
    for fold in folds(grid, 8, 0, 2):
        cells = fold.past.cells(aged=True)
        row = profiles.at(8, fold.start)
        np.testing.assert_allclose(row, posterior(cells, shape_of(cells))[:, fold.hour_of_week], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(at=st.integers(200, 480), ahead=st.integers(1, 200), phase=st.sampled_from([0.25, 1.0]), seed=st.integers(0, 9))
def test_nothing_at_or_after_the_instant_is_looked_at(at: int, ahead: int, phase: float, seed: int) -> None:
    hours = sticky(2, 4, seed)
    other = np.array(hours.busy)
    ended = at + (phase >= 1.0)
    other[:, ended:] ^= True
    changed = Present(
        np.where(np.arange(hours.busy.shape[1]) > at, 1 - ends(hours), ends(hours)).astype(np.int8), phase
    )
    plain = signals(hours, 4, phase)
    twin = Signals(Profiles(Hours(other, hours.observed, hours.clock)), changed, 4)
    where = np.array([at]), np.array([at + ahead])
    np.testing.assert_array_equal(plain.of(*where), twin.of(*where))


def test_signals_by_hand() -> None:
    """One machine, free but for the last three hours: busy, for three hours, above its usual use."""
    hours = sticky(1, 3, stay=1.0)
    hours.busy[0, -3:] = True
    told = signals(hours).of(np.array([503]), np.array([504]))[0, 0]
    by_name = dict(zip(NAMES, told * np.array([*SCALE.values(), *[1.0] * LASTING]), strict=False))
    assert told.shape == (WIDTH,) == (len(NAMES) + LASTING,)
    assert (by_name["busy"], by_name["free"], by_name["free_for"]) == (1.0, 0.0, 0.0)
    assert by_name["busy_for"] == pytest.approx(np.log(3.0))
    assert 0.08 < by_name["surplus"] < 0.125  # three hours of a day that fades
    assert by_name["if_free"] == 0.0
    assert by_name["if_busy"] < 0.0


def test_silence_says_nothing() -> None:
    hours = sticky(2, 4)
    silent = Hours(hours.busy, np.zeros(hours.busy.shape), hours.clock)
    untold = np.full(hours.busy.shape, UNKNOWN, np.int8)
    told = Signals(Profiles(silent), Present(untold, 1.0), 4).of(np.array([600]), np.array([610]))
    assert not told.any()
    assert not near.learn(silent, untold, 4, near.NOTHING_KNOWN).any()  # no window was observed: the prior


def test_what_persists_is_learned_and_fades_into_the_profile() -> None:
    hours = sticky(6, 8)
    weights = near.learn(hours, ends(hours), 4)
    start = hours.busy.shape[1] + np.array([0, 3, 24, 72, 336, 1000])
    found = near.corrections(Profiles(hours), Present(ends(hours), 1.0), 4, start, weights)
    busy = hours.busy[:, -1]
    assert busy.any()
    assert (~busy).any()
    assert (found[busy, 0] < -0.5).all()
    assert (found[~busy, 0] > 0.5).all()
    assert (np.abs(found[:, 0]) > np.abs(found[:, 3])).all()
    np.testing.assert_allclose(found[:, -1], 0.0, atol=1e-6)
    np.testing.assert_allclose(near.moved(np.full((6, 6), 0.3), found)[:, -1], 0.3, atol=1e-6)


def test_little_history_leaves_the_prior() -> None:
    prior = np.linspace(-1.0, 1.0, WIDTH)
    for weeks in (0, 1, 2):
        hours = sticky(2, weeks)
        np.testing.assert_array_equal(near.learn(hours, ends(hours), 4, prior), prior)
        assert near.corrections(
            Profiles(hours), Present(ends(hours), 1.0), 4, np.array([168 * weeks]), prior
        ).shape == (2, 1)


def test_hundreds_of_machines_teach_by_a_sample() -> None:
    hours = sticky(3, 5)
    many = Hours(np.tile(hours.busy, (70, 1)), np.tile(hours.observed, (70, 1)), hours.clock)
    few = Hours(many.busy[::4], many.observed[::4], hours.clock)
    np.testing.assert_array_equal(near.learn(many, ends(many), 4), near.learn(few, ends(few), 4))


def test_what_is_built_in_is_what_the_simulated_network_teaches() -> None:
    np.testing.assert_allclose(near.BUILT_IN, builtin.weights(), atol=0.021)


def test_one_machine_with_three_weeks_leans_on_what_is_built_in() -> None:
    hours = sticky(1, 3)
    weights = near.learn(hours, ends(hours), 4)
    assert not np.array_equal(weights, near.BUILT_IN)
    alone = near.learn(hours, ends(hours), 4, near.NOTHING_KNOWN)
    assert np.abs(weights - near.BUILT_IN).sum() < np.abs(alone - near.BUILT_IN).sum() / 2
