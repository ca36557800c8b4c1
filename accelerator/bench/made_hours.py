"""Hours of invented machines for ``bench analytics``: column by column, as many as fit on a disk.

Not the simulators' machines, which live event by event, too slowly for these numbers, but hours that hold what figures
stumble over: shifts and hours of the week of each machine's own, busy and slack weeks, closed days, hours begun and
ended within a minute, set-ups, faults, services, feeds that start late, and silence, alone or of a whole member.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator.output import Progress
from analytics.history import LocalHours, local_hours, week_of, week_start
from analytics.history import utc as instant
from fleet.batch import MachineKey
from fleet.states import STATES
from store.columns import SECONDS
from store.hours_file import KEPT, hours_writer

TIMEZONE: Final = "Europe/Paris"
END: Final = 1_794_870_000
"""Epoch seconds of an instant in the week that ends the hours: the week of 16 November 2026."""
MEMBER_MACHINES: Final = 50
_HOUR_MS: Final = 3_600_000
Singles = NDArray[np.float32]


class Made(NamedTuple):
    """Hours of one member's machines: starts (epoch seconds, shape (n,)) and seconds by name of column."""

    machines: tuple[MachineKey, ...]
    starts: NDArray[np.int64]
    seconds: dict[str, Singles]


def write(path: Path, machines: int, weeks: int, seed: int, told: Progress) -> int:
    """A file of the hours of so many machines over so many complete weeks; how many rows."""
    with hours_writer(path, KEPT) as writer:
        for member in members(machines, weeks, seed):
            writer.append_columns(member.machines, member.starts, member.seconds)
            told(writer.rows, machines * len(member.starts), "hours made")
        return writer.rows


def members(machines: int, weeks: int, seed: int) -> Iterator[Made]:
    """The hours member by member; a member's are a function of the seed and its number."""
    week = week_of(instant(END), TIMEZONE)
    start, end = week_start(week - weeks, TIMEZONE), week_start(week, TIMEZONE)
    clock = local_hours(start, (end - start) // 3600, TIMEZONE)
    starts = start + 3600 * np.arange(len(clock), dtype=np.int64)
    for number, low in enumerate(range(0, machines, MEMBER_MACHINES)):
        size = min(MEMBER_MACHINES, machines - low)
        keys = tuple(MachineKey(f"member-{number:05d}", f"machine-{index:02d}") for index in range(size))
        columns = _seconds(np.random.default_rng([seed, number]), clock, size)
        yield Made(keys, starts, dict(zip(SECONDS, columns, strict=True)))


def _seconds(rng: np.random.Generator, clock: LocalHours, size: int) -> tuple[Singles, ...]:
    """Seconds in each state, each of shape (size, n); the states of an hour sum to 3,600."""
    shape = (size, len(clock))
    share = _share_of_work(rng, clock, size)
    unknown = _silence(rng, clock, size)
    left = np.rint(_HOUR_MS * (1.0 - unknown)).astype(np.int32)
    spent = {name: np.zeros(shape, dtype=np.int32) for name in SECONDS}
    spent["seconds_unknown"] = _HOUR_MS - left
    for name, part in (("fault", 0.004), ("maintenance", 0.001), ("setup", 0.08)):
        happens = (share > 0) & (rng.random(shape, dtype=np.float32) < part)
        cells = np.flatnonzero(happens)
        taken = (left.reshape(-1)[cells] * rng.random(len(cells))).astype(np.int32)
        spent[f"seconds_{name}"].reshape(-1)[cells] = taken
        left.reshape(-1)[cells] -= taken
    produced = (left * share).astype(np.int32)
    at_rest = left - produced
    off = share == 0
    spent["seconds_producing"], spent["seconds_off"] = produced, np.where(off, at_rest, 0)
    spent["seconds_standby"] = np.where(off, 0, at_rest)
    return tuple(spent[name].astype(np.float32) / np.float32(1000.0) for name in SECONDS[: len(STATES)])


def _share_of_work(rng: np.random.Generator, clock: LocalHours, size: int) -> Singles:
    """Share of each hour that is worked: none in most, whole in some, parts at the edges."""
    weekday, hour = np.divmod(np.arange(168), 24)
    begins, length = rng.integers(5, 9, (size, 1)), rng.choice([8, 8, 16, 24], (size, 1))
    open_hours = ((hour - begins) % 24 < length) & (weekday < rng.choice([5, 5, 6, 7], (size, 1)))
    level = rng.beta(1.2, 1.6, (size, 1))
    habit = np.clip(level * np.exp(0.6 * rng.standard_normal((size, 168))), 0, 0.98) * open_hours
    weeks = int(clock.week[-1] - clock.week[0]) + 1
    demand = np.exp(0.25 * rng.standard_normal((size, weeks))).astype(np.float32)
    demand[:, rng.random(weeks) < 0.06] = 0.0  # weeks in which nobody works
    chance = habit.astype(np.float32)[:, clock.hour_of_week] * demand[:, clock.week - clock.week[0]]
    drawn = rng.random((size, len(clock)), dtype=np.float32)
    worked = np.minimum(chance / np.maximum(drawn, 1e-6) - 1.0, 1.0)
    return np.where(drawn < chance, np.maximum(worked, 0.001), 0.0).astype(np.float32)


def _silence(rng: np.random.Generator, clock: LocalHours, size: int) -> Singles:
    """Share of each hour that nobody heard of: outages of one machine and of all, and feeds that began late."""
    count = len(clock)
    silent = np.zeros((size, count), dtype=np.float32)
    for machine in range(size):
        for _ in range(rng.poisson(count / 1500)):
            _outage(silent[machine : machine + 1], rng, int(rng.integers(0, count)), int(rng.exponential(12)) + 1)
        if rng.random() < 0.1:
            silent[machine, : int(rng.integers(0, max(2, count // 2)))] = 1.0
    for _ in range(rng.poisson(count / 4000)):
        _outage(silent, rng, int(rng.integers(0, count)), int(rng.exponential(8)) + 1)
    return silent


def _outage(silent: Singles, rng: np.random.Generator, begin: int, hours: int) -> None:
    """It begins and ends within an hour."""
    silent[:, begin : begin + hours] = 1.0
    silent[:, begin] = np.maximum(silent[:, begin], rng.random())
    if begin + hours < silent.shape[1]:
        silent[:, begin + hours] = np.maximum(silent[:, begin + hours], rng.random())
