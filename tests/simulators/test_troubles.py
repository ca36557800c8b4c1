"""Machines in trouble: a moved clamp, a feed that gets worse, too much work, sold; told, and the same at a seed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from fleet.network import Trade
from fleet.registry import Registry
from fleet.states import PRODUCING, SETUP
from simulators import meter
from simulators.history import WEEK_MS, past, silences
from simulators.imperfections import PERFECT
from simulators.plant import plants_of
from simulators.timeline import Timeline, counting_since
from simulators.troubles import Trouble, troubled
from tests.simulators.conftest import NOW, ms, one_of_each

END = ms(NOW)
ORIGIN = counting_since(NOW.date())


def test_the_troubles_of_a_seed_are_the_same_and_told(fleet: Registry) -> None:
    plants = plants_of(1, fleet)
    made, found = troubled(plants, 1, END)
    assert (made, found) == troubled(plants, 1, END)
    assert set(found.values()) == set(Trouble)
    assert len(found) < 0.3 * len(plants)
    changed = {after.key for before, after in zip(plants, made, strict=True) if before != after}
    assert changed == set(found)
    utilities = {plant.key for plant in plants if plant.kind.trade is Trade.UTILITY}
    assert not utilities & set(found)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0])
def test_a_moved_clamp_changes_power_and_energy_from_then_on(factor: float) -> None:
    plant, moved = one_of_each()[1], END - WEEK_MS
    timeline, at = Timeline(plant, ORIGIN), np.arange(moved - 86_400_000, moved + 86_400_000, 900_000)
    plain = meter.read(PERFECT, timeline, at)
    read = meter.read(replace(PERFECT, clamp_moved_ms=moved, clamp_factor=factor), timeline, at)
    before = at < moved
    assert (read.power_w[before] == plain.power_w[before]).all()
    assert read.power_w[~before] == pytest.approx(factor * plain.power_w[~before], abs=0.051)
    used, plainly = np.diff(read.energy_wh)[~before[:-1]], np.diff(plain.energy_wh)[~before[:-1]]
    assert used == pytest.approx(factor * plainly, abs=1e-6)
    assert (np.diff(read.energy_wh) >= 0).all()
    assert (read.state == plain.state).all()


def test_a_feed_that_gets_worse_is_silent_more_and_more(fleet: Registry) -> None:
    plant = plants_of(1, fleet)[0]
    faults = replace(PERFECT, worsens_from_ms=END - 8 * WEEK_MS, worsens_per_week=3.0, dropout_minutes=240.0)
    worse = replace(plant, imperfections=faults)
    assert list(silences(worse, END - 14 * WEEK_MS, END - 10 * WEEK_MS)) == []
    weeks = [len(list(silences(worse, END - back * WEEK_MS, END - back * WEEK_MS))) for back in range(7, -1, -1)]
    assert sum(weeks[:4]) < sum(weeks[4:])
    _, rows = past(worse, Timeline(worse, ORIGIN), END - 8 * WEEK_MS, END, 900_000)
    at = np.array([json.loads(row)["at"] for row in rows])
    assert (at >= END - 4 * WEEK_MS).sum() < (at < END - 4 * WEEK_MS).sum()


def test_overtime_is_worked_outside_the_shifts(timelines: Callable[..., list[Timeline]]) -> None:
    plant = timelines()[1].plant
    habits = replace(plant.habits, chances=(1.0,) * len(plant.habits.chances), swing=0.0, overtime=0.9)

    def used_outside(timeline: Timeline) -> float:
        start = ms(NOW - timedelta(weeks=4))
        runs = timeline.intervals(start, END)
        week = plant.schedule.week_at(start / 1000)
        staffed = [block for number in range(week, week + 6) for block in plant.schedule.blocks(number)]
        at = np.arange(start, END, 60_000)
        state = runs.state[np.searchsorted(runs.start_ms, at, "right") - 1]
        inside = np.zeros(len(at), dtype=np.bool_)
        for block in staffed:
            inside |= (at >= block.start * 1000) & (at < block.end * 1000)
        return float((np.isin(state, [PRODUCING, SETUP]) & ~inside).mean())

    assert used_outside(Timeline(plant, ORIGIN)) < 0.02
    assert used_outside(Timeline(replace(plant, habits=habits), ORIGIN)) > 0.05
