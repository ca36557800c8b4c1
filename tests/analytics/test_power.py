"""What a machine's power says of its work, on machines of many kinds; and when it says nothing, why."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.fitted import Counted
from analytics.power import infer
from analytics.power_rule import PowerRule
from analytics.samples import Floats, Ints

START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
MINUTE, DAY = 60_000, 86_400_000
EVERY = 5 * MINUTE


def moments(days: float, every_ms: int = EVERY) -> Ints:
    return np.arange(START, START + int(days * DAY), every_ms, dtype=np.int64)


def shifts(at: Ints, work: float, idle: float, off: float, seed: int = 1) -> tuple[Floats, np.ndarray]:
    """Weekdays 6 to 14 with runs of an hour and pauses of a quarter, off at night; and when it works."""
    minute = (at - START) // MINUTE
    staffed = (minute // 1440 % 7 < 5) & (minute % 1440 >= 360) & (minute % 1440 < 840)
    works = staffed & (minute % 75 < 60)
    noise = 1 + 0.04 * np.random.default_rng(seed).standard_normal(len(at))
    return np.where(works, work, np.where(staffed, idle, off)) * noise, works


def said(rule: PowerRule, power_w: Floats) -> np.ndarray:
    assert rule.on_w is not None
    return power_w >= rule.on_w


@pytest.mark.parametrize("idle", [0.02, 0.1, 0.3, 0.5])
def test_high_idling_is_not_work(idle: float) -> None:
    """Chillers and pumps: what stands for hours on a level is left alone there."""
    at = moments(28)
    power, works = shifts(at, 8000.0, idle * 8000, idle * 8000)
    rule = infer(at, power, 900_000)
    assert (rule.source, rule.reason) == ("modes", "")
    assert (said(rule, power) == works).mean() > 0.999


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 1e6), st.integers(0, 50))
def test_the_unit_does_not_matter(factor: float, seed: int) -> None:
    """Kilowatts that were declared as watts: the levels are told by their distances."""
    at = moments(21)
    power, works = shifts(at, 8000.0, 700.0, 12.0, seed)
    rule = infer(at, power * factor, 900_000)
    assert (said(rule, power * factor) == works).mean() > 0.999


def test_a_meter_that_saturates() -> None:
    at = moments(21)
    power, works = shifts(at, 8000.0, 400.0, 12.0)
    rule = infer(at, np.minimum(power, 3680.0), 900_000)
    assert (said(rule, power) == works).mean() > 0.999
    higher, _ = shifts(at, 8000.0, 900.0, 12.0)  # idling looks like a quarter of the power
    assert infer(at, np.minimum(higher, 3680.0), 900_000).reason == "ambiguous"


@pytest.mark.parametrize("low", [0.2, 0.4, 0.6])
def test_strokes_and_moves_are_no_levels_of_their_own(low: float) -> None:
    """A laser that cuts and moves within seconds, a press: which of both a sample meets is chance."""
    at = moments(28)
    _, works = shifts(at, 1.0, 0.0, 0.0)
    random = np.random.default_rng(2)
    moving = np.where(random.random(len(at)) < 0.3, low, 1.0)
    power = 9000 * np.where(works, moving, 0.01) * (1 + 0.04 * random.standard_normal(len(at)))
    rule = infer(at, power, 900_000)
    assert (said(rule, power) == works).mean() > 0.99


def test_a_machine_that_is_hardly_used() -> None:
    """Two hours a week: little of the time, but seen long enough in eight weeks."""
    at = moments(56)
    minute = (at - START) // MINUTE
    works = (minute // 1440 % 7 == 2) & (minute % 1440 >= 600) & (minute % 1440 < 720)
    power = np.where(works, 9000.0, np.where(minute % 1440 < 900, 400.0, 5.0))
    rule = infer(at, power, 900_000)
    assert (said(rule, power) == works).all()


def test_gaps_count_for_nothing() -> None:
    at = moments(42)
    power, works = shifts(at, 8000.0, 700.0, 12.0)
    heard = np.random.default_rng(3).random(42)[(at - START) // DAY] < 0.6
    rule = infer(at[heard], power[heard], 900_000)
    assert (said(rule, power) == works).mean() > 0.999


def test_bursts_between_two_samples_are_work() -> None:
    """A press that draws for seconds, or a meter that shows 1 kW every second time."""
    at = moments(10)
    _, works = shifts(at, 1.0, 0.0, 0.0)
    power = np.where(works & (np.arange(len(at)) % 3 == 0), 1000.0, 0.0)
    rule = infer(at, power, 900_000)
    assert (rule.source, rule.pulse_ms) == ("learned", 6 * EVERY)
    longer = moments(28)
    _, works = shifts(longer, 1.0, 0.0, 0.0)
    power = np.where(works & (np.arange(len(longer)) % 3 == 0), 1000.0, 0.0)
    rule = infer(longer, power, 900_000)
    assert (rule.source, rule.pulse_ms) == ("modes", 6 * EVERY)
    steady, _ = shifts(at, 8000.0, 700.0, 12.0)
    assert infer(at, steady, 900_000).pulse_ms == 0


def noise(count: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).standard_normal(count)


def wandering(count: int) -> Floats:
    """A load that drifts between 500 and 5000 W over hours, without levels."""
    drift = np.convolve(noise(count + 400), np.ones(100) / 10, "valid")[:count]
    found: Floats = 500.0 + 4500.0 / (1 + np.exp(-1.5 * drift))
    return found


NOTHING: dict[str, tuple[str, float, object]] = {
    "hours": ("few", 0.8, lambda at: np.where(at // (3 * EVERY) % 2 == 0, 5000.0, 20.0)),
    "off for days": ("one-level", 5, lambda at: np.zeros(len(at))),
    "off for weeks": ("one-level", 30, lambda at: np.zeros(len(at))),
    "a clamp the wrong way round": ("one-level", 30, lambda at: np.full(len(at), -50.0)),
    "never stops": ("close", 30, lambda at: 5000.0 * np.exp(0.05 * noise(len(at)))),
    "never stops, loads of all sizes": ("close", 30, lambda at: np.random.default_rng(1).uniform(500, 5000, len(at))),
    "never stops, load that wanders": ("close", 30, lambda at: wandering(len(at))),
    "never stops, two loads": ("restless", 30, lambda at: np.where(at // (12 * EVERY) % 2 == 0, 9000.0, 900.0)),
    "worked once": ("seldom", 30, lambda at: np.where((at - START) // EVERY < 30, 9000.0, 5.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTHING)
def test_not_inferable(name: str) -> None:
    reason, days, power = NOTHING[name]
    at = moments(days)
    rule = infer(at, power(at), 900_000)  # type: ignore[operator]  # functions of the table
    assert (rule.on_w, rule.source, rule.reason) == (None, "none", reason)


def test_without_power() -> None:
    nothing = np.empty(0)
    assert infer(nothing.astype(np.int64), nothing, 900_000) == PowerRule(reason="no-power")


def test_a_level_far_below_the_rated_power_is_not_work() -> None:
    """Switched on each morning, never used: without the rated power it looks like a machine at work."""
    at = moments(28)
    minute = (at - START) // MINUTE
    power = np.where(minute % 1440 < 480, 600.0, 4.0) * (1 + 0.04 * noise(len(at)))
    assert infer(at, power, 900_000, rated_w=12_000).reason == "idle"
    assert infer(at, power, 900_000, rated_w=3_000).source == "modes"
    assert infer(at[:600], power[:600], 900_000, rated_w=12_000).reason == "idle"


def counted(at: Ints, rose: np.ndarray) -> Counted:
    return Counted(at[:-1], at[1:], rose[:-1])


def test_a_counter_says_which_level_is_work() -> None:
    """A furnace that holds at a third of its power: the counter knows that this is work."""
    at = moments(28)
    hour = (at - START) // 3_600_000 % 24
    power = np.select([hour < 3, hour < 12], [9000.0, 3000.0], 40.0) * (1 + 0.04 * noise(len(at)))
    works, heats = hour < 12, hour < 3
    assert (said(infer(at, power, 900_000, counted=counted(at, works)), power) == works).mean() > 0.99
    assert (said(infer(at, power, 900_000, counted=counted(at, heats)), power) == heats).mean() > 0.99
    other = infer(at, power, 900_000, counted=counted(at, hour % 2 == 0))
    assert (other.on_w, other.reason) == (None, "counter")


def test_a_level_that_may_be_work_or_rest_is_for_the_owner_to_say() -> None:
    """Between: at a third of the power now for ten minutes, now for half a night."""
    at = moments(28)
    minute = (at - START) // MINUTE
    day, inside = minute // 1440, minute % 1440
    half = (inside < 600) & (minute % 60 < 30) | (day % 3 == 0) & (inside > 1000) & (inside < 1300)
    power = np.select([half, inside < 600], [3000.0, 9000.0], 40.0) * (1 + 0.04 * noise(len(at)))
    assert infer(at, power, 900_000).reason == "ambiguous"


def test_a_week_more_of_the_same_machine_gives_the_same_thresholds() -> None:
    at = moments(56)
    power, _ = shifts(at, 8000.0, 700.0, 12.0)
    rules = [infer(at[:end], power[:end], 900_000) for end in range(28 * 288, 56 * 288, 7 * 288)]
    assert len({(rule.on_w, rule.off_w) for rule in rules}) == 1
