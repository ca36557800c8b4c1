"""Which numbered readings are missing: by hand, and against sets of numbers."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import NO_INT, MachineKey, ReadingBatch, empty_rows
from ingest.decoders import Context, DecodeError, decoder
from ingest.gaps import memory
from ingest.gaps.life import MAX_GAPS, Gap, Life, Took
from ingest.gaps.numbers import Numbers, Refused
from ingest.gaps.source import KEPT_MS, MAX_LIVES, Restart, Source
from ingest.spool import Limits, Spool, Work

PRESS, SAW = MachineKey("acme", "press"), MachineKey("acme", "saw")
NOW = 1_795_000_000_000
Row = tuple[MachineKey, int, int]


def at(number: int) -> int:
    """Device time of a number: one a second."""
    return NOW + number * 1_000


def batch(rows: Iterable[Row], arrived_ms: int | None = None) -> ReadingBatch:
    """Readings (machine, boot, seq) as they arrive."""
    said = list(rows)
    machines = tuple(dict.fromkeys(key for key, _, _ in said))
    made = empty_rows(len(said))
    made["machine"] = [machines.index(key) for key, _, _ in said]
    made["boot"] = [boot for _, boot, _ in said]
    made["seq"] = [seq for _, _, seq in said]
    made["at_ns"] = [at(max(seq, 0)) * 1_000_000 + 7 for _, _, seq in said]
    made["arrived_ms"] = arrived_ms or NOW + 10**9
    return ReadingBatch(machines, made)


def count(*numbers: int, boot: int = 1, key: MachineKey = PRESS) -> ReadingBatch:
    return batch([(key, boot, number) for number in numbers])


def missing(numbers: Numbers, key: MachineKey = PRESS) -> list[tuple[int, int, int]]:
    """(boot, first, last) of the machine's ranges."""
    [found] = [source for one, source in numbers.sources() if one == key]
    return sorted((boot, gap.first, gap.last) for boot, gap in found.gaps())


def test_a_gap_is_told_with_its_times_and_closed_by_what_comes_late() -> None:
    numbers = Numbers()
    numbers.follow(count(809, 810, 823, 824))
    [(key, source)] = numbers.sources()
    assert key == PRESS
    assert source.gaps() == [(1, Gap(811, 822, at(810), at(823), NOW + 10**9))]
    numbers.follow(count(815, 816))
    assert missing(numbers) == [(1, 811, 814), (1, 817, 822)]
    assert [(gap.first, gap.last, gap.after_ms, gap.before_ms) for _, gap in source.gaps()] == [
        (811, 814, at(810), at(815)),
        (817, 822, at(816), at(823)),
    ]
    numbers.follow(count(*range(805, 830)))
    assert missing(numbers) == []
    assert source.late == 12 + 4
    numbers.follow(count(830))
    assert (missing(numbers), source.lives[1].low) == ([], 805)


def test_what_comes_twice_or_in_another_order_makes_none() -> None:
    numbers = Numbers()
    numbers.follow(count(5, 6, 7, 5, 6, 7, 9, 8, 10))
    numbers.follow(count(7, 8, 9, 10, 11))
    assert missing(numbers) == []
    assert next(numbers.sources())[1].restarts == 0


def test_a_new_boot_starts_afresh_and_the_old_one_is_still_awaited() -> None:
    numbers = Numbers()
    numbers.follow(count(1, 2, 5))
    numbers.follow(count(7, 8, boot=2))
    assert missing(numbers) == [(1, 3, 4)]
    numbers.follow(batch([(PRESS, 2, 9), (PRESS, 1, 3), (PRESS, 2, 10), (PRESS, 1, 4), (PRESS, 2, 11)]))
    assert missing(numbers) == []


def test_a_count_that_begins_again_without_a_new_boot_is_named() -> None:
    numbers = Numbers()
    numbers.follow(count(820, 822))
    again = count(0, 1, 2)
    again.rows["at_ns"] = at(900) * 1_000_000
    numbers.follow(again)
    [(_, source)] = numbers.sources()
    assert (source.restarts, source.restart) == (1, Restart(at(900), 822, 0))
    assert missing(numbers) == [(1, 821, 821)]  # of before, and no longer awaited
    numbers.follow(count(5))
    assert missing(numbers) == [(1, 3, 4), (1, 821, 821)]


