"""One week of one machine, event by event: the ground truth.

A semi-Markov walk over the staffed blocks: whether a block is worked is drawn from its slot's chance, then jobs follow
one another (SETUP, then stretches of PRODUCING with short pauses), cut by faults, until the block ends. Nothing is
carried from one week to the next, so a week needs no other to be made.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fleet.states import FAULT, MAINTENANCE, OFF, PRODUCING, SETUP, STANDBY
from simulators.machines.base import Kind, Spread
from simulators.schedule import Block

_LONGEST_FAULT_S = 3 * 86_400.0
_LINGER = Spread(18, 0.7)  # standby after the last job of the day, until somebody switches the machine off
_SHORTEST_S = 5.0
_OVERTIME_S = 2.5 * 3600.0


@dataclass(frozen=True, slots=True)
class Habits:
    """What is particular to one machine: the chance of each slot to be worked, and the weeks it is serviced in.

    ``overtime`` is the chance of a day to be worked longer than its shifts, ``swing`` how demand varies by week.
    """

    chances: tuple[float, ...]
    service_phase: int
    swing: float = 0.15
    overtime: float = 0.0


class _Draws:
    """Uniform and normal numbers, drawn in columns because one at a time costs ten times as much."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._uniform: Iterator[float] = iter(())
        self._normal: Iterator[float] = iter(())

    def unit(self) -> float:
        for value in self._uniform:
            return value
        self._uniform = iter(self._rng.random(256).tolist())
        return next(self._uniform)

    def seconds(self, spread: Spread) -> float:
        for value in self._normal:
            return max(_SHORTEST_S, 60.0 * spread.minutes * math.exp(spread.sigma * value))
        self._normal = iter(self._rng.standard_normal(256).tolist())
        return self.seconds(spread)


class _Walk:
    """The walk through one week; ``runs`` are (start, state) in order, epoch seconds."""

    def __init__(self, kind: Kind, habits: Habits, draws: _Draws, start: float, end: float) -> None:
        self.kind, self.habits, self.draws, self.end = kind, habits, draws, end
        self.now = start
        self.runs: list[tuple[float, int]] = []
        self.demand = 1.0
        self.in_job = False

    def stay(self, state: int, until: float) -> None:
        until = min(until, self.end)
        if until <= self.now:
            return
        if not self.runs or self.runs[-1][1] != state:
            self.runs.append((self.now, state))
        self.now = until

    def stay_for(self, state: int, seconds: float, limit: float) -> None:
        self.stay(state, min(self.now + seconds, limit))

    def rest(self, until: float) -> None:
        """Nobody is there: standby for a while, then off, or standby all along."""
        if until <= self.now:
            return
        if self.runs and self.draws.unit() >= self.kind.night:
            self.stay_for(STANDBY, self.draws.seconds(_LINGER), until)
            self.stay(OFF, until)
        elif self.runs or self.draws.unit() < self.kind.night:
            self.stay(STANDBY, until)
        else:
            self.stay(OFF, until)

    def work(self, block: Block, unattended: float) -> None:
        """A worked block; the last stretch may go on until ``unattended`` at the latest."""
        kind, draws = self.kind, self.draws
        while self.now < block.end:
            if not self.in_job:
                self.stay_for(SETUP, draws.seconds(kind.change), block.end)
                self.in_job = True
            length = draws.seconds(kind.run)
            hazard = length / (3600.0 * kind.fault_hours)
            if draws.unit() < hazard:
                self.stay_for(PRODUCING, length * draws.unit(), block.end)
                self.stay(FAULT, self.now + min(draws.seconds(kind.repair), _LONGEST_FAULT_S))
                continue
            self.stay_for(PRODUCING, length, unattended)
            self.in_job = draws.unit() >= 1.0 / kind.runs
            self.stay_for(STANDBY, draws.seconds(kind.pause), block.end)

    def block(self, block: Block, following: float) -> None:
        """One staffed block, worked or not; ``following`` is when the next one begins."""
        if self.now >= block.end:
            return
        chance = self.habits.chances[block.slot] * self.demand
        if self.draws.unit() < chance:
            self.work(block, min(block.end + self.kind.overrun_s, max(following, block.end)))
        else:
            self.in_job = False
            self.stay(STANDBY, block.end)

    def stay_on(self, following: float) -> None:
        """Work after the last shift of the day, when there is time until the next one and work enough."""
        until = self.now + _OVERTIME_S
        if self.habits.overtime and until < following and self.draws.unit() < self.habits.overtime:
            self.work(Block(self.now, until, 0), until)


def walk(
    kind: Kind,
    habits: Habits,
    blocks: Sequence[Block],
    bounds: tuple[float, float],
    week: int,
    rng: np.random.Generator,
) -> list[tuple[float, int]]:
    """The states of a week as (start in epoch seconds, state code), first at the week's start, no state twice in a row.

    ``blocks`` are the staffed blocks of the week, ``bounds`` its start and end in epoch seconds.
    """
    draws = _Draws(rng)
    steps = _Walk(kind, habits, draws, *bounds)
    steps.demand = float(np.exp(habits.swing * rng.standard_normal() - habits.swing**2 / 2))
    serviced = (week + habits.service_phase) % kind.maintenance_weeks == 0
    service_at = int(draws.unit() * len(blocks)) if serviced else -1
    for index, block in enumerate(blocks):
        following = blocks[index + 1].start if index + 1 < len(blocks) else bounds[1]
        steps.rest(block.start)
        if index == service_at:
            steps.stay_for(MAINTENANCE, draws.seconds(kind.maintenance), block.end)
        steps.block(block, following)
        steps.stay_on(following)
    steps.rest(bounds[1])
    return steps.runs
