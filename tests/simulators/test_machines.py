"""Kinds of machine: plausible figures, and weeks that keep to them."""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fleet.network import Machine, Trade
from fleet.states import FAULT, MAINTENANCE, OFF, PRODUCING, SETUP, STANDBY
from simulators.machines import KINDS, kind_for
from simulators.machines.base import Kind
from simulators.plant import Plant, chances_of, plants_of
from simulators.timeline import Timeline, counting_since
from tests.simulators.conftest import NOW, ms, one_of_each, small_registry

PHASES = (np.arange(1000) + 0.5) / 1000
EIGHT = {"paint-booth", "machining-centre", "lathe", "laser", "press", "furnace", "test-bench", "compressor"}


def test_every_kind_has_its_own_name_and_trade() -> None:
    assert {kind.name for kind in KINDS} >= EIGHT
    assert len({kind.name for kind in KINDS}) == len({kind.trade for kind in KINDS}) == len(KINDS)
    assert {kind_for(trade) for trade in Trade} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_power_tells_work_from_standby(kind: Kind) -> None:
    curve = kind.curve(PHASES)
    assert curve.shape == PHASES.shape
    assert curve.min() > 1.4 * kind.standby, "at any phase it draws more than on standby"
    assert curve.max() <= 1.0
    minute = math.ceil(len(PHASES) * 60 / kind.cycle_s[1])  # steps of the longest cycle
    low = curve < (kind.standby + kind.producing) / 2
    assert not any(low[start : start + minute].all() for start in range(max(1, len(low) - minute))), (
        "below the half of standby and work it stays for less than a minute, or power could not tell"
    )
    assert kind.off < kind.standby < kind.producing
    assert kind.producing == pytest.approx(curve.mean(), rel=0.02)
    assert 0.5 < kind.efficiency < 1


def shares(plant: Plant, weeks: int = 40) -> dict[int, float]:
    """Seconds in each state over ordinary weeks, by staffed second."""
    timeline = Timeline(plant, counting_since(NOW.date()))
    first = plant.schedule.week_at(NOW.timestamp())
    total: dict[int, float] = dict.fromkeys(range(7), 0.0)
    staffed = 0.0
    for week in range(first, first + weeks):
        start, end = plant.schedule.bounds(week)
        runs = timeline.intervals(round(start * 1000), round(end * 1000))
        for state in total:
            total[state] += float((runs.end_ms - runs.start_ms)[runs.state == state].sum()) / 1000
        staffed += sum(block.end - block.start for block in plant.schedule.blocks(week))
    return {state: seconds / staffed for state, seconds in total.items()}


@pytest.mark.parametrize("plant", one_of_each(), ids=lambda plant: plant.kind.name)
def test_a_machine_is_used_as_much_as_it_is_meant_to_be(plant: Plant) -> None:
    found = shares(plant)
    assert found[PRODUCING] + found[SETUP] == pytest.approx(plant.load, abs=0.15)
    assert found[PRODUCING] > found[SETUP]
    assert 0 < found[MAINTENANCE] < 0.1
    assert found[FAULT] < 0.2
    assert found[OFF] > 0
    assert found[STANDBY] > 0


def test_some_are_hardly_used_and_some_more_than_they_should() -> None:
    machines = tuple(Machine(id=f"cabine-{n}", name="Cabine", trade=Trade.PAINT, every=900) for n in range(100))
    loads = sorted(plant.load for plant in plants_of(1, small_registry(machines)))
    assert 50 <= sum(load < 0.25 for load in loads) <= 85, "paint booths are what the network began with"
    assert any(load > 0.8 for load in loads)
    assert all(0.04 <= load <= 0.97 for load in loads)


def test_chances_have_the_mean_asked_for() -> None:
    for share in (0.05, 0.2, 0.5, 0.8, 0.98, 1.4):
        chances = chances_of(share, 20, np.random.default_rng(1))
        assert np.mean(chances) == pytest.approx(min(share, 0.985), abs=0.02)


def test_nobody_works_on_closed_days_and_holidays() -> None:
    zone = ZoneInfo("Europe/Paris")
    closed = [datetime(2026, 2, day, 4, tzinfo=UTC) for day in range(10, 15)]  # the closure of the calendar
    closed += [datetime(2026, 4, 3, 4, tzinfo=UTC), datetime(2026, 5, 1, 4, tzinfo=UTC)]  # Good Friday counts in Alsace
    for plant in one_of_each():
        timeline = Timeline(plant, counting_since(NOW.date()))
        for day in closed:
            # the last stretch of the evening before may end at night, unattended
            begin = day.astimezone(zone).replace(hour=6) + timedelta(hours=1)
            runs = timeline.intervals(ms(begin), ms(begin + timedelta(hours=12)))
            assert set(runs.state.tolist()) <= {STANDBY, OFF, FAULT}, (plant.name, day)
