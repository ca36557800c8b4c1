"""What every store promises, on every store: nothing here knows which one it runs on."""

import math
import time

import numpy as np
import pytest

from fleet.batch import NO_INT, READING, MachineKey, ReadingBatch, empty_rows
from fleet.states import NO_STATE, STATES
from store import Store, StoreRejected
from tests.store.conftest import HOUR, MS, A, B, C, batch, bucket, document

ALL = (0, 4_000_000_000_000)
OUTSIDE_EQUALITY = "arrived_ms"


def assert_same(found: ReadingBatch, expected: ReadingBatch) -> None:
    """Equal readings in equal order; the arrival time is outside equality."""
    keys = [found.machines[index] for index in found.rows["machine"]]
    assert keys == [expected.machines[index] for index in expected.rows["machine"]]
    for name in set(READING.names or ()) - {"machine", OUTSIDE_EQUALITY}:
        np.testing.assert_array_equal(found.rows[name], expected.rows[name], err_msg=name)
    assert dict(found.metrics) == {row: text for row, text in expected.metrics.items() if text}


async def test_an_empty_store_answers_everything_with_nothing(store: Store) -> None:
    assert len(await store.read_readings([A, B], *ALL)) == 0
    assert len(await store.read_readings([], *ALL)) == 0
    assert len(await store.last_reading(A, ALL[1])) == 0
    assert await store.known_machines() == []
    assert await store.count_readings() == {}
    assert await store.read_dirty(0) == []
    assert await store.read_hours(None, 0, 2**40) == []
    assert await store.read_hours([A], 0, 2**40) == []
    assert await store.read_hours([], 0, 2**40) == []
    assert await store.read_documents("finding") == []
    assert await store.read_documents("finding", "alpha") == []
    assert await store.forget("alpha", "lathe-1", ALL[1]) in (0, -1)


async def test_nothing_written_is_nothing(store: Store) -> None:
    await store.write_readings(batch([A], []))
    await store.write_hours([])
    await store.write_documents([])
    assert await store.known_machines() == []
    assert await store.read_dirty(0) == []


async def test_every_column_comes_back_as_it_went_in(store: Store) -> None:
    present = batch(
        [A], [MS + i for i in range(7)], state=range(7), utilisation=np.linspace(0, 1, 7), energy_wh=np.arange(7) * 1e6,
        power_w=[0, 0.1, 1e-9, 1e9, -5.5, 1 / 3, 2.5e300], seq=range(7), boot=[5] * 7,
        counter=[0, 1, -1, 2**62, -(2**62), 2**63 - 1, -(2**63) + 1],
    )  # fmt: skip
    await store.write_readings(present)
    found = await store.read_readings([A], *ALL)
    assert_same(found, present)
    np.testing.assert_array_equal(found.rows["arrived_ms"], present.rows["arrived_ms"])


async def test_what_is_missing_stays_missing(store: Store) -> None:
    rows = empty_rows(5)
    rows["at_ns"] = MS * 1_000_000 + np.arange(5)
    rows["state"][1], rows["power_w"][2], rows["counter"][3] = STATES.index("STANDBY"), 7.0, 9
    sparse = ReadingBatch((A,), rows, {4: '{"temperature":21.5}'})
    await store.write_readings(sparse)
    found = await store.read_readings([A], *ALL)
    assert_same(found, sparse)
    assert found.rows["state"].tolist() == [NO_STATE, 2, NO_STATE, NO_STATE, NO_STATE]
    assert math.isnan(found.rows["power_w"][0])
    assert found.rows["counter"].tolist() == [NO_INT] * 3 + [9, NO_INT]


METRICS = ['{"a b,c=d":1}', '{"quote\\"d":2}', "{\"it's\":3}", '{"back\\\\slash":4}', '{"🦀":5}', '{"line\\nfeed":6}',
           '{"<b>=cmd()|\'":7}', '{"é\u202f–":8}', '{"trailing\\\\":9}', '{\n"pretty" : 1\n}']  # fmt: skip


async def test_odd_names_of_metrics_come_back(store: Store) -> None:
    odd = batch([A], range(MS, MS + len(METRICS)), power_w=1.0, metrics=dict(enumerate(METRICS)))
    await store.write_readings(odd)
    assert_same(await store.read_readings([A], *ALL), odd)


