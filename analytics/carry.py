"""What an hour hands to the next: the newest word of each quantity, and until when it counts.

A carry is a function of all readings before the end of its hour and of the state model, nothing else. Its times are
absolute, so it does not change while nothing arrives: hours of silence need no bucket, and the carry into an hour is
that of the newest bucket before it.
"""

import json
from typing import Final, NamedTuple

from analytics.states import DWELL_MS, StateModel

HOUR_MS: Final = 3_600_000


class UseCarry(NamedTuple):
    """The newest utilisation: when it was read, until when it counts (epoch ms), and the share 0..1."""

    at: int
    expires: int
    share: float


class CounterCarry(NamedTuple):
    """The newest count, when it was last seen to rise (epoch ms), and what the interval that ended there was.

    ``verdict`` is 1 for producing, 0 for not, 2 for not known.
    """

    at: int
    expires: int
    value: int
    rose_at: int
    verdict: int


class PowerCarry(NamedTuple):
    """The newest power in watts, its side of the thresholds, its level and the level that is in force until settled.

    ``worked_at`` is when power was last at work without a silence since (epoch ms), 0 when that is not asked for.
    """

    at: int
    expires: int
    power_w: float
    working: int
    level: int
    settled: int
    worked_at: int = 0


class EnergyCarry(NamedTuple):
    """The newest energy count in watt-hours."""

    at: int
    energy_wh: float


class Carry(NamedTuple):
    """The newest reading (epoch ms), until when the feed counts as alive, and the newest word of each quantity."""

    last: int
    alive_until: int
    state: int
    use: UseCarry | None
    counter: CounterCarry | None
    power: PowerCarry | None
    energy: EnergyCarry | None


def parse(text: str) -> Carry:
    """The carry that a bucket's ``carry`` field holds."""
    last, alive_until, state, use, counter, power, energy = json.loads(text)
    return Carry(
        last,
        alive_until,
        state,
        UseCarry(*use) if use else None,
        CounterCarry(*counter) if counter else None,
        PowerCarry(*power) if power else None,
        EnergyCarry(*energy) if energy else None,
    )


def reopened(carry: Carry, hour: int, model: StateModel) -> int:
    """The first hour whose bucket may change when readings arrive in ``hour`` (both epoch seconds).

    The next count says what the machine did since the last one, the next energy count how much it used, and the next
    power whether the last one was more than a flicker: each may lie in an earlier hour, never further back than the
    longest silence of the model.
    """
    start_ms = hour * 1000
    back = [start_ms]
    if carry.counter and carry.counter.expires >= start_ms:
        back.append(carry.counter.at)
    if carry.energy and carry.energy.at + model.max_silence_ms >= start_ms:
        back.append(carry.energy.at)
    if carry.power and carry.power.level != carry.power.settled and carry.power.at + DWELL_MS > start_ms:
        back.append(carry.power.at)
    return min(back) // HOUR_MS * 3600
