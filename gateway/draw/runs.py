"""From hour buckets to runs of one state along time."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fleet.records import HOUR_SECONDS, HourBucket
from fleet.states import STATES, UNKNOWN


class Run(NamedTuple):
    """One state from ``start`` to ``end``, epoch seconds."""

    start: float
    end: float
    state: int


def runs_of(buckets: Iterable[HourBucket], start: float, end: float) -> list[Run]:
    """The machine's states from ``start`` to ``end`` without a hole: an hour that is not there is UNKNOWN.

    ``buckets`` are of one machine, ordered by hour. A bucket says nothing of the part of its hour that has not passed.
    """
    pieces: list[Run] = []
    for bucket in buckets:
        passed = bucket.hour + min(HOUR_SECONDS, sum(bucket.seconds))
        bounds = [bucket.hour + offset for offset, _ in bucket.segments] + [passed]
        pieces += [
            Run(max(start, left), min(end, right), code)
            for (_, code), left, right in zip(bucket.segments, bounds, bounds[1:], strict=False)
            if min(end, right) > max(start, left)
        ]
    return _joined(pieces, start, end)


def _joined(pieces: Sequence[Run], start: float, end: float) -> list[Run]:
    joined: list[Run] = []

    def add(run: Run) -> None:
        if joined and joined[-1].state == run.state and joined[-1].end >= run.start:
            joined[-1] = joined[-1]._replace(end=run.end)
        else:
            joined.append(run)

    at = start
    for piece in pieces:
        if piece.start > at:
            add(Run(at, piece.start, UNKNOWN))
        add(piece)
        at = piece.end
    if at < end:
        add(Run(at, end, UNKNOWN))
    return joined


def seconds_by_state(runs: Iterable[Run]) -> list[float]:
    """Seconds in each state of ``fleet.states.STATES``, in that order."""
    totals = [0.0] * len(STATES)
    for run in runs:
        totals[run.state] += run.end - run.start
    return totals
