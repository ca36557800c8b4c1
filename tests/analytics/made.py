"""Hours of invented machines, by a seed: odd milliseconds, silence, whole weeks of nothing, clocks that change."""

from datetime import datetime
from typing import NamedTuple

import numpy as np

from analytics.history import History, LocalHours, local_hours, week_of, week_start
from analytics.sweep import Block, Columns
from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS
from fleet.states import FAULT, MAINTENANCE, PRODUCING, SETUP, STANDBY, UNKNOWN
from tests.analytics.machines import PARIS

ZONE = "Europe/Paris"
AUTUMN = datetime(2026, 11, 9, tzinfo=PARIS)
"""A Monday; the clocks changed two weeks before."""


class Made(NamedTuple):
    """Machines and their hours; ``now`` is when the last of them ends."""

    block: Block
    histories: tuple[History, ...]
    now: int


def made(seed: int, sizes: tuple[int, ...], weeks: int, *, running_hours: int = 0) -> Made:
    """Members of so many machines each, over so many complete weeks before :data:`AUTUMN` and hours after it."""
    rng = np.random.default_rng(seed)
    week = week_of(AUTUMN, ZONE)
    start, end = week_start(week - weeks, ZONE), week_start(week, ZONE) + HOUR_SECONDS * running_hours
    clock = local_hours(start, (end - start) // HOUR_SECONDS, ZONE)
    keys = tuple(MachineKey(f"m{member}", f"x{index}") for member, size in enumerate(sizes) for index in range(size))
    seconds = np.stack([_seconds(rng, clock) for _ in keys])
    states = (PRODUCING, SETUP, FAULT, MAINTENANCE, UNKNOWN)
    columns = Columns(*(np.ascontiguousarray(seconds[:, :, state]) for state in states))
    return Made(Block(keys, clock, columns), tuple(_history(clock, one) for one in seconds), end)


def _seconds(rng: np.random.Generator, clock: LocalHours) -> np.ndarray:
    """Shape (n, 7): worked at some hours of the week, at a level that may change, heard of since some week."""
    count = len(clock)
    seconds = np.zeros((count, 7))
    works = rng.random(168) < rng.random()
    level = np.where(clock.week < clock.week[0] + rng.integers(0, 20), rng.random(), rng.random())
    busy = works[clock.hour_of_week] & (rng.random(count) < level)
    left = np.full(count, 3_600_000.0)
    for state, chance in (
        (UNKNOWN, 0.1 * rng.random()),
        (PRODUCING, 1.0),
        (SETUP, 0.2),
        (FAULT, 0.05),
        (MAINTENANCE, 0.01),
    ):
        part = np.where(rng.random(count) < 0.5, left, np.floor(left * rng.random(count)))
        taken = np.where((rng.random(count) < chance) & (busy | (state == UNKNOWN)), part, 0.0)
        seconds[:, state], left = taken, left - taken
    seconds[:, STANDBY] = left
    silent = (clock.week < clock.week[0] + rng.integers(0, 4)) | (rng.random(clock.week.max() + 1)[clock.week] < 0.1)
    seconds[silent] = np.eye(7)[UNKNOWN] * 3_600_000.0
    return seconds / 1000.0


def _history(clock: LocalHours, seconds: np.ndarray) -> History:
    count = len(clock)
    nowhere = np.zeros(count)
    return History(clock, ZONE, seconds, nowhere, nowhere, np.zeros(count, dtype=np.bool_), basis="state")
