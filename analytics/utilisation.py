"""Utilisation with its coverage: (PRODUCING + SETUP) over observed time, on staffed hours or on the calendar.

FAULT and MAINTENANCE stay in the denominator. On staffed hours, lent ones are in neither part: leave them out of the
mask. A figure never stands without its coverage, for silence is neither use nor idleness.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.history import WEEK_HOURS, History
from analytics.tallies import Layout, layout_of, on_weeks
from fleet.records import HOUR_SECONDS

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Use(NamedTuple):
    """Seconds used, seconds observed, seconds that there were."""

    used: float
    observed: float
    total: float

    @property
    def share(self) -> float | None:
        """Utilisation, 0..1; None when nothing was observed."""
        return self.used / self.observed if self.observed > 0 else None

    @property
    def coverage(self) -> float | None:
        """Observed share of the time, 0..1; None when there was none."""
        return min(1.0, self.observed / self.total) if self.total > 0 else None


class WeeklyUse(NamedTuple):
    """The same by local week; arrays of shape (weeks,), oldest first, without gaps.

    Attributes:
        week: number of the week, as in ``LocalHours.week``.
    """

    week: NDArray[np.int64]
    used: Floats
    observed: Floats
    total: Floats

    @property
    def share(self) -> Floats:
        """Utilisation of each week; NaN where nothing was observed."""
        return _ratio(self.used, self.observed, np.nan)

    @property
    def coverage(self) -> Floats:
        """Observed share of each week's masked time; NaN in a week without any."""
        return np.minimum(_ratio(self.observed, self.total, np.nan), 1.0)


def passed(history: History, now: float | None = None) -> Floats:
    """Seconds of each hour that had passed at ``now`` (epoch seconds; None: all), shape (n,)."""
    if now is None:
        return np.full(len(history), float(HOUR_SECONDS))
    begins = history.start + HOUR_SECONDS * np.arange(len(history), dtype=np.float64)
    return np.clip(now - begins, 0.0, HOUR_SECONDS)


def use(history: History, mask: Mask | None = None, now: float | None = None) -> Use:
    """Use over the hours of the mask (None: all of them)."""
    columns = (history.used, history.observed, passed(history, now))
    return Use(*(float(column.sum() if mask is None else column[mask].sum()) for column in columns))


def weekly(history: History, mask: Mask | None = None, now: float | None = None) -> WeeklyUse:
    """Use by local week over the hours of the mask (None: all of them)."""
    weeks = history.clock.week
    if not len(weeks):
        return WeeklyUse(np.zeros(0, np.int64), *(np.zeros(0) for _ in range(3)))
    first, count = int(weeks[0]), int(weeks[-1] - weeks[0]) + 1
    kept = np.ones(len(weeks)) if mask is None else mask.astype(np.float64)
    columns = (history.used, history.observed, passed(history, now))
    sums = (_sum_by(weeks - first, column * kept, count) for column in columns)
    return WeeklyUse(first + np.arange(count), *sums)


def stratified(history: History, mask: Mask | None = None) -> WeeklyUse:
    """Weekly use with each unobserved hour filled by the machine's own mean at that hour of week.

    Plain shares are biased when silence prefers some hours (nights, weekends). ``observed`` is what was really
    observed; ``used`` is scaled to it, so that ``share`` is the filled week's utilisation. Hours of week never observed
    are left out of both.
    """
    kept = None if mask is None else mask[None]
    found = filled(history.used[None], HOUR_SECONDS - history.observed[None], layout_of(history.clock), kept)
    return WeeklyUse(found.week, found.used[0], found.observed[0], found.total[0])


def filled(used: Floats, missing: NDArray[np.floating], layout: Layout, kept: Mask | None = None) -> WeeklyUse:
    """The same of many machines at once: columns of shape (machines, weeks).

    Args:
        used: seconds of each hour in use, shape (machines, n), n that of the layout.
        missing: seconds of each hour not observed, likewise.
        kept: the mask, likewise, or (1, n) for one of all machines; None for all hours.
    """
    if kept is not None:
        used, missing = used * kept, missing * kept
    whole: Floats = np.full((1, used.shape[1]), float(HOUR_SECONDS)) * (1.0 if kept is None else kept)
    used, missing, total = (on_weeks(column, layout) for column in (used, missing, whole))
    there, seen_at = total.sum(axis=2), total.sum(axis=1) - missing.sum(axis=1)
    rate = _ratio(used.sum(axis=1), seen_at, 0.0)
    told = used.sum(axis=2) + np.einsum("mwh,mh->mw", missing, rate)
    seen = there - missing.sum(axis=2)
    ever_seen = np.broadcast_to(there, seen.shape)
    if not (seen_at > 0).all():
        ever_seen = np.einsum("mwh,mh->mw", np.broadcast_to(total, missing.shape), (seen_at > 0).astype(np.float64))
    week = np.arange(layout.first, layout.first + layout.weeks)
    return WeeklyUse(week, _ratio(told, ever_seen, 0.0) * seen, seen, np.broadcast_to(there, seen.shape))


def by_hour_of_week(history: History, mask: Mask | None = None) -> tuple[list[float | None], list[float]]:
    """168 shares of the observed time busy (None where never observed), and 168 observed shares of the time."""
    kept = np.ones(len(history)) if mask is None else mask.astype(np.float64)
    hour = history.clock.hour_of_week
    columns = (history.busy * kept, history.observed * kept, kept * HOUR_SECONDS)
    busy, observed, total = (_sum_by(hour, column, WEEK_HOURS).tolist() for column in columns)
    shares = [b / o if o > 0 else None for b, o in zip(busy, observed, strict=True)]
    return shares, [o / t if t > 0 else 0.0 for o, t in zip(observed, total, strict=True)]


def _sum_by(place: NDArray[np.int64], values: Floats, count: int) -> Floats:
    return np.asarray(np.bincount(place, values, count), dtype=np.float64)


def _ratio(part: Floats, whole: Floats, otherwise: float) -> Floats:
    share: Floats = np.divide(part, whole, out=np.full(whole.shape, otherwise), where=whole > 0)
    return share
