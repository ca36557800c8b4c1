"""From the spool to the store: in order, in large writes, again until the store has it.

New batches come from memory; after a restart, an outage or a flood they are read from the spool, so memory stays
bounded however long the store was away.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import structlog

from fleet.batch import ReadingBatch
from fleet.clock import now_ms
from ingest.lanes import Lanes
from ingest.merge import merge, refusals
from ingest.rejects import Reject
from ingest.thread import SpoolThread
from store import Store, StoreLost, StoreRefused, StoreRejected, StoreUnavailable

_log = structlog.get_logger(__name__)
_DISK_BYTES: Final = 8 * 2**20
_FEWEST_ROWS: Final = 500
"""A write that failed is tried again with half the rows, down to this: a slow store must be able to finish one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When the forwarder writes and how it waits.

    Attributes:
        rows, linger_s: a write waits for so many rows, but no longer than this.
        memory_rows: as many may wait in memory; beyond, they are read from the spool.
        first_delay_s, longest_delay_s: backoff while the store is unavailable; with jitter.
        refused_delay_s: while a person must act.
        slow_s: a store that owes an answer for so long is said to be away, while the write goes on.
        write_timeout_s: a store that says nothing for so long is unavailable.
    """

    rows: int = 20_000
    linger_s: float = 0.25
    memory_rows: int = 200_000
    first_delay_s: float = 0.2
    longest_delay_s: float = 10.0
    refused_delay_s: float = 15.0
    slow_s: float = 3.0
    write_timeout_s: float = 120.0


@dataclass(slots=True)
class StoreState:
    """How the store answers; ``since`` is epoch ms of the last change of ``ok``."""

    ok: bool = True
    since: int = 0
    error: str | None = None


class Forwarder:
    """Writes batches to the store and marks them in the spool.

    Attributes:
        stored: readings confirmed since the start.
        state: how the store answers.
        lanes: what waits apart: while the others' readings gather, a slice of a loud member's is written.
    """

    def __init__(
        self,
        thread: SpoolThread,
        store: Store,
        *,
        on_stored: Callable[[ReadingBatch], None],
        on_refused: Callable[[list[Reject]], None],
        on_state: Callable[[], None],
        on_lost: Callable[[str], None] = lambda _: None,
        pace: Pace = Pace(),
    ) -> None:
        self.stored = 0
        self.state = StoreState(since=now_ms())
        self.lanes = Lanes(thread, pace.linger_s)
        self._thread, self._store, self._pace = thread, store, pace
        self._on_stored, self._on_refused, self._on_state = on_stored, on_refused, on_state
        self._on_lost = on_lost
        self._memory: deque[tuple[int, ReadingBatch]] = deque()
        self._memory_rows = 0
        self._rows = pace.rows
        self._slices = 0
        self._cursor = 0
        self._newest = 0
        self._behind = True  # what an earlier run left comes first
        self._arrived = asyncio.Event()
        self._arrived.set()
        self._flushed = asyncio.Event()

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
        while True:
            slices = self._slices
            await self._forward(await self._next_group())
            if self._slices == slices and self.lanes.rested:  # the others alone keep the store busy
                await self._slice(self._cursor + 1 if self._behind else self._memory[0][0] if self._memory else None)

    async def _slice(self, before: int | None) -> bool:
        """Write what is due of a loud member and older than ``before``, a batch of the others; whether anything was.

        Its older readings, of the time before it was loud, are among the others': so they stay in order.
        """
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
        refused = await self._write_all(batch)
        rejects = refusals(batch, refused) if refused else []
        kept = batch.take([row for row in range(len(batch)) if row not in refused]) if refused else batch
        self.stored += len(kept)
        if len(kept):
            self._on_stored(kept)
        await self._mark(ids, rejects, refused)
        if rejects:
            _log.warning("the store refused readings", readings=len(refused), reason=rejects[0].faults[0].rule)
            self._on_refused(rejects)

    async def _write_all(self, batch: ReadingBatch) -> dict[int, str]:
        """Write every row, as often as it takes; the rows that the store never takes, with the reason."""
        refused: dict[int, str] = {}
        done = failures = 0
        while done < len(batch):
            end = min(done + self._rows, len(batch))
            part = batch if end - done == len(batch) else batch.part(done, end)
            try:
                await self._write(part)
            except StoreRejected as error:
                refused |= {done + row: why for row, why in error.rows.items()}
            except (StoreUnavailable, StoreRefused, TimeoutError) as error:
                failures += 1
                if isinstance(error, StoreLost):
                    self._on_lost(f"{error}: `resilian repush` sends what the spool still keeps of it")
                self._rows = max(_FEWEST_ROWS, len(part) // 2)
                text = str(error) or f"no answer within {self._pace.write_timeout_s:g} s"
                self._store_fails(text, for_a_person=isinstance(error, StoreRefused))
                await self._pause(failures, for_a_person=isinstance(error, StoreRefused))
                continue
            self._store_answers()
            self._rows = min(self._pace.rows, self._rows * 2)
            done, failures = end, 0
        return refused

    async def _write(self, part: ReadingBatch) -> None:
        text = f"has not answered a write for {self._pace.slow_s:g} s"
        slow = asyncio.get_running_loop().call_later(self._pace.slow_s, self._store_fails, text)
        try:
            async with asyncio.timeout(self._pace.write_timeout_s):
                await self._store.write_readings(part)
        finally:
            slow.cancel()

    async def _mark(self, ids: list[int], rejects: list[Reject], rows: Collection[int] = ()) -> None:
        await self._thread.persist(lambda spool: spool.mark_stored(ids, now_ms(), rejects, rows))

    def _store_fails(self, text: str, for_a_person: bool = False) -> None:
        if not self.state.ok and self.state.error == text:
            return
        since = now_ms() if self.state.ok else self.state.since
        self.state = StoreState(ok=False, since=since, error=text)
        if for_a_person:
            _log.error("the store refuses; readings wait in the spool until someone acts", reason=text)
        else:
            _log.warning("the store is unavailable; readings wait in the spool", reason=text)
        self._on_state()

    async def _pause(self, failures: int, for_a_person: bool) -> None:
        delay = min(self._pace.longest_delay_s, self._pace.first_delay_s * 2 ** min(failures - 1, 16))
        if for_a_person:
            delay = self._pace.refused_delay_s
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret

    def _store_answers(self) -> None:
        if not self.state.ok:
            self.state = StoreState(ok=True, since=now_ms())
            _log.info("the store takes readings again")
            self._on_state()
