"""What recent days and the present change in the chances of one member's machines.

Only machines of one member come in here: what is learned of them is for their own forecasts (``docs/consent.md``). What
comes out tells of the machine's last days and its state, so it is for the owner's eyes alone.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import near
from analytics.history import History, local_hours, week_of, week_start
from analytics.profiles import Floats, Hours, Profiles
from analytics.signals import BUSY, FREE, UNKNOWN, Present, States
from fleet.records import HOUR_SECONDS
from fleet.states import BUSY as BUSY_CODES
from fleet.states import STATE_CODE
from fleet.states import UNKNOWN as UNKNOWN_CODE


class Seen(NamedTuple):
    """One machine of the member.

    Attributes:
        history: its hours; those of all machines are on one span.
        closed: closed hours, shape (len(history),): they teach nothing.
        window: length of the windows, hours.
        state: name of its present state.
    """

    history: History
    closed: NDArray[np.bool_]
    window: int
    state: str


def corrections(machines: Sequence[Seen], now: datetime, count: int) -> list[Floats]:
    """For each machine what to add to the log odds of its windows, shape (count,).

    Windows begin at the next whole hour and every hour after it. The weights are learned on windows of the member's
    middle length: twice as long or half as long, they are the same but for a hundredth of the Brier score.

    Raises:
        ValueError: the histories are not on one span, or end before ``now``.
    """
    if not machines:
        return []
    hours = _hours(machines)
    at = now.timestamp() / HOUR_SECONDS
    last = math.ceil(at) - 1
    known = last + 1 - hours.clock.start // HOUR_SECONDS
    if not 0 < known <= len(hours.clock):
        raise ValueError(f"the hours of the machines do not reach {now.isoformat()}")
    state = np.full((len(machines), known), UNKNOWN, dtype=np.int8)
    state[:, -1] = [_kind(machine.state) for machine in machines]
    monday = (week_start(week_of(now, machines[0].history.timezone), machines[0].history.timezone)) // HOUR_SECONDS
    complete = max(0, monday - hours.clock.start // HOUR_SECONDS)
    ends = _ends(machines, hours)
    zone, windows = machines[0].history.timezone, [machine.window for machine in machines]
    weights = _learned(hours.cut(0, complete), ends[:, :complete], zone, sorted(windows)[len(windows) // 2])
    start, present = np.arange(known, known + count), Present(state, at - last)
    profiles = Profiles(hours.cut(0, known))
    found = {window: near.corrections(profiles, present, window, start, weights) for window in set(windows)}
    return [found[machine.window][index] for index, machine in enumerate(machines)]


def _hours(machines: Sequence[Seen]) -> Hours:
    spans = {(machine.history.start, len(machine.history)) for machine in machines}
    if len(spans) > 1:
        raise ValueError("the histories of the machines are not on one span")
    busy = np.stack([machine.history.busy > 0 for machine in machines])
    observed = np.stack([np.where(machine.closed, 0.0, machine.history.observed) for machine in machines])
    return Hours(busy, observed, machines[0].history.clock)


def _ends(machines: Sequence[Seen], hours: Hours) -> States:
    """The state in which each hour ends; UNKNOWN where it was not observed to its end, or closed."""
    free = np.stack([machine.history.tail > 0 for machine in machines]) & (hours.observed > 0)
    ends: States = np.where(free, FREE, np.where(hours.busy & (hours.observed >= HOUR_SECONDS), BUSY, UNKNOWN))
    return ends.astype(np.int8)


def _kind(state: str) -> int:
    code = STATE_CODE[state]
    return UNKNOWN if code == UNKNOWN_CODE else BUSY if code in BUSY_CODES else FREE


def _learned(hours: Hours, state: States, timezone: str, window: int) -> Floats:
    """The weights; a week's are learned once, for nothing but late data changes what they rest on."""
    seen = hours.observed.astype(np.uint16)
    return _weights(
        hours.busy.tobytes(), seen.tobytes(), state.tobytes(), hours.busy.shape, hours.clock.start, timezone, window
    )


_KEPT: Final = 256
"""Weights kept: a network's members times the lengths of their windows; 100 kB each at most."""


@lru_cache(maxsize=_KEPT)
def _weights(
    busy: bytes, observed: bytes, state: bytes, shape: tuple[int, int], start: int, timezone: str, window: int
) -> Floats:
    hours = Hours(
        np.frombuffer(busy, np.bool_).reshape(shape),
        np.frombuffer(observed, np.uint16).reshape(shape).astype(np.float64),
        local_hours(start, shape[1], timezone),
    )
    weights = near.learn(hours, np.frombuffer(state, np.int8).reshape(shape), window)
    weights.setflags(write=False)
    return weights
