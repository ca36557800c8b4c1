"""From the spool to a real DuckDB store, with a store that fails on purpose in front of it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from ingest import rejects
from ingest.forwarder import Forwarder
from ingest.rejects import Reject
from ingest.spool import Limits, Spool, Work
from ingest.thread import SpoolThread
from ingest.writer import Pace
from store import Store, StoreRefused, StoreRejected, StoreUnavailable
from tests.patience import PATIENCE_S

KEY = MachineKey("acme", "booth")
QUICK = Pace(
    rows=500, linger_s=0.01, memory_rows=1_000, first_delay_s=0.001, longest_delay_s=0.01, refused_delay_s=0.01
)


class Flaky:
    """A store that raises what it is told before, or after, the real one has written; then works."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.before: deque[Exception] = deque()
        self.after: deque[Exception] = deque()
        self.calls: list[int] = []
        self.refuse: Callable[[ReadingBatch], dict[int, str]] = lambda _: {}
        self.open_gate = asyncio.Event()
        self.open_gate.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write_readings(self, batch: ReadingBatch) -> None:
        await self.open_gate.wait()
        self.calls.append(len(batch))
        if self.before:
            raise self.before.popleft()
        bad = self.refuse(batch)
        await self._store.write_readings(batch.take([row for row in range(len(batch)) if row not in bad]))
        if self.after:
            raise self.after.popleft()
        if bad:
            raise StoreRejected(bad)


def batch(start: int, count: int) -> ReadingBatch:
    """Readings a millisecond apart; the power is the number."""
    rows = empty_rows(count)
    rows["power_w"] = np.arange(start, start + count)
    rows["at_ns"] = (1_790_000_000_000 + rows["power_w"].astype(np.int64)) * 1_000_000
    return ReadingBatch((KEY,), rows)


class Rig:
    """Spool, forwarder and store."""

    def __init__(self, thread: SpoolThread, store: Flaky) -> None:
        self.thread, self.store = thread, store
        self.refused: list[Reject] = []
        self.stored = 0
        self.forwarder = Forwarder(
            thread, store, on_stored=self._on_stored, on_refused=self.refused.extend, on_state=lambda: None, pace=QUICK
        )  # fmt: skip

    def _on_stored(self, some: ReadingBatch) -> None:
        self.stored += len(some)

    async def commit(self, start: int, count: int) -> None:
        some = batch(start, count)
        number = await self.thread.submit(lambda spool: spool.commit(Work(some), 1))
        assert number is not None
        self.forwarder.offer(number, some)

    async def powers(self) -> list[float]:
        found = await self.store.read_readings([KEY], 0, 2**42)
        return list(found.rows["power_w"].tolist())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.forwarder.run())
        try:
            yield
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.wait(
                    {task, flushed := asyncio.create_task(self.forwarder.flushed())}, return_when="FIRST_COMPLETED"
                )
            if task.done():
                task.result()
            flushed.cancel()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def rig(tmp_path: Path, store: Store) -> AsyncIterator[Rig]:
    thread = SpoolThread(tmp_path / "s", Limits(min_free_bytes=0), lambda report: pytest.fail(report))
    await thread.open()
    yield Rig(thread, Flaky(store))
    await thread.close()


async def test_everything_arrives_and_is_marked(rig: Rig) -> None:
    async with rig.running():
        for start in range(0, 3_000, 100):
            await rig.commit(start, 100)
    assert await rig.powers() == list(range(3_000))
    assert rig.thread.level.readings == 0
    assert rig.forwarder.stored == rig.stored == 3_000
    assert len(rig.store.calls) < 30


async def test_an_earlier_run_comes_first(rig: Rig) -> None:
    some = batch(0, 700)
    await rig.thread.submit(lambda spool: spool.commit(Work(some), 1))
    async with rig.running():
        await rig.commit(700, 100)
    assert await rig.powers() == list(range(800))


