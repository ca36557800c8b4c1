"""Insert or ignore without an index: any batches, near and far in time, with keys that come again."""

import asyncio
from pathlib import Path

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as some

from fleet.batch import MachineKey
from store import connect
from tests.store.conftest import A, B, batch

_PLACES = [0, 1, 3_600_000, 3_600_001, *(day * 86_400_000 for day in range(1, 40))]
KEYS = some.tuples(some.sampled_from([A, B]), some.sampled_from(_PLACES))
BATCHES = some.lists(some.lists(KEYS, min_size=1, max_size=60), min_size=1, max_size=6)
INDEXED = """
CREATE TABLE keyed (machine_id UINTEGER, ts BIGINT, arrived_ms BIGINT, state UTINYINT, utilisation DOUBLE,
  power_w DOUBLE, energy_wh DOUBLE, counter BIGINT, seq BIGINT, boot BIGINT, metrics VARCHAR,
  PRIMARY KEY (machine_id, ts));
INSERT INTO keyed SELECT * FROM readings; DROP TABLE readings; ALTER TABLE keyed RENAME TO readings;
"""


async def kept_of(path: str, batches: list[list[tuple[MachineKey, int]]]) -> list[tuple[MachineKey, int, float]]:
    """What the store has after the batches; the power is the number of the reading in all of them."""
    store = connect(f"duckdb://{path}")
    await store.open()
    number = 0
    for keys in batches:
        machines = sorted({key for key, _ in keys})
        made = batch(machines, range(len(keys)), power_w=0.0)
        made.rows["machine"] = [machines.index(key) for key, _ in keys]
        made.rows["at_ns"] = [at * 1_000_000 for _, at in keys]
        made.rows["power_w"] = range(number, number + len(keys))
        number += len(keys)
        await store.write_readings(made)
    found = await store.read_readings([A, B], -1, 2**50)
    await store.close()
    rows = zip(found.rows["machine"], found.rows["at_ns"], found.rows["power_w"], strict=True)
    return [((A, B)[machine], int(at) // 1_000_000, float(power)) for machine, at, power in rows]


def first_of_each(batches: list[list[tuple[MachineKey, int]]]) -> list[tuple[MachineKey, int, float]]:
    first: dict[tuple[MachineKey, int], float] = {}
    for number, key in enumerate(key for keys in batches for key in keys):
        first.setdefault(key, float(number))
    return [(*key, first[key]) for key in sorted(first, key=lambda key: ((A, B).index(key[0]), key[1]))]


@given(BATCHES)
@settings(max_examples=60, deadline=None)
def test_the_first_reading_of_a_key_stays_and_no_other(batches: list[list[tuple[MachineKey, int]]]) -> None:
    assert asyncio.run(kept_of("/:memory:", batches)) == first_of_each(batches)


def test_a_file_that_was_made_with_an_index_takes_readings_too(tmp_path: Path) -> None:
    path = str(tmp_path / "store.duckdb")
    asyncio.run(kept_of(path, [[(A, 5)]]))
    with duckdb.connect(path) as file:
        file.execute(INDEXED)
    assert asyncio.run(kept_of(path, [[(A, 5), (B, 5), (B, 5)]])) == [(A, 5, 0.0), (B, 5, 1.0)]
