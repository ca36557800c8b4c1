"""Moved clamp or drifting meter: the levels of power have shifted together, which no change of use does.

More or less work changes how often a machine draws its working power, another job changes that power alone; a clamp
that was moved, turned or doubled changes every level by one factor. So the hours after the newest change of the weekly
high level are compared with those of the first regime that holds two levels: when they fall onto the old levels as they
are, nothing moved; when they do after division by one factor, and hold two levels at least, the meter did. Hours are
told by their highest power, which needs no model of states. A calibration that the owner made since then settles it.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.change import regimes
from analytics.history import History, monday, week_start
from analytics.rules.context import RuleContext
from analytics.rules.evidence import Evidence
from analytics.rules.frame import Levels, Said, finding, rounded
from fleet.records import Finding

NAME: Final = "moved-clamp"
VERSION: Final = "2"
LEAST_WEEKS: Final = 6
LEAST_HOURS: Final = 24
"""Hours with power above nothing that either side needs, and that a week needs to have a high level."""
SHIFT: Final = Levels(0.25, 0.15, 0.10)
"""By how much levels rise: a factor, or what it is divided by, less one."""
EXPLAINED: Final = 0.9
"""Share of the hours after the change that one factor must bring back onto the old levels,"""
GAINED: Final = 0.3
"""and how much more of them than without it."""
_HIGH: Final = 0.975  # quantile of a week's hours: the level of a machine that works four hours a week
_NOTHING: Final = 0.01  # of the high level: off, or noise of the meter
_STEP: Final = 0.03  # width of a bin of the logarithm of power
_REACH: Final = 2  # bins that a level is wide to either side
_LEVEL: Final = 0.02  # share of the hours that makes a level
_LARGEST: Final = round(3.0 / _STEP)  # factors up to twenty

Floats = NDArray[np.float64]


class Shift(NamedTuple):
    """How the levels after the change lie to those before.

    Attributes:
        size: natural logarithm of the factor.
        explained: share of the hours after it that it brings onto old levels.
        unmoved: share that lies there as it is.
        levels: how many levels the hours after it hold.
    """

    size: float
    explained: float
    unmoved: float
    levels: int

    @property
    def is_one_factor(self) -> bool:
        """Whether the factor explains what no factor does not."""
        return self.explained >= EXPLAINED and self.explained - self.unmoved >= GAINED


@dataclass(frozen=True)
class Peaks:
    """The highest power of each hour of complete weeks."""

    history: History

    @cached_property
    def logs(self) -> Floats:
        """Natural logarithm of watts; NaN for hours without power, or with next to nothing of it."""
        peak = self.history.power_max_w
        if peak is None or np.isnan(peak).all():
            return np.full(len(self.history), np.nan)
        least = max(1.0, _NOTHING * float(np.nanquantile(peak, _HIGH)))
        return np.log(np.where(np.nan_to_num(peak) > least, peak, np.nan))

    @cached_property
    def weeks(self) -> NDArray[np.int64]:
        """Numbers of the weeks that have a high level."""
        week = self.history.clock.week[~np.isnan(self.logs)]
        found, hours = np.unique(week, return_counts=True)
        return found[hours >= LEAST_HOURS]

    @cached_property
    def high(self) -> Floats:
        """High level of each of those weeks."""
        return np.array([np.nanquantile(self.logs[self.history.clock.week == week], _HIGH) for week in self.weeks])

    @cached_property
    def changed(self) -> int | None:
        """First week of the newest regime of the high level; None when it is one."""
        starts = regimes(self.high)
        return int(self.weeks[starts[-1]]) if len(starts) > 1 else None

    def sides(self, week: int) -> tuple[Floats, Floats]:
        """Hours of the first regime that holds two levels, and of the newest without the week in which it began."""
        known, clock = ~np.isnan(self.logs), self.history.clock.week
        before = []
        for begin, end in pairwise(regimes(self.high)):
            first, last = int(self.weeks[begin]), int(self.weeks[end]) - 1
            before.append(self.logs[known & (clock >= first) & (clock < max(last, first + 1))])
        told = (
            hours
            for hours in before
            if len(hours) >= LEAST_HOURS and _levels(_bins(hours, hours.min(), hours.max())) > 1
        )
        return next(told, before[0]), self.logs[known & (clock > week)]


def judge(context: RuleContext, previous: Finding | None) -> Finding | None:
    """The finding now; None for a machine whose power nobody reads."""
    if context.history.power_max_w is None:
        return None
    peaks = Peaks(Evidence(context).history)
    failing = [] if len(peaks.weeks) >= LEAST_WEEKS else ["history"]
    shift = None if failing or peaks.changed is None else between(*peaks.sides(peaks.changed))
    moved = shift is not None and shift.is_one_factor and not _calibrated_since(context, peaks.changed)
    if moved and shift is not None and shift.levels < 2:
        failing = ["modes"]
    score = float(np.exp(abs(shift.size))) - 1.0 if moved and shift is not None else 0.0
    evidence = _told(peaks, shift, moved)
    sentence = "the levels of power lie where they were"
    if moved:
        sentence = (
            f"every level of power is {evidence['factor']} times what it was before {evidence['changed_in_week']}"
        )
    return finding(NAME, VERSION, Said(failing, score, sentence, evidence), SHIFT, context, previous)


def between(before: Floats, after: Floats) -> Shift | None:
    """The factor that brings most of the hours after a change onto the levels before it, the smallest of equals.

    Args:
        before, after: natural logarithms of the hours' highest power, shape (n,) and (m,).

    Returns:
        None when either side has fewer than :data:`LEAST_HOURS`.
    """
    if min(len(before), len(after)) < LEAST_HOURS:
        return None
    low, high = float(min(before.min(), after.min())), float(max(before.max(), after.max()))
    old, new = (_bins(side, low, high) for side in (before, after))
    levels = _near(old) >= _LEVEL * old.sum()
    explained = np.correlate(new.astype(np.float64), levels.astype(np.float64), "full") / new.sum()
    shifts = np.arange(len(explained)) - (len(levels) - 1)
    explained = np.where(np.abs(shifts) <= _LARGEST, explained, 0.0)
    unmoved = float(explained[shifts == 0][0])
    good = np.flatnonzero(explained >= explained.max() - 0.02)
    middle = good[np.abs(shifts[good]) <= np.abs(shifts[good]).min() + 2 * _REACH]
    best = int(middle[np.argmax(explained[middle])])
    size = _refined(before, after, float(shifts[best]) * _STEP)
    return Shift(size, float(explained[best]), unmoved, _levels(new))


def _refined(before: Floats, after: Floats, about: float) -> float:
    """The shift between the high levels, when it is about what the best match says."""
    exact = float(np.quantile(after, _HIGH) - np.quantile(before, _HIGH))
    return exact if abs(exact - about) <= 2 * _REACH * _STEP else about


def _near(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hours within the reach of each bin."""
    near: NDArray[np.int64] = np.convolve(counts, np.ones(2 * _REACH + 1, dtype=np.int64), "same")
    return near


