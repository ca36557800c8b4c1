"""A machine of the registry as something that can be simulated: its kind, its habits, its faults of connection.

Everything follows from the seed, the member's and the machine's slugs and what the registry says of it, so the same
registry and seed give the same plant wherever it is simulated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from fleet.batch import MachineKey
from fleet.network import Calendar, Feed, Machine, Member
from fleet.registry import Registry
from simulators.formats import CANONICAL, FORMATS, Format
from simulators.imperfections import PERFECT, Imperfections, imperfections_of
from simulators.machines import kind_for
from simulators.machines.base import Kind
from simulators.noise import generator, key_of
from simulators.schedule import Schedule
from simulators.week import Habits

_MUTE_SINCE_MS: Final = 26 * 3_600_000
_FULL = 0.985  # of the slots, at most
_LIKELY, _UNLIKELY = 0.94, 0.04  # chance of a habitual and of another slot to be worked


@dataclass(frozen=True, slots=True)
class Plant:
    """One simulated machine.

    Attributes:
        load: share of the staffed hours meant to be PRODUCING or SETUP.
        cycle_s: seconds a piece or a cycle takes.
        feed: the live topic and format.
        format: how it speaks there.
        zone: of the device's clock.
        every_s: longest normal distance of two readings, from the registry.
        standby: power on standby as a share of the rated power; its kind's unless it is an odd one.
        left_on: nobody ever switches it off: it is on standby where others are off.
        noise_key: key of its noise and of its other streams.
    """

    key: MachineKey
    kind: Kind
    schedule: Schedule
    habits: Habits
    load: float
    rated_w: float
    cycle_s: float
    feed: Feed
    format: Format
    zone: ZoneInfo
    every_s: float
    seed: int
    noise_key: int
    imperfections: Imperfections
    standby: float | None = None
    left_on: bool = False

    @property
    def name(self) -> str:
        """``member/machine``."""
        return "/".join(self.key)


def load_of(seed: int, member: str, machine: Machine) -> float:
    """Share of the staffed hours a machine is meant to be used, by the levels of its kind."""
    levels = kind_for(machine.trade).levels
    group, within = generator(seed, member, machine.id, "load").random(2).tolist()
    if group < levels.under:
        return 0.04 + 0.18 * float(within)
    if group > 1 - levels.over:
        return 0.86 + 0.11 * float(within)
    return 0.45 + 0.35 * float(within)


def plant_of(seed: int, member: Member, machine: Machine, schedule: Schedule) -> Plant:
    """The plant of one machine that keeps this schedule."""
    kind = kind_for(machine.trade)
    own = generator(seed, member.slug, machine.id, "own")
    # pauses and faults leave no machine more than its efficiency
    load = min(load_of(seed, member.slug, machine), _FULL * kind.efficiency)
    feed = next((feed for feed in machine.feeds if feed.format in FORMATS), None) or CANONICAL.feed(
        member.slug, machine.id
    )
    return Plant(
        key=MachineKey(member.slug, machine.id),
        kind=kind,
        schedule=schedule,
        habits=Habits(chances_of(load / kind.efficiency, schedule.slots, own), int(own.integers(1_000))),
        load=load,
        rated_w=machine.rated_w or float(own.uniform(*kind.rated_w)),
        cycle_s=float(own.uniform(*kind.cycle_s)),
        feed=feed,
        format=FORMATS[feed.format],
        zone=ZoneInfo(feed.timezone) if feed.timezone else schedule.zone,
        every_s=machine.every,
        seed=seed,
        noise_key=key_of(seed, member.slug, machine.id, "noise"),
        imperfections=imperfections_of(seed, member.slug, machine.id),
    )


def plants_of(seed: int, registry: Registry) -> list[Plant]:
    """The plants of the registry's machines, in its order; one with a declared offer has no meter and no plant.

    A feed in a format that cannot be simulated is left alone: the machine speaks canonical JSON then.
    """
    shared: list[tuple[Calendar, Schedule]] = []
    plants = []
    for member, machine in registry.machines():
        if machine.offer is not None and machine.offer.kind == "declared":
            continue
        calendar = registry.calendar(MachineKey(member.slug, machine.id))
        zone = registry.zone(member.slug)
        schedule = next((known for kept, known in shared if known.zone == zone and kept == calendar), None)
        if schedule is None:
            schedule = Schedule(calendar, zone, registry.network.holidays)
            shared.append((calendar, schedule))
        plants.append(plant_of(seed, member, machine, schedule))
    return plants


def connected(plants: Sequence[Plant], seed: int, now_ms: int, *, imperfect: bool) -> list[Plant]:
    """The plants as they are connected: perfectly, or as their imperfections say and two of them worse.

    Of a whole network one device sends ``NaN`` as its power now and then, and one fell silent a day ago.
    """
    if not imperfect:
        return [replace(plant, imperfections=PERFECT) for plant in plants]
    order = sorted(plants, key=lambda plant: key_of(seed, plant.name, "connection"))
    worse = {plant.key: change for plant, change in zip(order, _worse(now_ms), strict=False)}
    return [replace(plant, imperfections=replace(plant.imperfections, **worse.get(plant.key, {}))) for plant in plants]


def _worse(now_ms: int) -> tuple[dict[str, Any], ...]:
    return {"garbage": 0.2}, {"mute_from_ms": now_ms - _MUTE_SINCE_MS}


def chances_of(share: float, slots: int, rng: np.random.Generator) -> tuple[float, ...]:
    """Chance of each slot of the week to be worked, with the mean ``share``.

    Some slots are habitual, the others nearly never worked: people work on the same half-days week after week, which
    is what makes a free window foreseeable.
    """
    share = min(share, _FULL)
    habitual = round((share - _UNLIKELY) / (_LIKELY - _UNLIKELY) * slots)
    habitual = min(max(habitual, 0), slots)
    chances = np.full(slots, _UNLIKELY)
    chances[:habitual] = _LIKELY
    chances *= share / max(float(chances.mean()), 1e-9)
    return tuple(rng.permutation(np.clip(chances, 0.0, 1.0)).tolist())
