"""The back-test on sectors it was not made for: gaps, few weeks, one machine, many, machines that never run."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.evaluate.availability import MODELS, OURS, report
from analytics.evaluate.folds import Model, Past
from analytics.evaluate.grid import Grid
from analytics.history import LocalHours, local_hours

MONDAY = 1_772_406_000  # 2026-03-02 in Paris; the clocks change in the fourth week
RIVAL = "smoothed_hour_of_week"
Hourly = NDArray[np.float64]


def shifts(clock: LocalHours, random: np.random.Generator) -> Hourly:
    """Two shifts on weekdays, at a level of the machine's own; whole days are busy or quiet."""
    open_ = (clock.hour_of_week < 120) & (clock.hour_of_week % 24 >= 6) & (clock.hour_of_week % 24 < 22)
    days = random.random(int(clock.day[-1] - clock.day[0]) + 1)[clock.day - clock.day[0]]
    busy = (0.5 * days + 0.5 * random.random(len(clock)) < random.uniform(0.1, 0.95)) & open_
    return np.where(busy, 1800.0, 0.0)


def furnaces(clock: LocalHours, random: np.random.Generator) -> Hourly:
    """Runs of 8 to 48 h at any hour, with pauses of all lengths."""
    busy, at = np.zeros(len(clock)), 0
    pause = random.choice([20.0, 60.0, 200.0])
    while at < len(clock):
        at += int(random.exponential(pause))
        length = int(random.integers(8, 48))
        busy[at : at + length] = 3600.0
        at += length
    return busy


def growing(clock: LocalHours, random: np.random.Generator) -> Hourly:
    """Weekdays, ever more or ever less."""
    level = np.linspace(random.random(), random.random(), len(clock))
    return np.where((random.random(len(clock)) < level) & (clock.hour_of_week < 120), 3600.0, 0.0)


def nights(clock: LocalHours, random: np.random.Generator) -> Hourly:
    """Every night but one."""
    night = (clock.hour_of_week % 24 >= 21) | (clock.hour_of_week % 24 < 5)
    return np.where(night & (clock.hour_of_week // 24 != 5) & (random.random(len(clock)) < 0.9), 3600.0, 0.0)


def anytime(clock: LocalHours, random: np.random.Generator) -> Hourly:
    """An hour is busy or not for itself, day and night, at a level of the machine's own."""
    return np.where(random.random(len(clock)) < random.uniform(0.02, 0.3), 3600.0, 0.0)


def never(clock: LocalHours, _random: np.random.Generator) -> Hourly:
    return np.zeros(len(clock))


Sector = Callable[[LocalHours, np.random.Generator], Hourly]


def plant(sector: Sector, machines: int, weeks: int, gaps: float = 0.0) -> Grid:
    """Machines of a sector, the first of several of them never run; a share of the days was not observed."""
    random = np.random.default_rng(11)
    clock = local_hours(MONDAY, 168 * weeks, "Europe/Paris")
    busy = np.stack([sector(clock, random) for _ in range(machines)])
    if machines > 1:
        busy[0] = 0.0
    days = random.random((machines, 7 * weeks + 2)) < gaps
    observed = np.where(days[:, clock.day - clock.day[0]], 0.0, 3600.0)
    busy = np.where(observed > 0, busy, 0.0)
    return Grid(tuple(f"m{number}" for number in range(machines)), clock, busy, busy, observed)


def briers(grid: Grid, first_weeks: int = 4) -> tuple[float, float, float]:
    """Of ours, of the profile alone, and of the smoothed hour of week."""

    def profile(past: Past) -> NDArray[np.float64]:
        return MODELS[OURS](past._replace(recent=None))

    models: dict[str, Model] = {OURS: MODELS[OURS], "profile": profile, RIVAL: MODELS[RIVAL]}
    found = report(grid, models, 8, 0, first_weeks)["models"]
    return found[OURS]["brier"], found["profile"]["brier"], found[RIVAL]["brier"]


@pytest.mark.parametrize("gaps", [0.0, 0.25])
@pytest.mark.parametrize(("sector", "better"), [(shifts, 0.1), (furnaces, 0.0), (growing, 0.1)])
def test_a_sector(sector: Sector, better: float, gaps: float) -> None:
    ours, profile, rival = briers(plant(sector, 12, 11, gaps))
    assert ours <= rival * (1.0 - better)
    assert ours <= profile * 1.01  # what recent days say costs next to nothing where they say nothing


@pytest.mark.parametrize("sector", [anytime, furnaces])
def test_where_there_is_no_rhythm_none_is_seen(sector: Sector) -> None:
    """There the machine's mean is all there is to know; a profile of 168 cells comes within 2.5 % of it."""
    models: dict[str, Model] = {name: MODELS[name] for name in (OURS, RIVAL, "machine_mean")}
    found = report(plant(sector, 8, 14), models, 8, 0, 4)["models"]
    assert found[OURS]["brier"] <= 1.025 * found["machine_mean"]["brier"]
    assert found[OURS]["brier"] <= 0.985 * found[RIVAL]["brier"]


def test_a_strong_rhythm_is_believed_soon() -> None:
    """How far hours differ is learned from them: without it ours is but 2.6 % better than the raw hour of week."""
    models: dict[str, Model] = {name: MODELS[name] for name in (OURS, RIVAL, "raw_hour_of_week")}
    found = report(plant(nights, 8, 14), models, 8, 0, 4)["models"]
    assert found[OURS]["brier"] <= 0.25 * found[RIVAL]["brier"]
    assert found[OURS]["brier"] <= 0.96 * found["raw_hour_of_week"]["brier"]


def test_machines_that_never_run_are_sure_to_be_free() -> None:
    ours, _, rival = briers(plant(never, 4, 8))
    assert ours < 1e-4
    assert rival == 0.0


@pytest.mark.parametrize(("machines", "weeks", "first_weeks"), [(1, 8, 4), (3, 3, 1), (2, 2, 1), (130, 5, 3)])
def test_few_weeks_one_machine_and_many(machines: int, weeks: int, first_weeks: int) -> None:
    ours, profile, _ = briers(plant(shifts, machines, weeks), first_weeks)
    assert 0.0 <= ours <= profile * 1.1


def test_an_unobserved_machine_changes_nothing_for_the_others() -> None:
    shop = plant(shifts, 6, 8)
    observed = np.array(shop.observed)
    observed[3] = 0.0
    with_it = Grid(shop.machines, shop.clock, np.where(observed > 0, shop.busy, 0.0), shop.used, observed)
    rest = [number for number in range(6) if number != 3]
    without_it = Grid(
        tuple(shop.machines[number] for number in rest), shop.clock, shop.busy[rest], shop.used[rest], observed[rest]
    )
    assert briers(with_it) == pytest.approx(briers(without_it), abs=1e-9)


def test_machines_that_appear_late_or_end_early_are_scored_while_they_are_there() -> None:
    shop = plant(shifts, 6, 12)
    observed = np.array(shop.observed)
    observed[1, : 168 * 7] = 0.0
    observed[2, 168 * 6 :] = 0.0
    busy = np.where(observed > 0, shop.busy, 0.0)
    there = Grid(shop.machines, shop.clock, busy, busy, observed)
    found = report(there, MODELS, 8, 0, 4)
    whole = report(shop, MODELS, 8, 0, 4)
    assert found["n"] == pytest.approx(whole["n"] - 168 * (3 + 6), abs=20)
    assert all(np.isfinite(list(scores.values())).all() for scores in found["models"].values())
    assert found["models"][OURS]["brier"] < found["models"][RIVAL]["brier"]
