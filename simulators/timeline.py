"""The ground truth of one machine along time, and what its meters would read at any instant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleet.states import FAULT, MAINTENANCE, OFF, PRODUCING, SETUP, STANDBY
from simulators.noise import Floats, Millis, generator, normal
from simulators.plant import Plant
from simulators.schedule import week_of
from simulators.week import walk

Codes = NDArray[np.uint8]
_ORIGIN_MARGIN: Final = timedelta(weeks=13)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Ground truth as columns, shape (n,): start and end in epoch ms, state code; without gaps."""

    start_ms: Millis
    end_ms: Millis
    state: Codes


@dataclass(frozen=True, slots=True)
class Samples:
    """What the meters read, as columns, shape (n,).

    Attributes:
        at_ms: epoch ms.
        state: code of the true state.
        power_w: active power, watts, one decimal.
        energy_wh: monotone energy counter, watt-hours.
        count: monotone counter of pieces or cycles.
    """

    at_ms: Millis
    state: Codes
    power_w: Floats
    energy_wh: Floats
    count: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at_ms)

    def take(self, picked: NDArray[np.intp] | NDArray[np.bool_]) -> "Samples":
        """The picked rows."""
        return Samples(
            self.at_ms[picked], self.state[picked], self.power_w[picked], self.energy_wh[picked], self.count[picked]
        )


def counting_since(now: date, weeks: int = 0) -> int:
    """Number of the week in which counters stand at zero: that of the newest half-year that began early enough.

    Fixed points of the calendar, so that the counters of two runs agree; 13 weeks, and ``weeks``, lie in between.
    """
    latest = now - max(_ORIGIN_MARGIN, timedelta(weeks=weeks + 1))
    return week_of(date(latest.year, 1 if latest.month < 7 else 7, 1))


