"""Machines that waste energy: the same ones for a seed, what they truly waste, and work that stays as it was."""

from datetime import timedelta

import numpy as np

from fleet.network import Machine, Trade
from fleet.states import OFF, PRODUCING, SETUP, STANDBY
from simulators.plant import Plant, plants_of
from simulators.timeline import Timeline, counting_since, never_off
from simulators.waste import SHARE, Waste, idle_kwh, nights_on, wasteful
from tests.simulators.conftest import NOW, ms, one_of_each, small_registry

START, END = ms(NOW), ms(NOW + timedelta(weeks=4))
HOUR_MS = 3_600_000


def booths(count: int) -> list[Plant]:
    machines = tuple(Machine(id=f"cabine-{n}", name="Cabine", trade=Trade.PAINT, every=900) for n in range(count))
    return plants_of(1, small_registry(machines))


def timeline(plant: Plant) -> Timeline:
    return Timeline(plant, counting_since(NOW.date()))


def changed(plants: list[Plant]) -> dict[Waste, list[tuple[Timeline, Timeline]]]:
    made, found = wasteful(plants, seed=3)
    pairs: dict[Waste, list[tuple[Timeline, Timeline]]] = {waste: [] for waste in Waste}
    for before, after in zip(plants, made, strict=True):
        assert (before == after) == (after.key not in found)
        if after.key in found:
            pairs[found[after.key]].append((timeline(before), timeline(after)))
    return pairs


def test_so_many_waste_and_the_same_ones_each_time() -> None:
    plants = booths(200)
    _, found = wasteful(plants, 3)
    assert found == wasteful(plants, 3)[1] != wasteful(plants, 4)[1]
    for waste in Waste:
        assert 0.5 * SHARE < sum(one is waste for one in found.values()) / 200 < 1.6 * SHARE


def test_one_left_on_is_never_off_and_works_as_before() -> None:
    pairs = changed(booths(40))[Waste.LEFT_ON]
    assert pairs
    for before, after in pairs:
        old, new = (one.intervals(START, END) for one in (before, after))
        assert OFF not in new.state
        for state in (PRODUCING, SETUP):
            assert np.array_equal(old.start_ms[old.state == state], new.start_ms[new.state == state])
        on, nights = nights_on(after, START, END, 4 * HOUR_MS, HOUR_MS // 2)
        assert on == nights > 15
        assert nights_on(before, START, END, 4 * HOUR_MS, HOUR_MS // 2)[0] < nights / 2


def test_one_that_idles_hot_draws_less_than_at_work_and_wastes_more() -> None:
    pairs = changed([*booths(40), *one_of_each()])[Waste.IDLES_HOT]
    assert pairs
    for before, after in pairs:
        assert np.array_equal(before.intervals(START, END).state, after.intervals(START, END).state)
        assert before.power_w[STANDBY] <= after.power_w[STANDBY] < 0.7 * after.power_w[PRODUCING]
        assert idle_kwh(before, START, END, 2 * HOUR_MS) <= idle_kwh(after, START, END, 2 * HOUR_MS)


def test_what_is_wasted_is_power_times_time_of_long_stretches() -> None:
    plant = booths(1)[0]
    line = timeline(plant)
    runs = line.intervals(START, END)
    every = idle_kwh(line, START, END, 0)
    hours = (runs.end_ms - runs.start_ms)[runs.state == STANDBY].sum() / HOUR_MS
    assert every == float(hours) * float(line.power_w[STANDBY] - line.power_w[OFF]) / 4000
    assert idle_kwh(line, START, END, 2 * HOUR_MS) < every


def test_never_off_joins_what_becomes_alike() -> None:
    runs = [(0.0, OFF), (5.0, STANDBY), (9.0, PRODUCING), (12.0, STANDBY), (13.0, OFF), (20.0, SETUP)]
    assert never_off(runs) == [(0.0, STANDBY), (9.0, PRODUCING), (12.0, STANDBY), (20.0, SETUP)]
