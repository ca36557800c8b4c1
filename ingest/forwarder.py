"""From the spool to the store: in order, in large writes, again until the store has it.

New batches come from memory; after a restart, an outage or a flood they are read from the spool, so memory stays
bounded however long the store was away.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

import structlog

from fleet.batch import ReadingBatch
from fleet.clock import now_ms
from ingest.lanes import Lanes
from ingest.merge import merge, refusals
from ingest.rejects import Reject
from ingest.thread import SpoolThread
from ingest.twins import ReadingSink
from ingest.writer import Pace, StoreState, Writer

_log = structlog.get_logger(__name__)
_DISK_BYTES: Final = 8 * 2**20
_PACE: Final = Pace()


class Forwarder:
    """Writes batches to the store and marks them in the spool.

    Attributes:
        stored: readings confirmed since the start.
        lanes: what waits apart: while the others' readings gather, a slice of a loud member's is written.
    """

    def __init__(
        self,
        thread: SpoolThread,
        store: ReadingSink,
        *,
        on_stored: Callable[[ReadingBatch], None],
        on_refused: Callable[[list[Reject]], None],
        on_state: Callable[[], None],
        on_lost: Callable[[str], None] = lambda _: None,
        pace: Pace = _PACE,
    ) -> None:
        self.stored = 0
        self.lanes = Lanes(thread, pace.linger_s)
        self._thread, self._pace = thread, pace
        self._writer = Writer(store, pace, on_state, on_lost)
        self._on_stored, self._on_refused = on_stored, on_refused
        self._memory: deque[tuple[int, ReadingBatch]] = deque()
        self._memory_rows = 0
        self._slices = 0
        self._cursor = 0
        self._newest = 0
        self._behind = True  # what an earlier run left comes first
        self._arrived = asyncio.Event()
        self._arrived.set()
        self._flushed = asyncio.Event()
        self._marking: asyncio.Task[None] | None = None  # of what was written last, while the next write begins

    @property
    def state(self) -> StoreState:
        """How the store answers."""
        return self._writer.state

    def offer(self, batch_id: int, batch: ReadingBatch, lane: str = "") -> None:
        """A batch is in the spool now. Ids mostly grow; one that comes late is read from the spool in its turn."""
        if lane:
            self.lanes.offer(lane, batch_id)
        else:
            self._offer(batch_id, batch)
        self._flushed.clear()
        self._arrived.set()

    def _offer(self, batch_id: int, batch: ReadingBatch) -> None:
        late = batch_id < self._newest
        self._newest = max(self._newest, batch_id)
        if late:
            self._rewind(min(self._cursor, batch_id - 1))
        elif not self._behind and batch_id > self._cursor:
            if self._memory_rows + len(batch) > self._pace.memory_rows and self._memory:
                self._rewind(self._cursor)
            else:
                self._memory.append((batch_id, batch))
                self._memory_rows += len(batch)

    def again(self) -> None:
        """Batches of the past wait again: read the spool from its beginning."""
        self._rewind(0)
        self._flushed.clear()
        self._arrived.set()

    def _rewind(self, cursor: int) -> None:
        self._behind = True
        self._memory.clear()
        self._memory_rows = 0
        self._cursor = cursor

    async def flushed(self) -> None:
        """Return when everything offered is in the store."""
        await self._flushed.wait()

    async def run(self) -> None:
        """Forward until cancelled.

        Raises:
            Exception: whatever a store raises that is no ``StoreError``: a bug.
        """
        try:
            while True:
                slices = self._slices
                await self._forward(await self._next_group())
                if self._slices == slices and self.lanes.rested:  # the others alone keep the store busy
                    await self._slice(
                        self._cursor + 1 if self._behind else self._memory[0][0] if self._memory else None
                    )
        finally:
            if self._marking is not None:
                self._marking.cancel()
                await asyncio.gather(self._marking, return_exceptions=True)

    async def _slice(self, before: int | None) -> bool:
        """Write what is due of a loud member and older than ``before``, a batch of the others; whether anything was.

        Its older readings, of the time before it was loud, are among the others': so they stay in order.
        """
        if self.lanes.due is not None:
            await self._marked()
        group = await self.lanes.take(before)
        if group:
            began = asyncio.get_running_loop().time()
            await self._forward(group)
            self._slices += 1
            self.lanes.took(asyncio.get_running_loop().time() - began)
        return bool(group)

    # --- what to write next

    async def _next_group(self) -> list[tuple[int, ReadingBatch]]:
        """At least one batch; more until there are rows enough or the linger is over."""
        loop = asyncio.get_running_loop()
        group: list[tuple[int, ReadingBatch]] = []
        rows, deadline = 0, 0.0
        while rows < self._pace.rows:
            found = await self._take(self._pace.rows - rows)
            if found:
                deadline = deadline or loop.time() + self._linger_s(found[0][1])
                group += found
                rows += sum(len(batch) for _, batch in found)
                continue
            if group and loop.time() >= deadline:
                break
            if await self._slice(group[0][0] if group else None):
                continue
            if not group and not self.lanes.members:
                await self._marked()
                if not self._arrived.is_set():
                    self._flushed.set()
            try:
                async with asyncio.timeout_at(self._wake(deadline)):
                    await self._arrived.wait()
            except TimeoutError:
                continue
        return group

    def _linger_s(self, oldest: ReadingBatch) -> float:
        """How long to gather more; what came during the last write has waited already."""
        waited = (now_ms() - int(oldest.rows["arrived_ms"][0])) / 1000
        return min(self._pace.linger_s, max(0.0, self._pace.linger_s - waited))

    def _wake(self, deadline: float) -> float | None:
        """When to look again if nothing arrives: at the end of the linger (0: there is none) or for a due lane."""
        return min((moment for moment in (deadline, self.lanes.due) if moment), default=None)

    async def _take(self, rows: int) -> list[tuple[int, ReadingBatch]]:
        """Batches in order, about ``rows`` of them; empty when nothing waits (and then ``_arrived`` is clear)."""
        if self._behind:
            await self._marked()
            cursor = self._cursor
            found = await self._thread.submit(lambda spool: spool.waiting(cursor, _DISK_BYTES))
            if cursor != self._cursor:  # told to begin again meanwhile
                return []
            if found:
                self._cursor = found[-1][0]
                return found
            if self._newest > self._cursor:
                self._cursor = self._newest  # committed before the question, and not waiting: put aside
            self._behind = False
        found = []
        while self._memory and rows > 0:
            batch_id, batch = self._memory.popleft()
            self._memory_rows -= len(batch)
            if batch_id > self._cursor:
                found.append((batch_id, batch))
                self._cursor = batch_id
                rows -= len(batch)
        if not found:
            self._arrived.clear()
        return found

    # --- writing

    async def _forward(self, group: list[tuple[int, ReadingBatch]]) -> None:
        await self._deliver([batch_id for batch_id, _ in group], merge([batch for _, batch in group]))

    async def _deliver(self, ids: list[int], batch: ReadingBatch) -> None:
        refused = await self._writer.write(batch)
        rejects = refusals(batch, refused) if refused else []
        kept = batch.take([row for row in range(len(batch)) if row not in refused]) if refused else batch
        self.stored += len(kept)
        if len(kept):
            self._on_stored(kept)
        await self._marked()
        self._marking = asyncio.create_task(self._mark(ids, rejects, refused))
        if rejects:
            _log.warning("the store refused readings", readings=len(refused), reason=rejects[0].faults[0].rule)
            self._on_refused(rejects)

    async def _marked(self) -> None:
        """Return when the spool knows of everything that was written; what is read from it then still waits."""
        if self._marking is not None:
            await self._marking
            self._marking = None

    async def _mark(self, ids: list[int], rejects: list[Reject], rows: Collection[int] = ()) -> None:
        await self._thread.persist(lambda spool: spool.mark_stored(ids, now_ms(), rejects, rows))
