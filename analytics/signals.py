"""What the last days and the present of machines say of windows to come, as numbers that a regression can weigh.

All of it is told against the profile by hour of week, so that a machine that does what it always does gives little.
A forecast is made at an instant in the hour j, ``phase`` hours after its start, in (j, j + 1]; nothing at or after the
instant is looked at. Its lead is the time from there to the start of the window.
"""

from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.availability import logit
from analytics.profiles import Floats, Ints, Profiles
from analytics.windows import OBSERVED_SHARE, windows
from fleet.records import HOUR_SECONDS

SCALE: Final = {
    "busy": 1.0,
    "free": 1.0,
    "busy_for": 3.0,
    "free_for": 3.0,
    "surplus": 0.2,
    "same_time": 0.3,
    "profile": 2.0,
    "if_free": 2.0,
    "if_busy": 2.0,
}
"""The signals, and the size that each has by nature: they are told in units of it.

``busy``, ``free``: the state at the instant. ``busy_for``, ``free_for``: log of the hours since when. ``surplus``: use
above the profile, averaged over the last day. ``same_time``: how much freer than the profile windows at this time of
day were in the last week. ``profile``: log odds of the profile, told with a state. ``if_free``, ``if_busy``: log odds
of the profile given the state at the instant, above those of the profile alone.
"""
SHORT_H: Final = 3.0
LONG_H: Final = 36.0
"""What is said of a window fades with the lead on two scales, that of a run and that of a day and a half."""
LASTING: Final = 6
"""The signals that are told on the long scale too: all but the last three, which concern the next hours alone."""
WIDTH: Final = len(SCALE) + LASTING
CHAINED_H: Final = 13
"""``if_free`` and ``if_busy`` are told of windows that begin at most this many hours after j."""
MEMORY_H: Final = 24.0
LONGEST_H: Final = 504.0
DAYS: Final = 7
FADE: Final = 0.6
"""A day's weight in ``same_time``, of that of the day after it."""

FREE, BUSY, UNKNOWN = 0, 1, -1
States = NDArray[np.int8]


class Present(NamedTuple):
    """The state ``phase`` hours after each hour's start: FREE, BUSY or UNKNOWN, shape (machines, n), 0 < phase <= 1."""

    state: States
    phase: float