def test_without_times_of_its_own_only_a_count_from_the_start_is_a_restart() -> None:
    """What arrives late is stamped with its arrival, and so newer than all before."""
    life = Life.begin(5, NOW)
    assert [life.take(number, NOW + number, NOW + number) for number in (6, 7, 9)] == [Took.NEXT, Took.NEXT, Took.GAP]
    assert life.take(8, NOW + 20, NOW + 20) is Took.LATE
    assert life.take(7, NOW + 21, NOW + 21) is Took.AGAIN
    assert life.take(0, NOW + 22, NOW + 22) is Took.RESTART


def test_a_step_that_is_no_loss() -> None:
    source = Source()
    for number in (1, 2, 5_000_000_000, 5_000_000_001):
        source.take(NO_INT, number, at(3), NOW)
    assert (source.restarts, source.gaps()) == (1, [])


def test_numbers_of_refused_readings_are_not_missing() -> None:
    numbers = Numbers()
    numbers.follow(count(1, 2, 5))
    numbers.refused([Refused(PRESS, [(1, 3), (1, 4), (9, 1)], NOW)])
    assert missing(numbers) == []
    assert numbers.to_save(NOW) is not None


@pytest.mark.parametrize(
    ("name", "topic", "elements", "numbers"),
    [
        ("canonical", "m/acme/press/reading", [{"seq": 3, "boot": 9, "at": 1}, {"seq": 4, "power_w": "x"}],
         [(9, 3), (NO_INT, 4)]),
        ("canonical", "m/acme/press/reading", [{"seq": 2**64, "at": 1}, {"seq": "5", "at": 1}, {"at": 1}, 7], []),
        ("generic", "m/acme/plc/press", [{"power": "low", "seq": 3, "boot": 9}, {"ts": "soon", "power": 1, "seq": 4}],
         [(9, 3), (NO_INT, 4)]),
        ("generic", "m/acme/plc/press", [{"power": "low", "seq": "x"}, {"power": "low"}, 7], []),
    ],
)  # fmt: skip
def test_decoders_tell_the_numbers_of_what_they_refuse(
    name: str, topic: str, elements: list[object], numbers: list[tuple[int, int]]
) -> None:
    with pytest.raises(DecodeError) as caught:
        decoder(name)(topic, json.dumps(elements).encode(), Context(NOW, ZoneInfo("UTC"), None, 1.0))
    assert caught.value.numbers == numbers
    assert caught.value.readings == []


def test_memory_is_bounded() -> None:
    numbers = Numbers()
    numbers.follow(count(*range(0, 1_000, 2)))
    [(_, source)] = numbers.sources()
    assert (len(source.gaps()), source.lives[1].given_up) == (MAX_GAPS, 499 - MAX_GAPS)
    for boot in range(2, 100):
        numbers.follow(count(1, 3, boot=boot))
    [(_, source)] = numbers.sources()
    assert len(source.lives) == MAX_LIVES
    assert len(source.ended) == MAX_GAPS
    assert sum(gap.size for _, gap in source.gaps()) + source.given_up == 499 + 98


def test_what_never_comes_is_given_up_in_time() -> None:
    numbers = Numbers()
    numbers.follow(batch([(PRESS, 1, 1), (PRESS, 1, 4)], NOW))
    numbers.follow(batch([(PRESS, 2, 1), (PRESS, 2, 3)], NOW + 1))
    numbers.expire(NOW + KEPT_MS)
    assert missing(numbers) == [(1, 2, 3), (2, 2, 2)]
    numbers.expire(NOW + KEPT_MS + 1)
    assert missing(numbers) == [(2, 2, 2)]


# --- against sets


@dataclass
class Sets:
    """What is missing of each machine and boot, by the numbers themselves."""

    came: dict[tuple[MachineKey, int], set[int]] = field(default_factory=dict)

    def take(self, rows: Iterable[Row]) -> None:
        for key, boot, seq in rows:
            self.came.setdefault((key, boot), set()).add(seq)

    def missing(self) -> dict[tuple[MachineKey, int], set[int]]:
        found = {name: set(range(min(came), max(came))) - came for name, came in self.came.items()}
        return {name: lacking for name, lacking in found.items() if lacking}


