"""A clamp that was moved is noticed and learned anew; a closure, a new mix of work and noise are no move."""

from datetime import UTC, datetime

import numpy as np
import pytest

from analytics.moved import newest_move
from analytics.samples import Floats, Ints
from analytics.states import Learned, StateModel, learn, resolve
from fleet.batch import Rows, empty_rows
from fleet.network import Machine

MONDAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
MINUTE, DAY = 60_000, 86_400_000
WEEK = 7 * DAY


def weeks(count: int) -> Ints:
    return np.arange(MONDAY, MONDAY + count * WEEK, 5 * MINUTE, dtype=np.int64)


def power(at: Ints, seed: int = 1) -> Floats:
    """Weekdays 6 to 14, 8 kW with pauses at 700 W; else 12 W. The weekly mix of jobs moves the level by a tenth."""
    random = np.random.default_rng(seed)
    minute = (at - MONDAY) // MINUTE
    staffed = (minute // 1440 % 7 < 5) & (minute % 1440 >= 360) & (minute % 1440 < 840)
    mix = np.exp(0.1 * random.standard_normal(60))[minute // 10080]
    base = np.where(staffed & (minute % 75 < 60), 8000.0 * mix, np.where(staffed, 700.0, 12.0))
    found: Floats = base * (1 + 0.04 * random.standard_normal(len(at)))
    return found


@pytest.mark.parametrize("factor", [1 / 3, 0.5, 2.0, 3.0, 1000.0])
@pytest.mark.parametrize("after", [2, 3, 5])
def test_a_moved_clamp_is_noticed_after_two_weeks(factor: float, after: int) -> None:
    at, moved = weeks(8), MONDAY + (8 - after) * WEEK
    watts = power(at) * np.where(at >= moved, factor, 1.0)
    assert newest_move(at, watts, 900_000) == moved
    assert newest_move(at[at < moved], watts[at < moved], 900_000) is None


@pytest.mark.parametrize("seed", range(10))
def test_a_new_mix_of_work_is_no_move(seed: int) -> None:
    at = weeks(8)
    assert newest_move(at, power(at, seed), 900_000) is None


@pytest.mark.parametrize("closed", [(2, 4), (5, 8), (6, 8), (0, 2)])
@pytest.mark.parametrize("idle", [700.0, 12.0])
def test_a_closure_is_no_move(closed: tuple[int, int], idle: float) -> None:
    at = weeks(8)
    week = (at - MONDAY) // WEEK
    shut = (week >= closed[0]) & (week < closed[1])
    noise = 1 + 0.04 * np.random.default_rng(5).standard_normal(len(at))
    watts = np.where(shut, np.where(at // 3_600_000 % 24 < 12, idle, 12.0) * noise, power(at))
    assert newest_move(at, watts, 900_000) is None


def test_few_weeks_say_nothing() -> None:
    at = weeks(3)
    assert newest_move(at, power(at) * np.where(at >= MONDAY + WEEK, 5.0, 1.0), 900_000) is None


def rows(at: Ints, watts: Floats) -> Rows:
    found = empty_rows(len(at))
    found["at_ns"], found["power_w"] = at * 1_000_000, watts
    return found


def machine(**changes: object) -> Machine:
    return Machine.model_validate({"id": "mill", "name": "Mill", **changes})


AT = weeks(12)
MOVED = MONDAY + 7 * WEEK
FACTOR = np.where(AT >= MOVED, 0.3, 1.0)
WATTS = power(AT) * FACTOR


def test_an_old_rule_keeps_its_hours() -> None:
    learned = learn(rows(AT, WATTS), 900_000, MONDAY + 12 * WEEK)
    assert [rule.since_ms for rule in learned.power] == [0, MOVED]
    model = resolve(machine(), learned)
    alone = resolve(machine(), learn(rows(AT, WATTS)[AT < MOVED], 900_000, MOVED))
    assert model.version_at(MOVED // 1000 - 3600) == alone.version
    assert model.version_at(MOVED // 1000) == model.version != alone.version
    works = WATTS > FACTOR * 2000
    limits = model.limits(AT)
    assert ((limits.on_w <= WATTS) == works).mean() > 0.999
    assert Learned.from_json(learned.to_json()) == learned


def test_what_was_learned_before_a_move_stands_when_its_weeks_are_gone() -> None:
    first = learn(rows(AT, WATTS), 900_000, MONDAY + 12 * WEEK)
    later = AT >= MONDAY + 8 * WEEK
    again = learn(rows(AT[later], WATTS[later]), 900_000, MONDAY + 12 * WEEK, previous=first)
    assert again.power[0] == first.power[0]
    assert again.power[1].since_ms == MOVED


def test_the_owners_marks_hold_until_the_levels_have_moved_away_from_them() -> None:
    learned = learn(rows(AT, WATTS), 900_000, MONDAY + 12 * WEEK)

    def marked(day: int, working: float) -> StateModel:
        at = datetime(2026, 3, day, 8, tzinfo=UTC)
        return resolve(machine(calibration={"working_w": working, "standby_w": working / 12, "at": at}), learned)

    old = marked(10, 12_000.0)
    assert [rule.source for rule in old.before] == ["calibration"]
    assert old.source == "modes"
    assert [rule.source for rule in marked(10, 2400.0).before] == []
    assert marked(10, 2400.0).source == "calibration"  # their middle still lies between the levels
    again = machine(calibration={"working_w": 8000, "standby_w": 700, "at": datetime(2026, 5, 20, tzinfo=UTC)})
    assert resolve(again, learned).source == "calibration"  # made after the move: the owner knows
