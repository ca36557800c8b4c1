"""In which times there may be readings of a machine already: a few spans of each, never too short. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleet.batch import NO_INT, MachineKey

SPANS: Final = 4
"""Of a machine: what is live, a history that is told beside it, and what is sent again."""
_NEAR_MS: Final = 60_000
"""Readings that came together within so long are one span without a look at what lies between them."""

Span = tuple[int, int]
"""First and last millisecond, epoch ms, both in it."""
NEVER: Final[Span] = (2**63 - 1, NO_INT)
"""Holds no time."""


class Covered:
    """Spans of device time of each machine, outside of which it has no readings."""

    def __init__(self) -> None:
        self._spans: dict[MachineKey, list[Span]] = {}

    def __contains__(self, key: MachineKey) -> bool:
        return key in self._spans

    def until(self, key: MachineKey, last_ms: int | None) -> None:
        """The machine may have readings of any time up to this one, or has none."""
        self._spans[key] = [] if last_ms is None else [(NO_INT, last_ms)]

    def forget(self, members: set[str]) -> None:
        """Of the machines of these members nothing is known."""
        self._spans = {key: spans for key, spans in self._spans.items() if key.member not in members}

    def add(self, machines: Sequence[MachineKey], places: NDArray[np.integer], ms: NDArray[np.int64]) -> None:
        """There are readings at these times.

        Args:
            machines: all known.
            places: of the machine of each reading among them; shape (n,).
            ms: device times, epoch ms; shape (n,).
        """
        first, last = ends_of(len(machines), places, ms)
        for place, (start, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            if start > end:
                continue
            spans = self._spans[machines[place]]
            if end - start <= _NEAR_MS and spans and 0 <= start - spans[-1][1] <= _NEAR_MS:
                spans[-1] = (spans[-1][0], end)
            elif end - start <= _NEAR_MS and (not spans or start > spans[-1][1]):
                spans.append((start, end))
                if len(spans) > SPANS:
                    _join_nearest(spans)
            else:
                self._spans[machines[place]] = joined(spans, ms[places == place])

    def holds(
        self, machines: Sequence[MachineKey], places: NDArray[np.integer], ms: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether each of these times lies in a span of its machine; shapes as of :meth:`add`."""
        last = [spans[-1][1] if (spans := self._spans[key]) else NO_INT for key in machines]
        inside: NDArray[np.bool_] = ms <= np.array(last, dtype=np.int64)[places]
        near = np.flatnonzero(inside)
        if len(near):
            known, own = np.unique(places[near], return_inverse=True)
            table = np.array([_padded(self._spans[machines[place]]) for place in known.tolist()], dtype=np.int64)[own]
            times = ms[near][:, None]
            inside[near] = ((table[:, :, 0] <= times) & (times <= table[:, :, 1])).any(axis=1)
        return inside


def ends_of(
    machines: int, places: NDArray[np.integer], ms: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last time of each of so many machines, epoch ms; :data:`NEVER` of one without any."""
    first, last = (np.full(machines, end, dtype=np.int64) for end in NEVER)
    np.minimum.at(first, places, ms)
    np.maximum.at(last, places, ms)
    return first, last


def joined(spans: Sequence[Span], ms: NDArray[np.int64]) -> list[Span]:
    """Spans that hold the given ones and all of these times: at most :data:`SPANS`, apart where most lies between."""
    starts = np.concatenate([np.array([start for start, _ in spans], dtype=np.int64), ms])
    ends = np.concatenate([np.array([end for _, end in spans], dtype=np.int64), ms])
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    between = np.maximum(starts[1:], ends[:-1]) - ends[:-1]
    widest = np.argsort(between, kind="stable")[::-1][: SPANS - 1]
    cuts = np.sort(widest[between[widest] > 0])
    first = starts[np.concatenate([[0], cuts + 1])]
    last = ends[np.concatenate([cuts, [len(ends) - 1]])]
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _join_nearest(spans: list[Span]) -> None:
    """Of spans in order, the two with least between them become one."""
    nearest = min(range(len(spans) - 1), key=lambda place: spans[place + 1][0] - spans[place][1])
    spans[nearest : nearest + 2] = [(spans[nearest][0], spans[nearest + 1][1])]


def _padded(spans: Sequence[Span]) -> list[Span]:
    return [*spans, *[NEVER] * (SPANS - len(spans))]