def told(numbers: Numbers) -> dict[tuple[MachineKey, int], set[int]]:
    found: dict[tuple[MachineKey, int], set[int]] = {}
    for key, source in numbers.sources():
        assert (source.restarts, source.given_up) == (0, 0)
        for boot, gap in source.gaps():
            found.setdefault((key, boot), set()).update(range(gap.first, gap.last + 1))
    return found


rows = st.lists(
    st.tuples(st.sampled_from([PRESS, SAW]), st.integers(1, 3), st.integers(0, 60)), min_size=1, max_size=150
)
counting = st.builds(
    lambda begin, length, lost: [(PRESS, 1, number) for number in range(begin, begin + length) if number not in lost],
    st.integers(0, 20), st.integers(1, 40), st.sets(st.integers(0, 60)),
).filter(bool)  # fmt: skip


@given(st.lists(rows | counting, min_size=1, max_size=8))
def test_any_order_in_any_bursts_is_what_sets_say(bursts: list[list[Row]]) -> None:
    numbers, sets = Numbers(), Sets()
    for burst in bursts:
        numbers.follow(batch(burst))
        sets.take(burst)
        assert told(numbers) == sets.missing()


@given(st.lists(rows | counting, min_size=1, max_size=8), st.integers(0, 8))
def test_a_saved_state_and_the_batches_since_are_the_state(bursts: list[list[Row]], saved: int) -> None:
    one, whole = Numbers(), Numbers()
    for burst in bursts[:saved]:
        one.follow(batch(burst))
    one = Numbers.of(one.to_save(2**62) or "[]")
    for burst in bursts[saved:]:
        one.follow(batch(burst))
    for burst in bursts:
        whole.follow(batch(burst))
    assert [*one.sources()] == [*whole.sources()]


# --- on disk


def numbers_of(path: Path) -> Numbers:
    """What a start after a kill finds."""
    with sqlite3.connect(path) as db:
        return memory.load(db)


def test_it_outlives_a_kill_between_two_saved_states(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    spool, numbers = Spool(path, Limits(min_free_bytes=0)), Numbers()

    def commit(found: ReadingBatch, refused: Sequence[Refused] = (), at_ms: int = NOW) -> bool:
        numbers.follow(found)
        numbers.refused(refused)
        body = numbers.to_save(at_ms)
        spool.commit(Work(found, numbers=body), at_ms)
        if body is not None:
            numbers.saved(at_ms)
        return body is not None

    assert commit(count(1, 2, 6))
    assert not commit(count(4))
    assert not commit(count(9, key=SAW))
    assert missing(numbers_of(path)) == [(1, 3, 3), (1, 5, 5)]
    assert commit(count(7, 9), [Refused(PRESS, [(1, 8)], NOW)])
    assert not commit(count(10, 12))
    assert missing(numbers_of(path)) == [(1, 3, 3), (1, 5, 5), (1, 11, 11)]
    assert commit(count(13), at_ms=NOW + 60_000)
    spool.close()
    assert [*numbers_of(path).sources()] == [*numbers.sources()]


def test_a_spool_of_before_begins_with_the_next_reading(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    spool = Spool(path, Limits(min_free_bytes=0))
    spool.commit(Work(count(1, 5)), NOW)
    assert [*numbers_of(path).sources()] == []
    spool.commit(Work(count(6), numbers="[]"), NOW)
    spool.commit(Work(count(7, 9)), NOW)
    spool.close()
    assert missing(numbers_of(path)) == [(1, 8, 8)]


def test_columns_grow_with_the_machines() -> None:
    numbers = Numbers()
    keys = [MachineKey("acme", f"m{number}") for number in range(500)]
    for turn in range(3):
        numbers.follow(batch([(key, 1, turn) for key in keys]))
    assert {int(source.lives[1].top) for _, source in numbers.sources()} == {2}
    assert np.all([not source.gaps() for _, source in numbers.sources()])
