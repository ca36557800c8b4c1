"""Machines that waste energy, for who wants to know whether it is found: which ones, and how much they truly waste.

Which ones is a function of the seed. What they waste is told by the truth of the states and their mean powers, by no
reading and no rule.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise
from typing import Final

import numpy as np

from fleet.batch import MachineKey
from fleet.states import OFF, STANDBY
from simulators.history import WEEK_MS
from simulators.noise import generator
from simulators.plant import Plant
from simulators.timeline import Timeline


class Waste(StrEnum):
    """How a machine wastes."""

    LEFT_ON = "left on at night"
    IDLES_HOT = "idles hot"


SHARE: Final = 0.08
"""Of the machines that each kind of waste has."""
_HOT: Final = 0.25
_BELOW_WORK: Final = 0.6
"""On standby a machine that idles hot draws a quarter of its rated power, but surely less than at work."""
_PHASES: Final = (np.arange(256) + 0.5) / 256


def wasteful(plants: Sequence[Plant], seed: int) -> tuple[list[Plant], dict[MachineKey, Waste]]:
    """The plants, some of them wasting; and which ones."""
    found = {plant.key: waste for plant in plants if (waste := _waste(plant, seed)) is not None}
    return [_wasting(plant, found.get(plant.key)) for plant in plants], found


def _waste(plant: Plant, seed: int) -> Waste | None:
    fate = int(generator(seed, plant.name, "waste").random() / SHARE)
    return list(Waste)[fate] if fate < len(Waste) else None


def _wasting(plant: Plant, waste: Waste | None) -> Plant:
    if waste is Waste.LEFT_ON:
        return replace(plant, left_on=True)
    if waste is Waste.IDLES_HOT:
        lowest = float(np.min(plant.kind.curve(_PHASES)))
        return replace(plant, standby=max(plant.kind.standby, min(_HOT, _BELOW_WORK * lowest)))
    return plant


def idle_kwh(timeline: Timeline, start_ms: int, end_ms: int, least_ms: int) -> float:
    """True kilowatt-hours a week on standby above those of off, in stretches of ``least_ms`` or more."""
    runs = timeline.intervals(start_ms, end_ms)
    lengths = (runs.end_ms - runs.start_ms)[runs.state == STANDBY]
    hours = float(lengths[lengths >= least_ms].sum()) / 3_600_000
    above_w = float(timeline.power_w[STANDBY] - timeline.power_w[OFF])
    return hours * above_w / 1000 / ((end_ms - start_ms) / WEEK_MS)


def nights_on(timeline: Timeline, start_ms: int, end_ms: int, least_ms: int, off_ms: int) -> tuple[int, int]:
    """Of the stretches between its staffed blocks, ``least_ms`` or longer: those never off for ``off_ms``, and all.

    Stretches of which less than half was spent on standby or off are not counted: it worked.
    """
    schedule = timeline.plant.schedule
    weeks = range(schedule.week_at(start_ms / 1000), schedule.week_at(end_ms / 1000) + 1)
    blocks = [block for week in weeks for block in schedule.blocks(week)]
    gaps = [(round(a.end * 1000), round(b.start * 1000)) for a, b in pairwise(blocks)]
    on = count = 0
    for first, last in gaps:
        if first < start_ms or last > end_ms or last - first < least_ms:
            continue
        runs = timeline.intervals(first, last)
        lengths = runs.end_ms - runs.start_ms
        if int(lengths[(runs.state == STANDBY) | (runs.state == OFF)].sum()) * 2 >= last - first:
            count += 1
            on += not (lengths[runs.state == OFF] >= off_ms).any()
    return on, count