@pytest.mark.parametrize("name", ["a b", "a,b=c", 'a"b', "a'b", "é🦀", "a=b", "select", "-", "x" * 64])
async def test_odd_names_of_machines_stay_apart(store: Store, name: str) -> None:
    odd, plain = MachineKey("alpha", name), MachineKey("alpha", "a")
    await store.write_readings(batch([odd, plain], [MS, MS + 1], power_w=[1.0, 2.0]))
    await store.write_hours([bucket(odd, HOUR), bucket(plain, HOUR)])
    await store.write_documents([document(odd, "outlook", 1, '{"a":"é"}')])
    assert await store.known_machines() == sorted([odd, plain])
    assert (await store.read_readings([odd], *ALL)).rows["power_w"].tolist() == [1.0]
    assert (await store.last_reading(odd, ALL[1])).rows["power_w"].tolist() == [1.0]
    assert [hour.key for hour in await store.read_hours([odd], 0, 2**40)] == [odd]
    assert await store.read_documents("outlook") == [document(odd, "outlook", 1, '{"a":"é"}')]
    assert {dirty.machine for dirty in await store.read_dirty(0)} == {odd, plain}


async def test_machines_without_a_usable_name_are_refused_by_row(store: Store) -> None:
    bad = MachineKey("alpha", "two\nlines")
    with pytest.raises(StoreRejected) as refused:
        await store.write_readings(batch([A, bad], [MS, MS + 1, MS + 2], power_w=1.0))
    assert set(refused.value.rows) == {1}
    assert await store.count_readings() == {A: 2}


async def test_a_write_may_be_repeated(store: Store) -> None:
    one = batch([A, B, C], range(MS, MS + 30), power_w=np.arange(30.0))
    for _ in range(3):
        await store.write_readings(one)
    assert await store.count_readings() == {A: 10, B: 10, C: 10}
    assert sorted((await store.read_readings([A, B, C], *ALL)).rows["power_w"].tolist()) == list(range(30))


async def test_the_same_reading_twice_in_a_batch_is_one(store: Store) -> None:
    twice = batch(
        [A], [MS, MS, MS + 1, MS], power_w=[1.0, 1.0, 2.0, 1.0], metrics={0: '{"a":1}', 1: '{"a":1}', 3: '{"a":1}'}
    )
    await store.write_readings(twice)
    found = await store.read_readings([A], *ALL)
    assert_same(found, twice.take([0, 2]))


async def test_different_readings_of_one_millisecond_are_both_kept(store: Store) -> None:
    rows = empty_rows(2)
    rows["at_ns"] = MS * 1_000_000 + np.array([3, 999_999])
    rows["power_w"][0], rows["counter"][1] = 5.0, 6
    both = ReadingBatch((A,), rows, {})
    await store.write_readings(both)
    assert_same(await store.read_readings([A], MS, MS + 1), both)


async def test_a_range_has_its_start_and_not_its_end(store: Store) -> None:
    await store.write_readings(batch([A], [MS - 1, MS, MS + 9, MS + 10], power_w=[1.0, 2.0, 3.0, 4.0]))
    assert (await store.read_readings([A], MS, MS + 10)).rows["power_w"].tolist() == [2.0, 3.0]


async def test_readings_come_in_the_order_of_the_machines_asked_for(store: Store) -> None:
    await store.write_readings(batch([C, A, B], range(MS + 8, MS - 1, -1), power_w=np.arange(9.0)))
    found = await store.read_readings([B, C, MachineKey("nobody", "none"), B], *ALL)
    assert [found.machines[index] for index in found.rows["machine"]] == [B, B, B, C, C, C]
    assert found.rows["power_w"].tolist() == [8.0, 5.0, 2.0, 6.0, 3.0, 0.0]


async def test_rows_no_store_can_keep_are_named_and_the_others_written(store: Store) -> None:
    mixed = batch(
        [A, C], range(MS, MS + 6), power_w=[1.0, math.inf, 3.0, 4.0, -math.inf, 6.0], state=[0, 0, 7, 0, 0, 255]
    )
    with pytest.raises(StoreRejected) as refused:
        await store.write_readings(mixed)
    assert sorted(refused.value.rows) == [1, 2, 4]
    assert "power_w" in refused.value.rows[1]
    assert "state is 7" in refused.value.rows[2]
    assert_same(await store.read_readings([A, C], *ALL), mixed.take([0, 3, 5]))


async def test_the_last_reading_before_an_instant(store: Store) -> None:
    month = 31 * 86_400_000
    await store.write_readings(batch([A], [MS - 3 * month, MS - month, MS - 5, MS], power_w=[0.0, 1.0, 2.0, 3.0]))
    await store.write_readings(batch([B], [MS + 1], power_w=[9.0]))
    for before, power in [(MS + 1, [3.0]), (MS, [2.0]), (MS - 5, [1.0]), (MS - month, [0.0]), (MS - 3 * month, [])]:
        found = await store.last_reading(A, before)
        assert found.rows["power_w"].tolist() == power
        assert found.machines == (A,)
    assert len(await store.last_reading(C, MS)) == 0