class Signals:
    """The signals of some machines for windows of one length.

    Attributes:
        profiles: what they are told against.
        since: index of the first hour that is looked at; hours before it count as usual.
    """

    def __init__(self, profiles: Profiles, present: Present, window: int, since: int = 0) -> None:
        self.profiles, self.present, self.window = profiles, present, window
        self.hours = profiles.hours
        self.since = max(0, since)

    def of(self, at: Ints, start: Ints) -> Floats:
        """The signals, shape (machines, len(start), WIDTH), for windows from ``start`` told in hour ``at`` < start.

        Hours are indices; a start may lie beyond the known hours, by 28 days at most.
        """
        lead = (start - at).astype(np.float64) - self.present.phase
        state = self.present.state[:, at]
        lasting = np.log(np.clip(self._unchanged[:, at] + self.present.phase, 0.25, LONGEST_H))
        profile = logit(self.profiles.at(self.window, start, at))
        if_free, if_busy = self._chained(at, start, profile) if (state != UNKNOWN).any() else (state, state)
        told = (
            state == BUSY,
            state == FREE,
            (state == BUSY) * lasting,
            (state == FREE) * lasting,
            self._surplus[:, at + (self.present.phase >= 1.0)],
            self._same_time(lead, start),
            profile * (state != UNKNOWN),
            (state == FREE) * if_free,
            (state == BUSY) * if_busy,
        )
        scaled = [signal / size for signal, size in zip(told, SCALE.values(), strict=True)]
        short, long = np.exp(-lead / SHORT_H), np.exp(-lead / LONG_H)
        return np.stack([*(one * short for one in scaled), *(one * long for one in scaled[:LASTING])], axis=-1)

    @cached_property
    def _unchanged(self) -> Floats:
        """Whole hours before each hour that were busy, or free, like it is at the instant; shape (machines, n)."""
        flags, state = self.hours.busy, self.present.state
        busy, free = np.zeros(len(flags)), np.zeros(len(flags))
        found = np.zeros(state.shape)
        seen = self._seen
        for hour in range(self.since, state.shape[1]):
            found[:, hour] = np.where(state[:, hour] == BUSY, busy, free)
            busy = np.where(flags[:, hour] & seen[:, hour], busy + 1.0, 0.0)
            free = np.where(~flags[:, hour] & seen[:, hour], free + 1.0, 0.0)
        return found

    @cached_property
    def _seen(self) -> NDArray[np.bool_]:
        enough: NDArray[np.bool_] = self.hours.observed >= OBSERVED_SHARE * HOUR_SECONDS
        return enough

    @cached_property
    def _surplus(self) -> Floats:
        """Mean use above the profile of the hours before each one, shape (machines, n + 1); silence counts as usual."""
        machines, count = self.hours.busy.shape
        hours = np.arange(self.since, count)
        usual = 1.0 - self.profiles.at(1, hours)
        above = (self.hours.busy[:, hours] - usual) * self._seen[:, hours] * self._judged[hours]
        keep, mean = float(np.exp(-1.0 / MEMORY_H)), np.zeros(machines)
        found = np.zeros((machines, count + 1))
        for hour, newest in zip(hours, above.T, strict=True):
            mean = keep * mean + (1.0 - keep) * newest
            found[:, hour + 1] = mean
        return found

    @cached_property
    def _freer(self) -> Floats:
        """How much freer than the profile each window was, shape (machines, starts); 0 where it is not known."""
        outcomes = windows(self.hours.busy, self.hours.observed, self.window)
        starts = np.arange(self.since, outcomes.free.shape[1])
        freer = np.zeros(outcomes.free.shape)
        usual = self.profiles.at(self.window, starts)
        freer[:, starts] = (outcomes.free[:, starts] - usual) * outcomes.known[:, starts] * self._judged[starts]
        return freer

    @cached_property
    def _judged(self) -> NDArray[np.bool_]:
        """Hours whose profile rests on a week at least."""
        week = self.hours.clock.week
        later: NDArray[np.bool_] = week > week[:1]
        return later

    def _same_time(self, lead: Floats, start: Ints) -> Floats:
        """Over the newest days whose window had ended at the instant; days not known count as usual."""
        first = np.ceil((lead + self.window) / 24.0 - 1e-9).astype(np.int64)
        freer = self._freer
        found, total = np.zeros((len(freer), len(start))), 0.0
        for day in range(DAYS):
            then, weight = start - 24 * (first + day), FADE**day
            inside = (then >= 0) & (then < freer.shape[1])
            found += weight * inside * freer[:, np.where(inside, then, 0)] if freer.shape[1] else 0.0
            total += weight
        return found / total

    def _chained(self, at: Ints, start: Ints, profile: Floats) -> tuple[Floats, Floats]:
        """Log odds of a window given that hour ``at`` is free, or busy, above those of the profile.

        Free from ``at`` to the window's end is one longer window; the rest follows from the profile of hour ``at``.
        """
        if_free, if_busy = np.zeros(profile.shape), np.zeros(profile.shape)
        now = self.profiles.at(1, at, at)
        for ahead in range(1, CHAINED_H + 1):
            these = np.flatnonzero(start - at == ahead)
            if len(these):
                both = self.profiles.at(self.window + ahead, at[these], at[these])
                free, alone = now[:, these], profile[:, these]
                window = 1.0 / (1.0 + np.exp(-alone))
                if_free[:, these] = logit(np.minimum(both / np.maximum(free, 0.01), 1.0)) - alone
                if_busy[:, these] = logit(np.maximum(window - both, 0.0) / np.maximum(1.0 - free, 0.02)) - alone
        return if_free, if_busy
