"""Different readings never share a key in a store, whatever came in which commit; the same one is there once."""

import asyncio
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from itertools import count, permutations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.batch import MachineKey, ReadingBatch, empty_rows, key_ns
from fleet.topics import reading_topic
from ingest.config import IngestConfig
from ingest.keys import set_apart
from ingest.merge import merge
from ingest.spool import Limits, Spool
from ingest.twins import Twins, span_ms, stretches
from store import Store, StoreUnavailable, connect
from tests.faults import upgrade_cases
from tests.ingest.conftest import collecting, connected, until
from tests.ingest.ear import Ear
from tests.servers import InfluxServer

AT_MS = 1_795_000_000_000
BOOTH = MachineKey("acme", "booth")


class Told(NamedTuple):
    """A reading: of which machine and millisecond, with which content; several contents have one key."""

    machine: int
    ms: int
    content: int

    @property
    def slot(self) -> int:
        return (999_999, 0, 1, 1, 0, 999_999)[self.content]


def batch(told: Sequence[Told], machines: tuple[MachineKey, ...]) -> ReadingBatch:
    """As a commit makes one, with those set apart that it has itself, but with contents that share keys."""
    rows = empty_rows(len(told))
    rows["machine"] = [one.machine for one in told]
    rows["at_ns"] = [(AT_MS + 1_000 * one.ms) * 1_000_000 + one.slot for one in told]
    rows["seq"] = [one.content // 2 for one in told]
    rows["power_w"] = [np.nan if one.content == 5 else 0.1 * (one.content // 2) for one in told]
    metrics = {row: f'{{"a":{one.content}}}' for row, one in enumerate(told) if one.content % 2}
    set_apart(rows, np.zeros(len(rows), dtype=np.uint32), metrics)
    return ReadingBatch(machines, rows, metrics)


def contents(found: ReadingBatch) -> list[Told]:
    """What is stored, as what was told."""
    kept = []
    for row in range(len(found)):
        values = found.rows[row]
        content = 2 * int(values["seq"]) + (row in found.metrics)
        kept.append(Told(int(values["machine"]), (int(values["at_ns"]) // 1_000_000 - AT_MS) // 1_000, content))
    return sorted(kept)


READINGS = st.builds(Told, st.integers(0, 1), st.integers(0, 2), st.integers(0, 5))
DELIVERIES = st.lists(
    st.tuples(st.lists(READINGS, min_size=1, max_size=8), st.booleans(), st.booleans()), min_size=1, max_size=8
)
"""Writes in turn: the readings; whether the collector is started again before; whether the answer is lost."""
_example = count()


class Forgetful:
    """A store whose answers to writes may be lost; what was written is there."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.loses = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def write_readings(self, readings: ReadingBatch) -> None:
        await self.store.write_readings(readings)
        if self.loses:
            self.loses = False
            raise StoreUnavailable("the answer is lost")


async def written(store: Store, deliveries: Sequence[tuple[list[Told], bool, bool]]) -> list[Told]:
    """What the store has after these writes, of machines of their own; one without an answer is repeated in halves."""
    number = next(_example)
    machines = tuple(MachineKey("acme", f"machine-{number}-{index}") for index in range(2))
    behind = Forgetful(store)
    twins = Twins(behind)
    for told, restarted, behind.loses in deliveries:
        twins = Twins(behind) if restarted else twins
        half = len(told) // 2 or 1
        parts = [batch(part, machines) for part in (told[:half], told[half:]) if part]
        try:
            await twins.write_readings(merge(parts))
        except StoreUnavailable:
            for part in parts:
                await twins.write_readings(part)
    return contents(await store.read_readings(machines, AT_MS - 1, AT_MS + 10_000))


@given(DELIVERIES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_reading_is_in_the_embedded_store_once(deliveries: list[tuple[list[Told], bool, bool]]) -> None:
    async def found() -> list[Told]:
        async with opened("duckdb:///:memory:") as store:
            return await written(store, deliveries)

    assert asyncio.run(found()) == sorted({one for told, *_ in deliveries for one in told})


@pytest.mark.influxd
def test_every_reading_is_in_influxdb_once(influxd: InfluxServer) -> None:
    place = influxd.organisation()

    @given(DELIVERIES)
    @settings(max_examples=25)
    def every(deliveries: list[tuple[list[Told], bool, bool]]) -> None:
        async def found() -> list[Told]:
            async with opened(place.url, place.token) as store:
                return await written(store, deliveries)

        assert asyncio.run(found()) == sorted({one for told, *_ in deliveries for one in told})

    every()


@asynccontextmanager
async def opened(url: str, token: str | None = None) -> AsyncIterator[Store]:
    store = connect(url, token=token)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def twin_numbers(topic: str) -> tuple[int, int]:
    """Numbers of two readings of one millisecond on this topic that have the same key."""
    rows = empty_rows(20_000)
    rows["seq"], rows["power_w"] = np.arange(20_000), 1.0
    crc = np.full(len(rows), zlib.crc32(topic.encode()), dtype=np.uint32)
    keys = key_ns(rows, np.full(len(rows), AT_MS, dtype=np.int64), crc, {})
    order = np.argsort(keys, kind="stable")
    first = int(np.flatnonzero(np.diff(keys[order]) == 0)[0])
    return int(order[first]), int(order[first + 1])


async def test_twins_of_different_commits_are_stored_and_a_redelivery_makes_no_third(
    config: IngestConfig, store: Store, ear: Ear
) -> None:
    topic = reading_topic(*BOOTH)
    messages = [(topic, {"at": AT_MS, "power_w": 1.0, "seq": number}) for number in twin_numbers(topic)]
    async with collecting(config, store):
        await connected(ear)
        for number, message in enumerate(messages, 1):
            await ear.send(message)
            await until(lambda number=number: ear.health.get("stored") == number, "the reading to be stored")  # type: ignore[misc]  # a lambda's default hides its type
        await ear.send(*reversed(messages))
        await until(lambda: ear.health.get("stored") == 4, "the same readings again")
    async with collecting(config, store):
        await until(lambda: ear.health.get("stored") == 0 and bool(ear.health["broker"]["connected"]), "the next life")
        await ear.send(*messages)
        await until(lambda: ear.health.get("stored") == 2, "the same readings again, after a restart")
    rows = (await store.read_readings([BOOTH], AT_MS, AT_MS + 1)).rows
    assert sorted(rows["seq"].tolist()) == sorted(twin_numbers(topic))
    assert rows["at_ns"][1] == rows["at_ns"][0] + 1


async def test_what_an_earlier_program_stored_is_not_stored_twice(tmp_path: Path) -> None:
    upgrade_cases.unpack_store(tmp_path / "store.duckdb")
    upgrade_cases.unpack_spool(tmp_path / "spool.sqlite")
    with closing(Spool(tmp_path / "spool.sqlite", Limits(min_free_bytes=0))) as spool:
        spool.repush(0, 2**62)
        batches = [found for _, found in spool.waiting(0, 2**30)]
    async with opened(f"duckdb://{tmp_path}/store.duckdb") as store:
        assert (await store.count_readings())[upgrade_cases.KEY] == upgrade_cases.STORED
        for _ in range(2):
            await Twins(store).write_readings(merge(batches))
            assert (await store.count_readings())[upgrade_cases.KEY] == len(upgrade_cases.READINGS)


@pytest.mark.parametrize("order", list(permutations((1, 3, 4))))
async def test_twins_that_come_again_in_another_order_find_themselves(store: Store, order: tuple[int, ...]) -> None:
    """Their commit moves the later ones on, to keys that the store gave to others of them."""
    apart = [batch([Told(0, 0, content)], (BOOTH,)) for content in (1, 4, 3)]
    for one in apart:
        await Twins(store).write_readings(one)
    for twins in (Twins(store), Twins(store)):
        await twins.write_readings(batch([Told(0, 0, content) for content in order], (BOOTH,)))
        assert len(await store.read_readings([BOOTH], AT_MS, AT_MS + 1)) == 3


class Counting(Forgetful):
    """A store that counts what it is asked."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.asked = Counter[str]()

    async def read_readings(self, *args: Any) -> ReadingBatch:
        self.asked["readings"] += 1
        return await self.store.read_readings(*args)

    async def known_machines(self) -> list[MachineKey]:
        self.asked["machines"] += 1
        return await self.store.known_machines()


async def test_a_backlog_of_a_reading_a_minute_is_looked_for_by_the_hour(store: Store) -> None:
    minutes = batch([Told(0, 60 * number, 0) for number in range(2_000)], (BOOTH,))
    counting = Counting(store)
    for _ in range(2):
        await Twins(counting).write_readings(minutes)
    assert counting.asked["readings"] <= 50
    assert (await store.count_readings())[BOOTH] == 2_000


async def test_a_history_that_is_told_beside_what_is_live_is_looked_for_by_nobody(store: Store) -> None:
    counting, day_s = Counting(store), 86_400
    twins = Twins(counting)
    for number in range(50):
        live = [Told(0, 84 * day_s + number, 0)]
        history = [Told(0, 100 * number + further, 1) for further in range(0, 100, 10)]
        await twins.write_readings(batch([*live, *history], (BOOTH,)))
    assert counting.asked["readings"] == 0
    assert (await store.count_readings())[BOOTH] == 50 * 11
    await twins.write_readings(batch([Told(0, 100, 3)], (BOOTH,)))
    assert counting.asked["readings"] == 1


async def test_which_machines_are_there_is_asked_once_a_life_and_after_a_handover(store: Store) -> None:
    counting = Counting(store)
    twins = Twins(counting)
    for number in range(5):
        await twins.write_readings(batch([Told(0, number, 0)], (MachineKey("acme", f"saw-{number}"),)))
    assert counting.asked["machines"] == 1
    twins.forget("zeta")
    for number in range(5):
        await twins.write_readings(batch([Told(0, number, 0)], (MachineKey("zeta", f"saw-{number}"),)))
    assert counting.asked["machines"] == 2


@pytest.mark.parametrize("known", [True, False], ids=["a machine that we wrote to", "one that we never saw"])
async def test_what_another_collector_wrote_meanwhile_keeps_its_place(store: Store, known: bool) -> None:
    """The same key, another content: of a member that was away, and of one that comes for the first time."""
    twins, machines = Twins(store), (BOOTH,)
    await twins.write_readings(batch([Told(0, 0, 0)], machines if known else (MachineKey("zeta", "booth"),)))
    other = batch([Told(0, 1, 2)], machines)
    await store.write_readings(other)
    twins.forget("acme")
    await twins.write_readings(batch([Told(0, 1, 3)], machines))
    assert contents(await store.read_readings(machines, AT_MS + 1, AT_MS + 2_000)) == [Told(0, 1, 2), Told(0, 1, 3)]


@given(
    st.lists(st.integers(0, 300_000) | st.integers(0, 100_000_000), min_size=1, max_size=60),
    st.sampled_from([1, 20, 720, 5_000]),
)
def test_stretches_hold_every_row_once_and_are_short(times: list[int], machines: int) -> None:
    ms, longest_ms = np.array(times, dtype=np.int64), span_ms(machines)
    assert longest_ms == {1: 43_200_000, 20: 2_160_000, 720: 60_000, 5_000: 60_000}[machines]
    found = stretches(ms, np.arange(len(ms)), longest_ms)
    assert sorted(np.concatenate([stretch.rows for stretch in found]).tolist()) == list(range(len(ms)))
    for stretch in found:
        inside = ms[stretch.rows]
        assert (int(inside.min()), int(inside.max())) == stretch[:2]
        assert stretch.last_ms - stretch.first_ms < longest_ms
        assert (np.diff(np.sort(inside)) <= longest_ms // 6).all()
        assert ((ms >= stretch.first_ms) & (ms <= stretch.last_ms)).sum() == len(inside)