def _bins(logs: Floats, low: float, high: float) -> NDArray[np.int64]:
    """Hours by bin of the logarithm of power from ``low`` to ``high``, some empty ones on either side."""
    first = low - 2 * _REACH * _STEP
    count = round((high - first) / _STEP) + 2 * _REACH
    return np.bincount(((logs - first) / _STEP).astype(np.int64), minlength=count)


def _levels(counts: NDArray[np.int64]) -> int:
    """How many separate levels hold the hours."""
    inside = _near(counts) >= _LEVEL * counts.sum()
    return int(np.diff(np.append(False, inside).astype(np.int64)).clip(min=0).sum())


def _calibrated_since(context: RuleContext, week: int | None) -> bool:
    at = context.machine.calibration.at
    return at is not None and week is not None and at.timestamp() >= week_start(week, context.timezone)


def _told(peaks: Peaks, shift: Shift | None, moved: bool) -> dict[str, Any]:
    return {
        "high_level_w": [
            {"monday": monday(int(week)).isoformat(), "watts": rounded(float(np.exp(level)))}
            for week, level in zip(peaks.weeks, peaks.high, strict=True)
        ],
        "moved": moved,
        "changed_in_week": None if peaks.changed is None else monday(peaks.changed).isoformat(),
        "factor": rounded(float(np.exp(shift.size))) if shift else None,
        "explained": rounded(shift.explained) if shift else None,
        "explained_unmoved": rounded(shift.unmoved) if shift else None,
        "levels": shift.levels if shift else None,
        "basis": peaks.history.basis,
    }
