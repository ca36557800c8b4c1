"""Two different readings never share a key within a batch; the same reading twice does."""

import zlib

import numpy as np
import pytest

from fleet.batch import Rows, empty_rows, key_ns
from fleet.states import STATE_CODE
from ingest.keys import set_apart

AT_MS = 1_790_000_000_000
TOPIC = zlib.crc32(b"m/birch/machine-11/reading")
TWINS = (470_338, 470_386)
"""Numbers of two readings of one device that were found to have the same hash."""


def keyed(*sequence: int, machine: list[int] | None = None) -> tuple[Rows, np.ndarray[tuple[int], np.dtype[np.uint32]]]:
    """Readings with these numbers, of one millisecond, as the fault bench sends them."""
    rows = empty_rows(len(sequence))
    rows["machine"] = machine or 0
    rows["state"], rows["boot"] = STATE_CODE["PRODUCING"], 1_795_695_588_099
    rows["seq"], rows["power_w"] = sequence, [1000 + number % 500 for number in sequence]
    crc = np.full(len(sequence), TOPIC, dtype=np.uint32)
    rows["at_ns"] = key_ns(rows, np.full(len(sequence), AT_MS, dtype=np.int64), crc, {})
    return rows, crc


def test_twins_are_set_apart_within_their_millisecond() -> None:
    rows, crc = keyed(*TWINS, 7)
    assert rows["at_ns"][0] == rows["at_ns"][1]
    assert set_apart(rows, crc, {}) == 1
    assert rows["at_ns"][1] == rows["at_ns"][0] + 1
    assert (rows["at_ns"] // 1_000_000 == AT_MS).all()


def test_the_same_reading_twice_keeps_its_key_also_beside_its_twin() -> None:
    rows, crc = keyed(*TWINS, *TWINS, TWINS[1], TWINS[0])
    assert set_apart(rows, crc, {}) == 3
    first = rows["at_ns"][0]
    assert rows["at_ns"].tolist() == [first, first + 1, first, first + 1, first + 1, first]


def test_machines_topics_and_metrics_are_told_apart() -> None:
    rows, crc = keyed(*TWINS, machine=[0, 1])
    assert set_apart(rows, crc, {}) == 0, "two machines may share a key time"
    rows, crc = keyed(TWINS[0], TWINS[0])
    crc[1] += 1
    assert set_apart(rows, crc, {}) == 1
    rows, crc = keyed(TWINS[0], TWINS[0])
    assert set_apart(rows, crc, {0: '{"a":1}'}) == 1


@pytest.mark.parametrize("taken", [1, 3])
def test_the_next_key_may_be_taken_and_the_millisecond_is_a_ring(taken: int) -> None:
    rows, crc = keyed(*range(taken + 1))
    rows["at_ns"] = [*range(AT_MS * 1_000_000 + 1_000_000 - taken, AT_MS * 1_000_000 + 1_000_000), 0]
    rows["at_ns"][taken] = rows["at_ns"][0]
    assert set_apart(rows, crc, {}) == 1
    assert rows["at_ns"][taken] == AT_MS * 1_000_000
