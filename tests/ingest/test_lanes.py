"""Loud members' readings between spool and store: behind nobody's back, in order, found again after a restart."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from ingest.forwarder import Forwarder
from ingest.spool import Limits, Work
from ingest.thread import SpoolThread
from ingest.writer import Pace
from store import Store
from tests.patience import PATIENCE_S

LOUD, QUIET = MachineKey("loud", "saw"), MachineKey("quiet", "saw")
PACE = Pace(rows=500, linger_s=0.01, memory_rows=1_000)


def batch(key: MachineKey, start: int, count: int) -> ReadingBatch:
    rows = empty_rows(count)
    rows["power_w"] = np.arange(start, start + count)
    rows["at_ns"] = (1_790_000_000_000 + rows["power_w"].astype(np.int64)) * 1_000_000
    return ReadingBatch((key,), rows)


class Rig:
    """A real spool and a real store; ``written`` is what the store was given, in order: member and first power."""

    def __init__(self, thread: SpoolThread, store: Store) -> None:
        self.thread, self._store = thread, store
        self.written: list[tuple[str, float, int]] = []
        self.forwarder = Forwarder(
            thread, store, on_stored=self._note, on_refused=lambda _: None, on_state=lambda: None, pace=PACE
        )  # fmt: skip

    def _note(self, some: ReadingBatch) -> None:
        key = some.machines[int(some.rows["machine"][0])]
        self.written.append((key.member, float(some.rows["power_w"][0]), len(some)))

    async def commit(self, quiet: tuple[int, int] | None, loud: list[tuple[int, int]], *, apart: bool = True) -> None:
        """One commit: (start, count) of the quiet member's readings, and of the loud one's, in its lane or not."""
        parts = [("loud", batch(LOUD, *one)) for one in loud]
        work = Work(batch(QUIET, *quiet) if quiet else None)
        if apart:
            work.apart = parts
        else:
            work.batch = parts[0][1]
        first = await self.thread.submit(lambda spool: spool.commit(work, 1))
        for number, (lane, some) in enumerate(work.parts, first or 0):
            self.forwarder.offer(number, some, lane)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.forwarder.run())
        try:
            yield
            async with asyncio.timeout(PATIENCE_S):
                await self.forwarder.flushed()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def of(self, member: str) -> list[float]:
        return [power for name, power, _ in self.written if name == member]

    async def stored(self, key: MachineKey) -> list[float]:
        found = await self._store.read_readings([key], 0, 2**42)
        return list(found.rows["power_w"].tolist())


@pytest.fixture
async def thread(tmp_path: Path) -> AsyncIterator[SpoolThread]:
    opened = SpoolThread(tmp_path / "s", Limits(min_free_bytes=0), lambda report: pytest.fail(report))
    await opened.open()
    yield opened
    await opened.close()


async def test_the_others_overtake_a_backlog(thread: SpoolThread, store: Store) -> None:
    rig = Rig(thread, store)
    for number in range(200):
        await rig.commit(None, [(number * 250, 250)])
    await rig.commit((0, 10), [])
    async with rig.running():
        pass
    place = [member for member, _, _ in rig.written].index("quiet")
    assert place < len(rig.written) / 2, rig.written
    assert await rig.stored(LOUD) == list(range(50_000))
    assert await rig.stored(QUIET) == list(range(10))
    assert (thread.level.readings, thread.level.apart, thread.level.batches) == (0, {}, 0)


async def test_slices_that_took_all_there_was_do_not_make_the_next_one_large(thread: SpoolThread, store: Store) -> None:
    rig = Rig(thread, store)
    for number in range(12):
        await rig.commit(None, [(number * 250, 250)])
        async with rig.running():
            pass
    for number in range(12, 200):
        await rig.commit(None, [(number * 250, 250)])
    async with rig.running():
        pass
    sizes = [rows for member, _, rows in rig.written if member == "loud"]
    assert sizes[:12] == [250] * 12
    assert sizes[12] <= 1_000, sizes
    assert await rig.stored(LOUD) == list(range(50_000))


async def test_a_loud_member_goes_on_beside_others_that_never_pause(thread: SpoolThread, store: Store) -> None:
    rig, number = Rig(thread, store), 0
    async with rig.running():
        async with asyncio.timeout(PATIENCE_S):
            while number < 100 or not rig.of("loud"):
                await rig.commit((number * 600, 600), [(number * 250, 250)])
                number += 1
    assert rig.of("loud") == sorted(rig.of("loud"))
    assert await rig.stored(LOUD) == list(range(250 * number))
    assert await rig.stored(QUIET) == list(range(600 * number))


async def test_what_it_sent_before_it_was_loud_is_stored_before(thread: SpoolThread, store: Store) -> None:
    rig = Rig(thread, store)
    for number in range(20):
        await rig.commit(None, [(number * 250, 250)], apart=False)
    for number in range(20, 40):
        await rig.commit((number, 1), [(number * 250, 250)])
    async with rig.running():
        pass
    assert rig.of("loud") == sorted(rig.of("loud"))
    assert await rig.stored(LOUD) == list(range(10_000))


async def test_a_lane_is_found_again_after_a_restart(thread: SpoolThread, store: Store, tmp_path: Path) -> None:
    rig = Rig(thread, store)
    await rig.commit((0, 5), [(0, 250), (250, 250)])
    await thread.close()
    again = SpoolThread(tmp_path / "s", Limits(min_free_bytes=0), lambda report: pytest.fail(report))
    await again.open()
    try:
        assert again.level.apart == {"loud": 500}
        rig = Rig(again, store)
        await rig.forwarder.lanes.load()
        assert set(rig.forwarder.lanes.members) == {"loud"}
        async with rig.running():
            pass
        assert await rig.stored(LOUD) == list(range(500))
        assert again.level.readings == 0
    finally:
        await again.close()


async def test_lanes_take_turns(thread: SpoolThread, store: Store) -> None:
    rig = Rig(thread, store)
    for number in range(40):
        work = Work(apart=[(name, batch(MachineKey(name, "saw"), number * 250, 250)) for name in ("loud", "louder")])
        first = await thread.submit(lambda spool, work=work: spool.commit(work, 1))  # type: ignore[misc]
        for batch_id, (lane, some) in enumerate(work.parts, first or 0):
            rig.forwarder.offer(batch_id, some, lane)
    async with rig.running():
        pass
    halves = [name for name, _, _ in rig.written][: len(rig.written) // 2]
    assert {"loud", "louder"} == set(halves)
    assert rig.of("louder") == sorted(rig.of("louder"))