async def test_an_outage_keeps_memory_bounded_and_catches_up(rig: Rig) -> None:
    rig.store.open_gate.clear()
    async with rig.running():
        for start in range(0, 20_000, 200):
            await rig.commit(start, 200)
            assert rig.forwarder._memory_rows <= QUICK.memory_rows + 200
        rig.store.open_gate.set()
    assert await rig.powers() == list(range(20_000))
    assert rig.thread.level.batches == 0


async def test_unavailable_and_lost_replies(rig: Rig) -> None:
    rig.store.before.extend([StoreUnavailable("away"), StoreRefused("token"), TimeoutError()])
    rig.store.after.extend([StoreUnavailable("the reply was lost")])
    async with rig.running():
        await rig.commit(0, 100)
    assert await rig.powers() == list(range(100))
    assert rig.forwarder.stored == 100
    assert rig.forwarder.state.ok
    assert rig.store.calls == [100] * 5


async def test_what_the_store_refuses_is_a_reject(rig: Rig) -> None:
    rig.store.refuse = lambda some: {
        row: "out of retention" for row, power in enumerate(some.rows["power_w"]) if power % 10 == 3
    }
    async with rig.running():
        await rig.commit(0, 100)
        await rig.commit(100, 100)
    assert await rig.powers() == [power for power in range(200) if power % 10 != 3]
    assert sum(len(reject.faults) for reject in rig.refused) == 20
    summary = await rig.thread.query(lambda db: rejects.summary(db, "acme"))
    assert (summary["total"], summary["by_reason"]) == (20, {"store": 20})
    assert '"power_w": 3.0' in summary["newest"][-1]["prefix"]
    assert rig.thread.level.batches == 0
    kept = await rig.thread.query(lambda db: rejects.page(db, "reject", None, 0))
    again = [ReadingBatch.from_bytes(one.payload).rows["power_w"].tolist() for one in kept]
    assert sorted(power for some in again for power in some) == [
        float(power) for power in range(200) if power % 10 == 3
    ]


async def test_what_was_refused_once_is_not_sent_again(rig: Rig) -> None:
    rig.store.refuse = lambda some: {row: "bad" for row, power in enumerate(some.rows["power_w"]) if power % 10 == 3}
    async with rig.running():
        for start in range(0, 200, 50):
            await rig.commit(start, 50)
    for _ in range(2):
        await rig.store.forget("acme", "booth", 2**42)
        async with rig.running():
            assert await rig.thread.submit(lambda spool: spool.repush(0, 2**62)) == 4
            rig.forwarder.again()
        assert await rig.powers() == [power for power in range(200) if power % 10 != 3]
    assert (await rig.thread.query(lambda db: rejects.summary(db, "acme")))["total"] == 20


async def test_any_other_failure_ends_the_program(rig: Rig) -> None:
    rig.store.before.append(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        async with rig.running():
            await rig.commit(0, 10)
    assert rig.thread.level.readings == 10


async def test_repush_fills_an_empty_store(rig: Rig) -> None:
    async with rig.running():
        for start in range(0, 1_000, 100):
            await rig.commit(start, 100)
    await rig.store.forget("acme", "booth", 2**42)
    assert await rig.powers() == []
    async with rig.running():
        assert await rig.thread.submit(lambda spool: spool.repush(0, 2**62)) == 10
        rig.forwarder.again()
    assert await rig.powers() == list(range(1_000))
    assert rig.thread.level.batches == 0


async def test_a_batch_that_is_offered_late_is_not_forgotten(rig: Rig) -> None:
    first, second = batch(0, 10), batch(10, 10)
    numbers = []
    for one in (first, second):
        number = await rig.thread.submit(partial(Spool.commit, work=Work(one), now_ms=1))
        assert number is not None
        numbers.append(number)
    rig.forwarder._behind = False  # as after a while of running
    rig.forwarder.offer(numbers[1], second)
    async with rig.running():
        await asyncio.wait_for(rig.forwarder.flushed(), PATIENCE_S)
        rig.forwarder.offer(numbers[0], first)
    assert await rig.powers() == list(range(20))
    assert rig.thread.level.batches == 0
