"""Spans of a machine's readings: few, in order, and none of its readings outside."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import NO_INT, MachineKey
from ingest.covered import NEVER, SPANS, Covered, ends_of, joined

MACHINES = (MachineKey("acme", "booth"), MachineKey("acme", "saw"), MachineKey("zeta", "press"))
TIMES = st.integers(-5, 5) | st.integers(-1_000_000_000, 1_000_000_000)
WRITES = st.lists(st.lists(st.tuples(st.integers(0, 2), TIMES), min_size=1, max_size=12), min_size=1, max_size=8)


def of(readings: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    places, times = zip(*readings, strict=True)
    return np.array(places, dtype=np.uint32), np.array(times, dtype=np.int64)


def fresh(last_ms: int | None = None) -> Covered:
    covered = Covered()
    for key in MACHINES:
        covered.until(key, last_ms)
    return covered


@given(WRITES)
def test_whatever_was_added_is_held_and_before_the_first_is_nothing(writes: list[list[tuple[int, int]]]) -> None:
    covered = fresh()
    for write in writes:
        covered.add(MACHINES, *of(write))
    places, times = of([reading for write in writes for reading in write])
    assert covered.holds(MACHINES, places, times).all()
    first, last = ends_of(len(MACHINES), places, times)
    known = np.flatnonzero(first <= last).astype(np.uint32)
    assert not covered.holds(MACHINES, known, first[known] - 1).any()
    assert not covered.holds(MACHINES, known, last[known] + 1).any()


@given(st.lists(TIMES, min_size=1, max_size=30), st.lists(TIMES, max_size=2 * SPANS, unique=True))
def test_spans_are_few_and_apart_where_most_lies_between(times: list[int], ends: list[int]) -> None:
    ordered = sorted(ends)[: len(ends) // 2 * 2]
    before = list(zip(ordered[::2], ordered[1::2], strict=True))
    found = joined(before, np.array(times, dtype=np.int64))
    assert len(found) <= SPANS
    assert all(start <= end for start, end in found)
    between = [after[0] - one[1] for one, after in pairwise(found)]
    assert all(gap > 0 for gap in between)
    edges = sorted([*before, *((time, time) for time in times)])
    assert (found[0][0], found[-1][1]) == (edges[0][0], max(end for _, end in edges))
    inside = np.maximum.accumulate([end for _, end in edges])
    gaps = sorted((max(edges[i + 1][0] - int(inside[i]), 0) for i in range(len(edges) - 1)), reverse=True)
    assert sorted(between, reverse=True) == [gap for gap in gaps[: SPANS - 1] if gap > 0]


def test_a_history_beside_what_is_live_leaves_the_time_between_them_free() -> None:
    covered, place = fresh(), np.zeros(1, dtype=np.uint32)
    for number in range(1_000):
        covered.add(MACHINES, place, np.array([10**10 + 1_000 * number], dtype=np.int64))
        covered.add(MACHINES, place, np.array([60_000 * number], dtype=np.int64))
    between = np.array([60_000 * 999 + 1, 10**9, 10**10 - 1], dtype=np.int64)
    assert not covered.holds(MACHINES, np.zeros(3, dtype=np.uint32), between).any()


def test_until_a_time_is_everything_before_it_and_without_one_nothing() -> None:
    covered, place = fresh(7), np.zeros(3, dtype=np.uint32)
    assert covered.holds(MACHINES, place, np.array([NO_INT, 7, 8], dtype=np.int64)).tolist() == [True, True, False]
    assert not fresh().holds(MACHINES, place, np.array([NO_INT + 1, 0, NEVER[0]], dtype=np.int64)).any()


def test_of_a_member_that_is_forgotten_nothing_is_known() -> None:
    covered = fresh(7)
    covered.forget({"acme"})
    assert [key in covered for key in MACHINES] == [False, False, True]
    with pytest.raises(KeyError):
        covered.holds(MACHINES, np.zeros(1, dtype=np.uint32), np.zeros(1, dtype=np.int64))
