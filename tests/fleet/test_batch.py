"""Keys, bytes and hours of batches of readings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import NO_INT, BatchCorrupt, MachineKey, ReadingBatch, Rows, empty_rows, key_ns

MACHINES = (MachineKey("a", "x"), MachineKey("a", "y"), MachineKey("b", "x"))


def rows_of(*power: float) -> Rows:
    rows = empty_rows(len(power))
    rows["power_w"] = power
    return rows


def keys(rows: Rows, at_ms: int = 1_790_000_000_000, crc: int = 7, metrics: dict[int, str] | None = None) -> list[int]:
    count = len(rows)
    at = np.full(count, at_ms, dtype=np.int64)
    found: list[int] = key_ns(rows, at, np.full(count, crc, dtype=np.uint32), metrics or {}).tolist()
    return found


def test_the_same_reading_has_the_same_key_alone_and_in_an_array() -> None:
    alone, together = keys(rows_of(3120.0)), keys(rows_of(5.0, 3120.0))
    assert alone[0] == together[1] != together[0]
    assert alone[0] // 1_000_000 == 1_790_000_000_000


@pytest.mark.parametrize(
    ("column", "value"),
    [("power_w", 1.5), ("state", 3), ("counter", 4), ("seq", 9), ("boot", 2), ("utilisation", 0.5), ("energy_wh", 1)],
)
def test_every_quantity_is_in_the_key_and_the_arrival_is_not(column: str, value: float) -> None:
    one, other = rows_of(1.0), rows_of(1.0)
    other["arrived_ms"] = 99
    assert keys(one) == keys(other)
    other[column] = value
    assert keys(one) != keys(other)


def test_topic_and_metrics_are_in_the_key() -> None:
    assert keys(rows_of(1.0), crc=7) != keys(rows_of(1.0), crc=8)
    assert keys(rows_of(1.0)) != keys(rows_of(1.0), metrics={0: '{"a":1}'})


def test_minus_zero_is_zero() -> None:
    assert keys(rows_of(0.0)) == keys(rows_of(-0.0))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-(2**62), 2**62)), max_size=50))
def test_dirty_hours_are_those_of_the_readings(pairs: list[tuple[int, int]]) -> None:
    rows = empty_rows(len(pairs))
    rows["machine"] = [machine for machine, _ in pairs]
    rows["at_ns"] = [at for _, at in pairs]
    expected = sorted({(MACHINES[machine], at // 3_600_000_000_000 * 3600) for machine, at in pairs})
    assert ReadingBatch(MACHINES, rows).dirty_hours() == expected


def test_bytes_and_back() -> None:
    batch = ReadingBatch(MACHINES, rows_of(1.0, float("nan")), {1: '{"t":20.5}'})
    back = ReadingBatch.from_bytes(batch.to_bytes())
    assert (back.machines, back.metrics) == (batch.machines, batch.metrics)
    assert back.rows.tobytes() == batch.rows.tobytes()
    assert back.rows["counter"].tolist() == [NO_INT, NO_INT]


@given(st.data())
def test_every_flipped_bit_and_every_torn_end_is_noticed(data: st.DataObject) -> None:
    whole = ReadingBatch(MACHINES, rows_of(1.0, 2.0)).to_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    flipped = whole[:position] + bytes([whole[position] ^ bit]) + whole[position + 1 :]
    for broken in (flipped, whole[:position]):
        with pytest.raises(BatchCorrupt):
            ReadingBatch.from_bytes(broken)


def test_take_keeps_metrics_with_their_rows() -> None:
    batch = ReadingBatch(MACHINES, rows_of(1.0, 2.0, 3.0), {2: "m"})
    taken = batch.take([2, 0])
    assert taken.rows["power_w"].tolist() == [3.0, 1.0]
    assert taken.metrics == {0: "m"}


def test_a_part_has_its_own_metrics() -> None:
    whole = ReadingBatch(MACHINES, rows_of(1.0, 2.0, 3.0, 4.0), {0: "a", 1: "b", 2: "c", 3: "d"})
    part = whole.part(1, 3)
    assert part.rows["power_w"].tolist() == [2.0, 3.0]
    assert part.metrics == {0: "b", 1: "c"}
    assert part.to_bytes() == whole.take(range(1, 3)).to_bytes()
