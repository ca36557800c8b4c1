"""Machines in trouble, for who wants to know whether it is found: which ones is a function of the seed, and told."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from fleet.batch import MachineKey
from fleet.network import Trade
from simulators.history import WEEK_MS
from simulators.imperfections import Imperfections
from simulators.noise import generator
from simulators.plant import Plant


class Trouble(StrEnum):
    """What is wrong with a machine or its meter."""

    CLAMP = "clamp moved"
    FEED = "feed degrades"
    OVERLOAD = "overloaded"
    SOLD = "sold"


SHARE: Final = 0.04
"""Of the machines that each trouble has."""
_FACTORS: Final = (0.33, 0.5, 0.58, 0.7, 1.45, 1.73, 2.0, 3.0)  # a phase of three, turns of the lead
_FULL_SWING: Final = 0.02


def troubled(plants: Sequence[Plant], seed: int, now_ms: int) -> tuple[list[Plant], dict[MachineKey, Trouble]]:
    """The plants, some of them in trouble for some weeks before ``now_ms``; and which ones. Utilities have none."""
    found = {plant.key: trouble for plant in plants if (trouble := _trouble(plant, seed)) is not None}
    made = [_in_trouble(plant, found[plant.key], seed, now_ms) if plant.key in found else plant for plant in plants]
    return made, found


def _trouble(plant: Plant, seed: int) -> Trouble | None:
    if plant.kind.trade is Trade.UTILITY:
        return None
    fate = int(generator(seed, plant.name, "trouble").random() / SHARE)
    return list(Trouble)[fate] if fate < len(Trouble) else None


def _in_trouble(plant: Plant, trouble: Trouble, seed: int, now_ms: int) -> Plant:
    rng = generator(seed, plant.name, "how")
    faults, since = plant.imperfections, now_ms - int(rng.uniform(3, 9) * WEEK_MS)
    match trouble:
        case Trouble.CLAMP:
            faults = replace(faults, clamp_moved_ms=since, clamp_factor=float(rng.choice(_FACTORS)))
        case Trouble.FEED:
            faults = replace(
                faults, worsens_from_ms=since, worsens_per_week=float(rng.uniform(1, 3)), dropout_minutes=240.0,
                buffers=False,
            )  # fmt: skip
        case Trouble.OVERLOAD:
            full = (1.0,) * len(plant.habits.chances)
            habits = replace(plant.habits, chances=full, swing=_FULL_SWING, overtime=float(rng.uniform(0.4, 0.95)))
            return replace(plant, habits=habits)
        case Trouble.SOLD:
            faults = _sold(plant, since)
    return replace(plant, imperfections=faults)


def _sold(plant: Plant, since: int) -> Imperfections:
    """The machine is gone: its controller is silent with it, a clamp on its feeder reads nothing for ever."""
    if plant.format.tells_state:
        return replace(plant.imperfections, mute_from_ms=since)
    return replace(plant.imperfections, clamp_moved_ms=since, clamp_factor=0.0)
