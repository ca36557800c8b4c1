"""From bursts to acknowledgements: one commit at a time in the spool's thread while the next burst gathers."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from bus.client import Burst
from fleet.batch import ReadingBatch
from fleet.clock import now_ms
from ingest.errors import SpoolFull
from ingest.hot import Gathering
from ingest.thread import SpoolThread
from ingest.work import Work

_log = structlog.get_logger(__name__)
_RETRY_S: Final = 1.0
GATHERED_BYTES: Final = 32 * 2**20
GATHERED_MESSAGES: Final = 10_000
"""Payload bytes, and messages, that may wait for a slow disk; beyond either the socket is not read.

A broker may send more than ``receive_max`` (Mosquitto 2.0 sends all that it queued while the socket was full), and
each small message takes ten times its payload while it waits.
"""


class BurstSession(Protocol):
    """What the collector needs of :class:`bus.client.Session`."""

    def acknowledge(self, burst: Burst) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Collector:
    """Takes bursts, makes them durable, acknowledges them.

    Args:
        on_batch: told of each batch that is on disk: its id, the batch, the lane of a loud member or "".
        on_kept: told of work with rejects or unclaimed messages that is on disk.
        set_apart: takes the readings of loud members out of the others', before a commit.

    Attributes:
        full: why the spool takes nothing now, "" when it does.
        safe_ms: arrival of the newest burst that is on disk and acknowledged, epoch ms; None before the first. A broker
            delivers in order, so what it has sent us before that is safe.
        failed: becomes an exception when a commit fails for another reason than a full disk; the program must stop.
    """

    def __init__(
        self,
        gathering: Gathering,
        thread: SpoolThread,
        on_batch: Callable[[int, ReadingBatch, str], None],
        on_kept: Callable[[Work], None],
        set_apart: Callable[[Work], None] = lambda _: None,
    ) -> None:
        self.gathering = gathering
        self.full = ""
        self.safe_ms: int | None = None
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.session: BurstSession | None = None
        self._thread = thread
        self._on_batch = on_batch
        self._on_kept = on_kept
        self._set_apart = set_apart
        self._bursts: list[tuple[int, Burst]] = []
        self._committing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._paused = False
        self._again: asyncio.TimerHandle | None = None
        self._closed = False

    def on_burst(self, burst: Burst) -> None:
        """Called with every burst, synchronously."""
        arrived_ms = now_ms()
        self.gathering.take(burst.deliveries, burst.epoch, arrived_ms)
        self._bursts.append((arrived_ms, burst))
        if not self._committing:
            self._commit()
        elif self.gathering.bytes > GATHERED_BYTES or self.gathering.messages >= GATHERED_MESSAGES:
            self._pause()

    async def drained(self) -> None:
        """Return when everything taken so far is on disk and acknowledged; never while the spool is full."""
        await self._idle.wait()

    async def commit_more(self, work: Work) -> None:
        """Commit something that no burst brought (messages tried again), when there is room for it."""
        if work.batch is not None:
            self.gathering.numbers.follow(work.batch)
        self._committed_work(work, await self._thread.persist(lambda spool: spool.commit(work, now_ms())))

    def close(self) -> None:
        """Try nothing again: what is not on disk stays at the broker."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self.failed.cancel()

    def _commit(self) -> None:
        bursts, self._bursts = self._bursts, []
        if not bursts:
            self._committing = False
            self._idle.set()
            return
        self._committing = True
        self._idle.clear()
        work = self.gathering.hand_over()
        self._set_apart(work)
        self._try(work, bursts)

    def _try(self, work: Work, bursts: list[tuple[int, Burst]]) -> None:
        if not work:
            self._acknowledge(bursts)
            asyncio.get_running_loop().call_soon(self._commit)
            return
        work.numbers = self.gathering.numbers.to_save(now_ms())
        future = self._thread.submit(lambda spool: spool.commit(work, now_ms()))
        future.add_done_callback(lambda done: self._committed(done, work, bursts))

    def _committed(self, done: "asyncio.Future[int | None]", work: Work, bursts: list[tuple[int, Burst]]) -> None:
        error = done.exception()
        if isinstance(error, SpoolFull):
            if not self.full:
                _log.error("the spool takes nothing; messages wait at the broker", reason=str(error))
            self.full = str(error)
            self._pause()
            if not self._closed:
                self._again = asyncio.get_running_loop().call_later(_RETRY_S, self._try, work, bursts)
            return
        if error is not None:
            if self.failed.done():
                _log.error("a commit failed after the end", exc_info=error)
            else:
                self.failed.set_exception(error)
            return
        if self.full:
            _log.info("the spool takes messages again")
            self.full = ""
        if work.numbers is not None:
            self.gathering.numbers.saved(now_ms())
        self._resume()
        self._acknowledge(bursts)
        self._committed_work(work, done.result())
        self._commit()

    def _committed_work(self, work: Work, first: int | None) -> None:
        for batch_id, (lane, batch) in enumerate(work.parts, first or 0):
            self._on_batch(batch_id, batch, lane)
        if work.rejects or work.unclaimed or work.repaired:
            self._on_kept(work)

    def _acknowledge(self, bursts: list[tuple[int, Burst]]) -> None:
        if self.session is not None:
            for _, burst in bursts:
                self.session.acknowledge(burst)
            self.safe_ms = bursts[-1][0]

    def _pause(self) -> None:
        if self.session is not None and not self._paused:
            self._paused = True
            self.session.pause()

    def _resume(self) -> None:
        if self.session is not None and self._paused:
            self._paused = False
            self.session.resume()
