"""Packed batches: the same batch again, a fifth of the bytes, and whatever is not what was written is told."""

import base64
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import BatchCorrupt, MachineKey, ReadingBatch, empty_rows
from ingest import packed
from ingest.decoders import Fault
from ingest.gaps import memory as gaps
from ingest.gaps.numbers import Numbers
from ingest.rejects import Reject
from ingest.spool import Limits, Spool
from ingest.work import Work

AT = 1_790_000_000_000
EARLIER = (
    "emlwMQAAAYoAAABFeD8q7FxPS7MwTjMxNU6txhaaicm5qcCABJmdgR6IxsBArI5RSowBRkItcmiaMY7E0DQBh6YC+YCLAQf4DATK"
    "QNACBNFAcB0IJIAAh3K4MCPTf2Y4B43xAwjqgQBNGM79wPJDwN6h/gBcAI1BSD9IeQMQoGlD4RIjDwCTkoeM"
)
"""A batch of four readings as version 5 of the spool packed it."""


def batch(count: int, *, machines: int = 40, seed: int = 0) -> ReadingBatch:
    """Readings as plugs send them: power with noise, numbered, a few milliseconds apart."""
    chance = np.random.default_rng(seed)
    rows = empty_rows(count)
    rows["machine"] = np.arange(count) % machines
    at = AT + np.sort(chance.integers(0, 1_000, count))
    rows["at_ns"] = at * 1_000_000 + chance.integers(0, 10**6, count)
    rows["arrived_ms"] = at + 3
    rows["power_w"] = chance.normal(3_000, 200, count)
    rows["seq"] = np.arange(count) + 1
    rows["boot"] = AT
    keys = tuple(MachineKey(f"member-{number % 30}", f"machine-{number}") for number in range(machines))
    return ReadingBatch(keys, rows, {0: '{"a":1.5}'})


@given(st.integers(1, 300), st.integers(1, 50), st.integers(0, 2**31), st.dictionaries(st.integers(0, 5), st.text()))
def test_unpacked_it_is_the_same_to_the_byte(count: int, machines: int, seed: int, metrics: dict[int, str]) -> None:
    made = batch(count, machines=machines, seed=seed)
    made = ReadingBatch(made.machines, made.rows, {row: text for row, text in metrics.items() if row < count})
    for small in (False, True):
        assert packed.batch_of(packed.bytes_of(made, small=small)).to_bytes() == made.to_bytes()


@pytest.mark.parametrize(("count", "times"), [(10, 3), (250, 4), (1_500, 5)])
def test_it_takes_a_fraction_of_the_bytes(count: int, times: int) -> None:
    made = batch(count)
    assert times * len(packed.bytes_of(made, small=True)) < len(packed.bytes_of(made, small=False))


def test_what_an_earlier_program_packed_is_read() -> None:
    rows = empty_rows(4)
    rows["at_ns"], rows["power_w"], rows["state"] = AT * 1_000_000, (1.0, 2.5, np.nan, -4.0), (1, 2, 255, 3)
    made = packed.batch_of(base64.b64decode(EARLIER))
    assert made.to_bytes() == ReadingBatch((MachineKey("acme", "booth"),), rows, {3: '{"a":1}'}).to_bytes()


@given(st.data())
def test_damage_is_told_or_changes_nothing(data: st.DataObject) -> None:
    whole = packed.bytes_of(batch(20), small=True)
    place = data.draw(st.integers(0, len(whole) - 1))
    broken = data.draw(
        st.sampled_from((whole[:place], whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]))
    )
    try:
        found = packed.batch_of(broken)
    except (BatchCorrupt, ValueError):
        return
    assert found.to_bytes() == batch(20).to_bytes()  # not every bit of a packed batch says anything


def test_a_spool_packs_what_comes_once_much_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And everything that the spool does with a batch, it does with a packed one."""
    monkeypatch.setattr(packed, "BEYOND_BYTES", 100_000)
    spool = Spool(tmp_path / "s", Limits(min_free_bytes=0))
    made = [batch(250, seed=number) for number in range(30)]
    state = Numbers()
    state.follow(batch(1))
    ids = [
        spool.commit(Work(one, numbers=state.to_save(2**40) if not number else None), 1) or 0
        for number, one in enumerate(made)
    ]
    sizes = dict(spool.call(lambda db, _: db.execute("SELECT id, bytes FROM batch").fetchall()))
    assert sizes[ids[0]] == len(made[0].to_bytes())
    assert 4 * sizes[ids[-1]] < sizes[ids[0]]
    assert spool.level.bytes == sum(sizes.values())
    spool.close()
    spool = Spool(tmp_path / "s", Limits(min_free_bytes=0))
    assert [one.to_bytes() for _, one in spool.waiting(0, 2**30)] == [one.to_bytes() for one in made]
    refused = Reject("member-0", "machine-0", "", AT, (Fault("store", "", "", "too old"),), b"")
    spool.mark_stored(ids, 2, [refused], range(250 * 29, 250 * 29 + 200))
    assert spool.repush(0, 2**62) == 30
    assert len(spool.waiting(ids[-2], 1)[0][1]) == 50
    assert len(spool.call(lambda db, _: gaps.load(db)).machines) == 40
    spool.close()