class Timeline:
    """The truth of one plant from week ``origin`` on, made week by week as far as it is asked for.

    A week is a function of the seed, the machine and the week's number; counters accumulate from the origin.
    """

    def __init__(self, plant: Plant, origin: int) -> None:
        self.plant = plant
        self.origin_ms = _ms(plant.schedule.bounds(origin)[0])
        self._week = origin
        self._power = _power_table(plant)
        self._start: Millis = np.empty(0, dtype=np.int64)
        self._state: Codes = np.empty(0, dtype=np.uint8)
        self._busy_s: Floats = np.empty(0)  # seconds of PRODUCING before the run's start
        self._energy: Floats = np.empty(0)  # watt-hours before the run's start
        self._end_ms = self.origin_ms

    def intervals(self, start_ms: int, end_ms: int) -> Intervals:
        """The states of the span, its first and last interval cut at the span's ends.

        Raises:
            ValueError: the span begins before the origin.
        """
        self._reach(start_ms, end_ms)
        first = int(np.searchsorted(self._start, start_ms, "right")) - 1
        last = int(np.searchsorted(self._start, end_ms, "left"))
        starts = self._start[first:last].copy()
        ends = np.append(self._start[first + 1 : last], end_ms)
        if len(starts):
            starts[0] = start_ms
        return Intervals(starts, ends, self._state[first:last])

    def at(self, at_ms: Millis, *, averaged: bool = False) -> Samples:
        """What the meters read at the given instants (epoch ms, any order, at or after the origin).

        ``averaged`` reads the mean power of the state, as a meter does that reports every quarter of an hour, instead
        of the power at that instant of the cycle.
        """
        if not len(at_ms):
            return Samples(at_ms, np.empty(0, np.uint8), np.empty(0), np.empty(0), np.empty(0, np.int64))
        self._reach(int(at_ms.min()), int(at_ms.max()) + 1)
        run = np.searchsorted(self._start, at_ms, "right") - 1
        state = self._state[run]
        inside_s = (at_ms - self._start[run]) / 1000.0
        producing = state == PRODUCING
        cycles = (self._busy_s[run] + np.where(producing, inside_s, 0.0)) / self.plant.cycle_s
        energy = self._energy[run] + self._power[state] * inside_s / 3600.0
        return Samples(
            at_ms, state, self._watts(at_ms, state, None if averaged else cycles), energy, cycles.astype(np.int64)
        )

    @property
    def power_w(self) -> Floats:
        """Mean power of each state code, watts, shape (7,)."""
        return self._power

    def next_change(self, at_ms: int) -> int:
        """The first instant after ``at_ms`` at which the state changes, epoch ms."""
        reach = at_ms
        while True:
            reach += 86_400_000
            self._reach(at_ms, reach)
            after = int(np.searchsorted(self._start, at_ms, "right"))
            if after < len(self._start):
                return int(self._start[after])

    def beats(self, start_ms: int, end_ms: int, every_ms: int) -> Millis:
        """Instants of the span at which a reading is due: at each change, and every ``every_ms`` of a state."""
        self._reach(start_ms, end_ms)
        first = int(np.searchsorted(self._start, start_ms, "right")) - 1
        last = int(np.searchsorted(self._start, end_ms, "left"))
        starts = self._start[first:last]
        ends = np.append(self._start[first + 1 : last], end_ms)
        counts = np.maximum(-((starts - ends) // every_ms), 0)
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        beats: Millis = np.repeat(starts, counts) + within * every_ms
        return beats[beats >= start_ms]

    def _watts(self, at_ms: Millis, state: Codes, cycles: Floats | None) -> Floats:
        plant = self.plant
        watts = self._power[state]
        if cycles is not None:
            producing = state == PRODUCING
            watts[producing] = plant.rated_w * plant.kind.curve(cycles[producing] % 1.0)
        watts *= 1.0 + plant.kind.noise * normal(plant.noise_key, at_ms)
        return watts.clip(min=0.0).round(1)

    def _reach(self, start_ms: int, end_ms: int) -> None:
        if start_ms < self.origin_ms:
            raise ValueError(f"{self.plant.name}: {start_ms} ms is before the origin of the timeline, {self.origin_ms}")
        while self._end_ms < end_ms:
            self._add_week()

    def _add_week(self) -> None:
        plant, week = self.plant, self._week
        bounds = plant.schedule.bounds(week)
        rng = generator(plant.seed, plant.name, week, "states")
        runs = walk(plant.kind, plant.habits, plant.schedule.blocks(week), bounds, week, rng)
        runs = never_off(runs) if plant.left_on else runs
        starts = np.array([_ms(start) for start, _ in runs], dtype=np.int64)
        states = np.array([state for _, state in runs], dtype=np.uint8)
        end_ms = _ms(bounds[1])
        lengths_s = np.diff(np.append(starts, end_ms)) / 1000.0
        busy = np.cumsum(np.where(states == PRODUCING, lengths_s, 0.0))
        energy = np.cumsum(self._power[states] * lengths_s / 3600.0)
        self._busy_s = np.append(self._busy_s[:-1], self._last(self._busy_s) + np.append(0.0, busy))
        self._energy = np.append(self._energy[:-1], self._last(self._energy) + np.append(0.0, energy))
        self._start, self._state = np.append(self._start, starts), np.append(self._state, states)
        self._end_ms, self._week = end_ms, week + 1

    @staticmethod
    def _last(totals: Floats) -> float:
        return float(totals[-1]) if len(totals) else 0.0


def never_off(runs: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """The same runs with STANDBY in place of OFF, no state twice in a row: what is worked stays as it is."""
    found: list[tuple[float, int]] = []
    for start, state in runs:
        state = STANDBY if state == OFF else state
        if not found or found[-1][1] != state:
            found.append((start, state))
    return found


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _power_table(plant: Plant) -> Floats:
    """Mean power of each state code, watts."""
    kind = plant.kind
    share = np.zeros(7)
    standby = kind.standby if plant.standby is None else plant.standby
    share[[PRODUCING, SETUP, STANDBY, OFF]] = kind.producing, kind.setup, standby, kind.off
    share[[FAULT, MAINTENANCE]] = kind.standby, kind.standby / 2
    return share * plant.rated_w
