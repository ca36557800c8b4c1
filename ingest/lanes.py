"""Readings of loud members between spool and store: each in a lane of its own, in turn, a slice at a time."""

import asyncio
from collections.abc import Collection
from typing import Final

from fleet.batch import ReadingBatch
from ingest import apart
from ingest.thread import SpoolThread

_FIRST_BYTES: Final = 2**16
_BYTES: Final = (2**15, 8 * 2**20)
_REST: Final = 3
SLICE_S: Final = 0.1
"""How long the others may have to wait for the write of a slice."""


class Lanes:
    """Hands out what waits apart, the lanes in turn."""

    def __init__(self, thread: SpoolThread, linger_s: float) -> None:
        self._thread, self._linger_s = thread, linger_s
        self._due: dict[str, float] = {}  # when the next slice of a lane may go; a lane that is not here is empty
        self._newest: dict[str, int] = {}
        self._asked: str | None = None
        self._bytes = _FIRST_BYTES
        self._more = False  # after the last slice: it was as large as a slice may be
        self._rests_until = 0.0

    @property
    def members(self) -> Collection[str]:
        """Those of whose readings some may wait."""
        return self._due.keys() if self._asked is None else {*self._due, self._asked}

    @property
    def due(self) -> float | None:
        """Time of the event loop at which the next slice may go; None when nothing waits."""
        return min(self._due.values(), default=None)

    @property
    def rested(self) -> bool:
        """Whether the others, who keep the store busy, had three times as long as the last slice."""
        return asyncio.get_running_loop().time() >= self._rests_until

    async def load(self) -> None:
        """Find what an earlier run left; before anything new is taken, for that must follow it."""
        for member, lane in (await self._thread.query(apart.lanes)).items():
            self.offer(member, lane.newest)

    def offer(self, member: str, batch_id: int) -> None:
        """A batch is in this member's lane now; everything committed before it is offered already."""
        self._newest[member] = max(self._newest.get(member, 0), batch_id)
        self._due.setdefault(member, asyncio.get_running_loop().time() + self._linger_s)

    async def take(self, before: int | None) -> list[tuple[int, ReadingBatch]]:
        """The next slice, if one is due: batches of one lane, in order, older than the batch ``before``."""
        loop = asyncio.get_running_loop()
        member = min(self._due, key=lambda name: self._due[name], default=None)
        if member is None or self._due[member] > loop.time():
            return []
        newest = self._newest[member]
        last = newest if before is None else min(newest, before - 1)
        size = self._bytes
        del self._due[member]
        self._asked = member
        found = await self._thread.submit(lambda spool: spool.waiting(0, size, lane=member, upto=last))
        self._asked = None
        self._more = bool(found) and found[-1][0] < last
        if self._more:
            self._due[member] = loop.time()
        elif found or last < newest:
            self._due[member] = loop.time() + self._linger_s
        return found

    def took(self, seconds: float) -> None:
        """So long was the write of the last slice; one that took all that waited says nothing of a larger one."""
        self._rests_until = asyncio.get_running_loop().time() + _REST * seconds
        smallest, largest = _BYTES
        factor = min(2.0 if self._more else 1.0, SLICE_S / max(seconds, 0.001))
        self._bytes = int(min(largest, max(smallest, self._bytes * factor)))
