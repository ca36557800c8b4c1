"""Shareable capacity: the free time that somebody else's job would really fit into.

S is the sum over contiguous free gaps inside the offered hours of (length - b), of gaps of at least L_min + b; b is
the changeover plus safety. A reservation, a fault and maintenance end a gap; so does UNKNOWN. What follows a job may be
held (curing, cooling, a mounted die). Said as "at least x h in n of N weeks", never as a mean.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.history import History, week_start
from analytics.spans import Spans, both, nothing, of_hours, united
from fleet.records import HOUR_SECONDS

Mask = NDArray[np.bool_]
LONG_BLOCK_HOURS = 8.0


class Job(NamedTuple):
    """What a job needs, hours: shortest useful length, changeover plus safety, and the hold after the job before."""

    minimum: float
    changeover: float
    hold: float = 0.0


class AtLeast(NamedTuple):
    """At least ``hours`` in ``weeks`` of ``of`` weeks."""

    hours: float
    weeks: int
    of: int


def free_spans(history: History, hold_hours: float = 0.0) -> Spans:
    """Contiguous free time, each gap shortened at its beginning by the hold when a busy time came before it.

    A gap inside one hour, with other states on both sides, is left out: it is shorter than any job.
    """
    if not len(history):
        return nothing()
    begins = history.start + HOUR_SECONDS * np.arange(len(history), dtype=np.float64)
    ends = begins + HOUR_SECONDS
    at_head = np.stack([begins, begins + history.head], axis=1)
    at_tail = np.stack([ends - history.tail, ends], axis=1)
    gaps = united(np.concatenate([at_head, at_tail]))
    if hold_hours and len(gaps):
        before = np.floor((gaps[:, 0] - 1.0 - history.start) / HOUR_SECONDS).astype(np.int64)
        held = (before >= 0) & history.busy_last[np.maximum(before, 0)]
        gaps = united(np.stack([gaps[:, 0] + held * hold_hours * HOUR_SECONDS, gaps[:, 1]], axis=1))
    return gaps


def usable(history: History, offered: Mask, reserved: Mask, job: Job) -> Spans:
    """The gaps of the offered, unreserved hours that a job fits into, changeover included."""
    return long_enough(both(free_spans(history, job.hold), of_hours(offered & ~reserved, history.start)), job)


def long_enough(gaps: Spans, job: Job) -> Spans:
    """The gaps that a job and its changeover fit into."""
    shortest = (job.minimum + job.changeover) * HOUR_SECONDS
    return gaps[gaps[:, 1] - gaps[:, 0] >= shortest - 1e-6]


def weekly(history: History, offered: Mask, reserved: Mask, job: Job) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Shareable hours S by local week: numbers of the weeks and hours, shape (weeks,).

    A gap over a week's end counts in both weeks by its length in each.
    """
    if not len(history):
        return np.zeros(0, np.int64), np.zeros(0)
    first, last = int(history.clock.week[0]), int(history.clock.week[-1])
    edges = np.array([week_start(week, history.timezone) for week in range(first, last + 2)], dtype=np.float64)
    return np.arange(first, last + 1), in_weeks(usable(history, offered, reserved, job), edges, job)


def in_weeks(gaps: Spans, edges: NDArray[np.float64], job: Job) -> NDArray[np.float64]:
    """Shareable hours of usable gaps between each edge and the next (epoch seconds), shape (len(edges) - 1,)."""
    if not len(gaps):
        return np.zeros(len(edges) - 1)
    worth = (gaps[:, 1] - gaps[:, 0]) / HOUR_SECONDS - job.changeover
    after = np.cumsum(worth)
    return np.diff(np.interp(edges, gaps.ravel(), np.stack([after - worth, after], axis=1).ravel()))


def at_least(weekly_hours: NDArray[np.float64]) -> AtLeast | None:
    """The 10 % quantile of weeks as a promise that was kept: an order statistic, never interpolated.

    With N weeks it is the k-th lowest, k = floor((N + 1) / 10) but at least 1: the next week falls below it with
    probability :func:`falls_below`, which reaches 10 % with nine weeks. None without a week.
    """
    weeks = len(weekly_hours)
    if not weeks:
        return None
    hours = float(np.sort(weekly_hours)[_rank(weeks) - 1])
    return AtLeast(hours, int((weekly_hours >= hours).sum()), weeks)


def falls_below(weeks: int) -> float:
    """Probability that the next week falls below what :func:`at_least` says of so many, when weeks are alike."""
    return _rank(weeks) / (weeks + 1)


def _rank(weeks: int) -> int:
    return max(1, (weeks + 1) // 10)


def quantile_interval(weekly_hours: NDArray[np.float64]) -> list[float] | None:
    """95 % interval of the 10 % quantile: the lowest week, and the week that so many lie below only 1 time in 40."""
    weeks = len(weekly_hours)
    if not weeks:
        return None
    ordered, below, rank = np.sort(weekly_hours), 0.0, 0
    while below < 0.975 and rank < weeks:
        below += math.comb(weeks, rank) * 0.1**rank * 0.9 ** (weeks - rank)
        rank += 1
    return [float(ordered[0]), float(ordered[rank - 1])]


def long_block_share(history: History) -> float | None:
    """Fragmentation: share of the free time that lies in blocks of 8 h or more; None without free time."""
    gaps = free_spans(history)
    lengths = gaps[:, 1] - gaps[:, 0]
    free = float((history.observed - history.busy).sum())
    long = float(lengths[lengths >= LONG_BLOCK_HOURS * HOUR_SECONDS].sum())
    return long / free if free > 0 else None
