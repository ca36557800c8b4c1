"""Sets of time spans as arrays of shape (k, 2): start and end in epoch seconds, sorted, disjoint, none empty."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fleet.records import HOUR_SECONDS

Spans = NDArray[np.float64]


def nothing() -> Spans:
    """The empty set."""
    return np.zeros((0, 2))


def united(pairs: Iterable[tuple[float, float]] | Spans) -> Spans:
    """The set that any spans cover: overlapping and touching ones are joined, empty ones vanish."""
    spans = np.asarray(pairs if isinstance(pairs, np.ndarray) else list(pairs), dtype=np.float64).reshape(-1, 2)
    spans = spans[spans[:, 1] > spans[:, 0]]
    if not len(spans):
        return nothing()
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    first = np.concatenate(([True], spans[1:, 0] > reach[:-1]))
    last = np.concatenate((first[1:], [True]))
    return np.stack([spans[first, 0], reach[last]], axis=1)


def both(one: Spans, other: Spans) -> Spans:
    """What lies in both sets."""
    pieces = _pieces(one, other)
    return united(pieces[_inside(one, pieces[:, 0]) & _inside(other, pieces[:, 0])])


def without(one: Spans, other: Spans) -> Spans:
    """What lies in the first set and not in the second."""
    pieces = _pieces(one, other)
    return united(pieces[_inside(one, pieces[:, 0]) & ~_inside(other, pieces[:, 0])])


def _pieces(one: Spans, other: Spans) -> Spans:
    edges = np.unique(np.concatenate([one.ravel(), other.ravel()]))
    return np.stack([edges[:-1], edges[1:]], axis=1) if len(edges) > 1 else nothing()


def _inside(spans: Spans, at: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each instant lies in the set (start included, end not)."""
    return np.asarray(np.searchsorted(spans.ravel(), at, side="right") % 2 == 1)


def total(spans: Spans) -> float:
    """Seconds that the set covers."""
    return float((spans[:, 1] - spans[:, 0]).sum())


def hourly(spans: Spans, start: int, count: int) -> NDArray[np.float64]:
    """Seconds of each of ``count`` hours from ``start`` that the set covers, shape (count,)."""
    if not len(spans):
        return np.zeros(count)
    edges = start + HOUR_SECONDS * np.arange(count + 1, dtype=np.float64)
    lengths = spans[:, 1] - spans[:, 0]
    after = np.cumsum(lengths)
    covered = np.interp(edges, spans.ravel(), np.stack([after - lengths, after], axis=1).ravel())
    return np.diff(covered)


def of_hours(mask: NDArray[np.bool_], start: int) -> Spans:
    """The hours from ``start`` whose mask is set, shape (n,), as spans."""
    return start + HOUR_SECONDS * stretches(mask).astype(np.float64)


def stretches(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First index of each unbroken run of the mask and the one after its last, shape (runs, 2)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return edges.reshape(-1, 2)