async def test_dirty_hours_are_those_touched_since_an_arrival(store: Store) -> None:
    began = time.time_ns() // 1_000_000
    await store.write_readings(batch([A, C], [MS, MS + 1, MS + 3_600_000, MS + 2], power_w=1.0))
    first = await store.read_dirty(began)
    assert {(dirty.machine, dirty.hour) for dirty in first} == {(A, HOUR), (C, HOUR), (A, HOUR + 3600)}
    assert len(first) == 3
    assert all(dirty.arrived_ms >= began for dirty in first)
    newest = max(dirty.arrived_ms for dirty in first)
    assert await store.read_dirty(newest + 60_000) == []
    while time.time_ns() // 1_000_000 <= newest:
        pass  # the next arrival is another millisecond
    await store.write_readings(batch([A], [MS + 7], power_w=1.0))
    again = await store.read_dirty(newest + 1)
    assert [(dirty.machine, dirty.hour) for dirty in again] == [(A, HOUR)]
    everything = await store.read_dirty(0)
    assert {(dirty.machine, dirty.hour) for dirty in everything} == {(A, HOUR), (C, HOUR), (A, HOUR + 3600)}
    assert [dirty.arrived_ms for dirty in everything] == sorted(dirty.arrived_ms for dirty in everything)


async def test_many_hours_of_one_machine_are_all_dirty(store: Store) -> None:
    await store.write_readings(batch([A], range(MS, MS + 500 * 3_600_000, 3_600_000), power_w=1.0))
    assert [dirty.hour for dirty in await store.read_dirty(0)] == [HOUR + 3600 * i for i in range(500)]


async def test_forget_takes_what_is_older_and_of_that_machine_alone(store: Store) -> None:
    await store.write_readings(batch([A, B], range(MS, MS + 20), power_w=np.arange(20.0)))
    await store.write_hours([bucket(A, HOUR)])
    assert await store.forget("alpha", "lathe-1", MS + 10) in (5, -1)
    assert (await store.read_readings([A], *ALL)).rows["power_w"].tolist() == [10.0, 12.0, 14.0, 16.0, 18.0]
    assert await store.count_readings() == {A: 5, B: 10}
    assert len(await store.read_hours([A], 0, 2**40)) == 1
    await store.forget("alpha", "lathe-1", ALL[1])
    assert await store.known_machines() == [B]
    await store.write_readings(batch([A], [MS], power_w=[1.0]))
    assert await store.count_readings() == {A: 1, B: 10}


async def test_five_thousand_rows_of_thirty_members(store: Store) -> None:
    machines = [MachineKey(f"member-{i % 30:02}", f"machine-{i}") for i in range(150)]
    rng = np.random.default_rng(7)
    rows = empty_rows(5000)
    rows["machine"] = rng.integers(0, 150, 5000)
    rows["at_ns"] = MS * 1_000_000 + rng.permutation(5000) * 720_000_001
    rows["power_w"] = np.where(rng.random(5000) < 0.5, rng.random(5000) * 1e4, np.nan)
    rows["state"] = rng.choice([0, 1, 2, 255], 5000)
    rows["seq"] = np.arange(5000)
    whole = ReadingBatch(tuple(machines), rows, {int(row): f'{{"n":{row}}}' for row in range(0, 5000, 7)})
    await store.write_readings(whole)
    found = await store.read_readings(machines, *ALL)
    assert_same(found, whole.take(np.lexsort((rows["at_ns"], rows["machine"]))))
    assert sum((await store.count_readings()).values()) == 5000
    assert await store.known_machines() == sorted(machines)
    assert {(dirty.machine, dirty.hour) for dirty in await store.read_dirty(0)} == set(whole.dirty_hours())


async def test_readings_before_1970_and_after_2100(store: Store) -> None:
    far = batch([A], [-86_400_000, 0, 4_200_000_000_000], power_w=[1.0, 2.0, 3.0])
    await store.write_readings(far)
    assert_same(await store.read_readings([A], -(10**15), 10**15), far)
    assert {dirty.hour for dirty in await store.read_dirty(0)} == {-86_400, 0, 4_200_000_000 // 3600 * 3600}


async def test_what_was_written_is_there_after_closing_and_opening(store: Store) -> None:
    await store.write_readings(batch([A, C], [MS, MS + 1], power_w=[1.0, 2.0]))
    await store.write_hours([bucket(A, HOUR)])
    await store.write_documents([document(A, "outlook", 1, "{}")])
    dirty = await store.read_dirty(0)
    await store.close()
    await store.close()
    await store.open()
    assert await store.count_readings() == {A: 1, C: 1}
    assert await store.read_hours(None, 0, 2**40) == [bucket(A, HOUR)]
    assert await store.read_documents("outlook") == [document(A, "outlook", 1, "{}")]
    assert await store.read_dirty(0) == dirty
    await store.write_readings(batch([B, C], [MS, MS + 2], power_w=[1.0, 2.0]))
    assert await store.count_readings() == {A: 1, B: 1, C: 2}
