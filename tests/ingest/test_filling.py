"""How long until the spool is full, and whose readings fill it: by levels as they are read, and a clock of ours."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from ingest.errors import SpoolFull
from ingest.filling import LEAST_BYTES, SPAN_S, Filling
from ingest.level import Level, Limits, room
from ingest.spool import Spool
from ingest.work import Work

MB = 2**20


def filled(bytes_at: list[int], *, room: int = 100 * MB, every_s: float = 2.0, **came: int) -> Filling:
    """What is known after levels that were read every so many seconds."""
    filling = Filling()
    for number, size in enumerate(bytes_at):
        filling.beat(1_000 + number * every_s, Level(bytes=size), room, came)
    return filling


def test_a_steady_rate_is_told_to_the_second() -> None:
    filling = filled([(10 + number) * MB for number in range(40)], room=360 * MB, ash=9, oak=1)
    assert filling.full_in_s == 720.0
    assert filling.figures(500 * MB) == {
        "spool_quota_bytes": 500 * MB,
        "spool_full_in_s": 720,
        "filled_by": {"member": "ash", "share": 0.9},
    }


def test_little_that_waits_a_level_that_stays_and_one_that_falls_do_not_fill() -> None:
    assert filled([number * 1_000 for number in range(100)]).full_in_s is None
    assert filled([10 * MB] * 100).full_in_s is None
    assert filled([(200 - number) * MB for number in range(100)]).full_in_s is None
    assert filled([0] * 100, ash=5).figures(1)["filled_by"] is None


def test_nothing_is_said_of_a_rate_before_it_lasted() -> None:
    beats = int(SPAN_S / 2)
    assert filled([(10 + number) * MB for number in range(beats)]).full_in_s is None
    assert filled([(10 + number) * MB for number in range(beats + 1)]).full_in_s is not None


def test_a_burst_that_is_over_is_no_rate() -> None:
    assert filled([5 * MB] * 30 + [50 * MB] * 8).full_in_s is None
    assert filled([5 * MB] * 8 + [50 * MB] * 14).full_in_s is None


def test_a_full_one_says_so_and_who_filled_it() -> None:
    filling = filled([90 * MB] * 40, room=0, ash=3, oak=1)
    assert filling.full_in_s == 0.0
    assert filling.figures(90 * MB)["filled_by"] == {"member": "ash", "share": 0.75}


def test_a_real_spool_that_refuses_is_full_for_as_long_as_it_does(tmp_path: Path) -> None:
    """What is refused is larger than the room there is, so there is always some left, and the level stands still."""
    batch = ReadingBatch((MachineKey("ash", "saw"),), empty_rows(1_500))
    limits = Limits(quota_bytes=4 * MB, min_free_bytes=0)
    filling, beats = Filling(), 0

    def beat(full: bool) -> None:
        nonlocal beats
        beats += 1
        left = room(spool.level, limits, 2**40)
        assert left > 0
        filling.beat(2.0 * beats, spool.level, left, {"ash": 1_500}, full)

    with closing(Spool(tmp_path / "spool.sqlite", limits)) as spool:
        while beats < 20:
            spool.commit(Work(batch), 1_000)
            beat(full=False)
        assert filling.full_in_s is not None
        assert filling.full_in_s > 0
        with pytest.raises(SpoolFull):
            [spool.commit(Work(batch), 1_000) for _ in range(100)]
        for _ in range(40):
            beat(full=True)
            assert filling.full_in_s == 0.0
        assert filling.figures(limits.quota_bytes)["spool_full_in_s"] == 0
        beat(full=False)
        assert filling.full_in_s is None


def test_who_sent_before_the_spool_was_empty_does_not_count() -> None:
    filling = Filling()
    for number, (size, who) in enumerate([(9 * MB, "ash"), (0, "oak"), (9 * MB, "oak"), (10 * MB, "elm")]):
        filling.beat(number, Level(bytes=size), MB, {who: 10})
    assert filling.figures(1)["filled_by"] == {"member": "oak", "share": 0.67}


def test_of_what_an_earlier_run_left_only_the_lanes_have_a_name() -> None:
    filling = Filling()
    filling.begin(Level(bytes=9 * MB, readings=1_000, apart=Counter(ash=300)))
    filling.beat(0, Level(bytes=9 * MB), MB, {})
    assert filling.figures(1)["filled_by"] == {"member": "ash", "share": 0.3}
    filling.beat(2, Level(bytes=9 * MB), MB, {"oak": 1_000})
    assert filling.figures(1)["filled_by"] == {"member": "oak", "share": 0.5}


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=80), st.integers(-(2**30), 2**43))
def test_whatever_the_levels_the_rest_is_no_negative_time(levels: list[int], room: int) -> None:
    left = filled(levels, room=room).full_in_s
    assert left is None or (left >= 0 and levels[-1] >= LEAST_BYTES)
