"""Intervals that overlap, united; and the readings that say the same."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fleet.states import FAULT, MAINTENANCE, OFF, PRODUCING, SETUP, STANDBY, STATES, UNKNOWN
from simulators.recording import Interval

_FIRST: Final = (PRODUCING, SETUP, FAULT, MAINTENANCE, STANDBY, OFF, UNKNOWN)
_RANK: Final = {state: rank for rank, state in enumerate(_FIRST)}


def unite(intervals: Iterable[Interval]) -> list[Interval]:
    """The same hours without overlaps, in order; touching intervals of one state become one.

    Where intervals of several states overlap the busiest state counts, in the order PRODUCING, SETUP, FAULT,
    MAINTENANCE, STANDBY, OFF, UNKNOWN.
    """
    edges = sorted(
        edge
        for start, end, state in intervals
        if end > start
        for edge in ((start, _RANK[state], 1), (end, _RANK[state], -1))
    )
    open_by_rank = [0] * len(_FIRST)
    united: list[Interval] = []
    since = 0
    for at, rank, change in edges:
        now = next((index for index, count in enumerate(open_by_rank) if count), None)
        if now is not None and at > since:
            _append(united, Interval(since, at, _FIRST[now]))
        open_by_rank[rank] += change
        since = at
    return united


def _append(united: list[Interval], interval: Interval) -> None:
    if united and united[-1].end_ms == interval.start_ms and united[-1].state == interval.state:
        united[-1] = united[-1]._replace(end_ms=interval.end_ms)
    else:
        united.append(interval)


def told(united: Sequence[Interval], start_ms: int, end_ms: int, every_ms: int) -> Iterator[tuple[int, str]]:
    """Readings (epoch ms, state's name) that say these intervals between ``start_ms`` and ``end_ms``.

    One at each change and each ``every_ms`` of a state. Time outside every interval is STANDBY. The last one, at
    ``end_ms``, is UNKNOWN: the recording says nothing of later, and nobody may hold its last state on.
    """
    for first, last, state in _filled(united, start_ms, end_ms):
        name = STATES[state].value
        for at_ms in range(first, last, every_ms):
            yield at_ms, name
    yield end_ms, STATES[UNKNOWN].value


def _filled(united: Sequence[Interval], start_ms: int, end_ms: int) -> Iterator[Interval]:
    at = start_ms
    for interval in united:
        if interval.start_ms > at:
            yield Interval(at, interval.start_ms, STANDBY)
        yield interval
        at = interval.end_ms
    if end_ms > at:
        yield Interval(at, end_ms, STANDBY)
