"""What recent days and the present change in P(free): a correction of the profile's log odds that fades with the lead.

The weights are a logistic regression with the profile as its offset, drawn to :data:`BUILT_IN` by a ridge, learned
on windows that had ended. One set serves all leads, so the forecast of the next hour passes smoothly into that of the
next week, and far away is the profile itself.
"""

from typing import Final

import numpy as np

from analytics.availability import expit, logit
from analytics.profiles import Floats, Hours, Ints, Profiles
from analytics.signals import WIDTH, Present, Signals, States
from analytics.windows import windows

WEEKS: Final = 13
"""Newest weeks that are learned from."""
LEADS: Final = (0, 1, 4, 12, 24, 48, 96)
"""Hours of lead that are learned from; between them the scales of :mod:`analytics.signals` interpolate."""
STRIDE: Final = 5
"""Every fifth start: windows overlap, and five is prime to the hours of a day."""
MACHINES: Final = 60
"""At most so many machines teach: a fleet of hundreds knows no more of 15 weights."""
RIDGE: Final = 5.0
"""Windows' worth of belief in the prior weights, at signals of their natural size."""
SETTLING_H: Final = 14 * 24
"""Hours before an instant that its signals rest on."""
LEAST_WEEKS: Final = 2
"""Weeks before the first window learned from: with fewer the profile is still finding itself."""

NOTHING_KNOWN: Final = np.zeros(WIDTH)
"""The prior of a forecast that is to stand on its own machines alone."""

BUILT_IN: Final = np.array(
    [
        -0.60,  # busy
        0.13,  # free
        0.27,  # busy_for
        -0.04,  # free_for
        -0.44,  # surplus
        -0.20,  # same_time
        0.38,  # profile
        0.80,  # if_free
        1.44,  # if_busy
        -0.15,  # busy, long
        0.34,  # free, long
        0.22,  # busy_for, long
        -0.29,  # free_for, long
        -0.47,  # surplus, long
        0.32,  # same_time, long
    ]
)
"""The prior of all others: what the simulated network teaches (``tests/bench/builtin.py``), and no member's machine."""


def learn(hours: Hours, state: States, window: int, prior: Floats = BUILT_IN) -> Floats:
    """The weights, shape (WIDTH,), learned from all windows of ``window`` hours that ended within the hours.

    Args:
        hours: windows of the :data:`WEEKS` newest weeks teach.
        state: at the end of each hour; all UNKNOWN to learn what recent days say without the present.
        prior: what is believed before; the answer when there is nothing to learn from.
    """
    step = max(1, -(-len(hours.busy) // MACHINES))
    hours, state = Hours(hours.busy[::step], hours.observed[::step], hours.clock), state[::step]
    outcomes = windows(hours.busy, hours.observed, window)
    late = _late(hours, outcomes.free.shape[1])
    if not len(late):
        return prior
    signals = Signals(Profiles(hours), Present(state, 1.0), window, since=int(late[0]) - SETTLING_H)
    rows, offsets, free = [], [], []
    for lead in LEADS:
        start = late[late > lead][::STRIDE]
        if not len(start):
            continue
        at = start - lead - 1
        known = outcomes.known[:, start]
        rows.append(signals.of(at, start)[known])
        offsets.append(logit(signals.profiles.at(window, start, at))[known])
        free.append(outcomes.free[:, start][known])
    if not sum(map(len, free)):
        return prior
    weight = 2.0 * STRIDE / (window * len(LEADS))  # overlapping windows, each asked at every lead
    return _regress(np.concatenate(rows), np.concatenate(offsets), np.concatenate(free), weight, prior)


def _late(hours: Hours, starts: int) -> Ints:
    """Starts of the newest weeks whose profile rests on enough weeks."""
    week = hours.clock.week
    first = max(int(week[0]) + LEAST_WEEKS, int(week[-1]) + 1 - WEEKS) if len(week) else 0
    return np.flatnonzero(week[:starts] >= first)


def _regress(signals: Floats, offset: Floats, free: Floats, weight: float, prior: Floats) -> Floats:
    """Newton's method on the penalised likelihood, which is convex."""
    found = prior.copy()
    for _ in range(30):
        chance = expit(offset + signals @ found)
        slope = signals.T @ (weight * (free - chance)) - RIDGE * (found - prior)
        bend = (signals * (weight * chance * (1.0 - chance))[:, None]).T @ signals + RIDGE * np.eye(len(found))
        step = np.clip(np.linalg.solve(bend, slope), -2.0, 2.0)  # far off, a whole step may overshoot
        found = found + step
        if float(np.abs(step).max()) < 1e-4:
            break
    return np.asarray(found, dtype=np.float64)


def corrections(profiles: Profiles, present: Present, window: int, start: Ints, weights: Floats) -> Floats:
    """What to add to the log odds of the profile, shape (machines, len(start)), when told in the last hour.

    Args:
        profiles: of the hours that are known.
        start: of the windows, indices after the last hour.
    """
    machines, known = profiles.hours.busy.shape
    last = known - 1
    if last < 0:
        return np.zeros((machines, len(start)))
    signals = Signals(profiles, present, window, since=last - SETTLING_H)
    told = signals.of(np.full(len(start), last), start) @ weights
    return np.asarray(told, dtype=np.float64)


def moved(profile: Floats, correction: Floats) -> Floats:
    """A chance whose log odds are corrected."""
    return expit(logit(profile) + correction)
