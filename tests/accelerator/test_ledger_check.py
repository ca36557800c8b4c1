"""The oracle catches what it is there for: a lost reading, a reading stored twice."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from accelerator.ledger_check import check
from accelerator.problems import Found
from fleet.batch import MachineKey, ReadingBatch, empty_rows
from ingest.listing import listed
from ingest.merge import refusals
from ingest.spool import Limits, Spool, Work
from store import Store, connect

KEY = MachineKey("zorn", "cabine-1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = connect(f"duckdb:///{tmp_path / 'store.duckdb'}")
    await opened.open()
    yield opened
    await opened.close()


def readings(*sequence: tuple[int, int, int]) -> ReadingBatch:
    """(at_ms, seq, content hash) -> rows."""
    rows = empty_rows(len(sequence))
    rows["at_ns"] = [at * 1_000_000 + content for at, _, content in sequence]
    rows["seq"] = [seq for _, seq, _ in sequence]
    rows["boot"] = 1
    rows["power_w"] = np.arange(len(sequence))
    return ReadingBatch((KEY,), rows)


def ledger(path: Path, *sequence: tuple[int, int]) -> Path:
    lines = [
        {
            "topic": "m/zorn/cabine-1/reading",
            "payload_sha256": f"{seq:064x}",
            "machine": "cabine-1",
            "at": at,
            "seq": seq,
            "boot": 1,
        }
        for at, seq in sequence
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


async def test_all_stored_once_is_well(store: Store, tmp_path: Path) -> None:
    await store.write_readings(readings((1000, 1, 7), (1000, 2, 8), (2000, 3, 9)))
    outcome = await check(store, ledger(tmp_path / "l", (1000, 1), (1000, 2), (2000, 3)), None)
    assert outcome["ok"]
    assert (outcome["published"], outcome["stored"], outcome["lost"], outcome["duplicates"]) == (3, 3, 0, 0)


async def test_a_lost_reading_is_caught_unless_it_was_refused(store: Store, tmp_path: Path) -> None:
    await store.write_readings(readings((1000, 1, 7)))
    path = ledger(tmp_path / "l", (1000, 1), (2000, 2))
    outcome = await check(store, path, None)
    assert (outcome["ok"], outcome["lost"]) == (False, 1)
    assert outcome["examples"]["lost"][0]["seq"] == 2
    rejects = tmp_path / "rejects.json"
    rejects.write_text(json.dumps([{"sha256": f"{2:064x}"}]))
    outcome = await check(store, path, rejects)
    assert (outcome["ok"], outcome["rejected"]) == (True, 1)


async def test_a_reading_that_the_store_refused_is_not_lost(store: Store, tmp_path: Path) -> None:
    path = ledger(tmp_path / "l", (1000, 1), (2000, 2))
    spool = Spool(tmp_path / "spool.sqlite", Limits(min_free_bytes=0))
    spool.commit(Work(rejects=refusals(readings((1000, 1, 7), (2000, 3, 8)), {0: "too old", 1: "too old"})), 1)
    spool.close()
    rejects = tmp_path / "rejects.json"
    rejects.write_text(json.dumps(listed(tmp_path / "spool.sqlite")))
    outcome = await check(store, path, rejects)
    assert (outcome["lost"], outcome["rejected"], outcome["examples"]["lost"][0]["seq"]) == (1, 1, 2)


async def test_a_reading_under_two_keys_is_caught(store: Store, tmp_path: Path) -> None:
    await store.write_readings(readings((1000, 1, 7), (1000, 1, 8)))
    outcome = await check(store, ledger(tmp_path / "l", (1000, 1)), None)
    assert (outcome["ok"], outcome["duplicates"]) == (False, 1)


async def test_a_line_that_is_none_is_named(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_text('{"topic": "x"}\n')
    with pytest.raises(Found, match=r"l:1: not a ledger line"):
        await check(store, path, None)
