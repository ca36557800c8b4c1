"""The oracle catches what it is there for: a lost reading, a reading stored twice."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelerator.ledger_check import check
from accelerator.problems import Found, Missing
from fleet.batch import NO_INT, MachineKey, ReadingBatch, empty_rows
from ingest.listing import listed
from ingest.merge import refusals
from ingest.spool import Spool, Work
from ingest.unclaimed import Unclaimed
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


def ledger(path: Path, *sequence: tuple[int, int], **more: Any) -> Path:
    """Adds a line for each (at_ms, seq) to the file."""
    with path.open("a") as file:
        for at, seq in sequence:
            line = {
                "topic": "m/zorn/cabine-1/reading",
                "payload_sha256": f"{seq:064x}",
                "machine": "cabine-1",
                "at": at,
                "seq": seq,
                "boot": 1,
            }
            file.write(json.dumps(line | more) + "\n")
    return path


async def test_all_stored_once_is_well(store: Store, tmp_path: Path) -> None:
    await store.write_readings(readings((1000, 1, 7), (1000, 2, 8), (2000, 3, 9)))
    outcome = await check(store, ledger(tmp_path / "l", (1000, 1), (1000, 2), (2000, 3)))
    assert outcome["ok"]
    assert (outcome["published"], outcome["stored"], outcome["lost"], outcome["duplicates"]) == (3, 3, 0, 0)


async def test_a_lost_reading_is_caught_unless_it_was_refused(store: Store, tmp_path: Path) -> None:
    await store.write_readings(readings((1000, 1, 7)))
    path = ledger(tmp_path / "l", (1000, 1), (2000, 2))
    outcome = await check(store, path)
    assert (outcome["ok"], outcome["lost"]) == (False, 1)
    assert outcome["examples"]["lost"][0]["seq"] == 2
    rejects = tmp_path / "rejects.json"
    rejects.write_text(json.dumps([{"sha256": f"{2:064x}"}]))
    outcome = await check(store, path, [rejects])
    assert (outcome["ok"], outcome["rejected"]) == (True, 1)


async def test_a_reading_under_two_keys_is_caught(store: Store, tmp_path: Path) -> None:
    await store.write_readings(readings((1000, 1, 7), (1000, 1, 8)))
    outcome = await check(store, ledger(tmp_path / "l", (1000, 1)))
    assert (outcome["ok"], outcome["duplicates"]) == (False, 1)


async def test_a_line_that_is_none_is_named(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_text('{"topic": "x"}\n')
    with pytest.raises(Found, match=r"l:1: not a ledger line"):
        await check(store, path)


async def test_what_nobody_sent_is_caught_where_the_ledger_is_complete(store: Store, tmp_path: Path) -> None:
    await store.write_readings(readings((1000, 1, 7), (2000, 2, 8)))
    path = ledger(tmp_path / "l", (1000, 1))
    outcome = await check(store, path)
    assert (outcome["ok"], outcome["unrecorded"], outcome["unsent"]) == (True, 1, 0)
    outcome = await check(store, ledger(path, (3000, 3), acked_at=None))
    assert (outcome["ok"], outcome["unrecorded"], outcome["unsent"]) == (False, 0, 1)
    assert outcome["examples"]["unsent"][0]["seq"] == 2
    assert outcome["lost"] == 0, "what was never acknowledged need not be there"
    assert (await check(store, ledger(path, (2000, 2), acked_at=None)))["ok"], "it may be"


async def test_a_message_sent_and_acknowledged_later_is_one(store: Store, tmp_path: Path) -> None:
    path = ledger(ledger(tmp_path / "l", (1000, 1), acked_at=None), (1000, 1), acked_at=1100)
    outcome = await check(store, path)
    assert (outcome["published"], outcome["lost"]) == (1, 1)
    await store.write_readings(readings((1000, 1, 7)))
    assert (await check(store, path))["ok"]


async def test_other_quantities_than_were_sent_are_caught(store: Store, tmp_path: Path) -> None:
    await store.write_readings(readings((1000, 1, 7), (2000, 2, 8)))
    path = ledger(tmp_path / "l", (1000, 1), values={"power_w": 0})
    assert (await check(store, path))["ok"]
    outcome = await check(store, ledger(path, (2000, 2), values={"power_w": 1.5}))
    assert (outcome["ok"], outcome["altered"]) == (False, 1)
    assert outcome["examples"]["altered"][0]["seq"] == 2


async def test_readings_of_one_millisecond_without_a_number_are_counted(store: Store, tmp_path: Path) -> None:
    rows = readings((1000, 1, 7), (1000, 2, 8))
    rows.rows["seq"] = rows.rows["boot"] = NO_INT
    await store.write_readings(rows)
    path = tmp_path / "l"
    for message in (1, 2):
        ledger(path, (1000, message), seq=None, boot=None)
    assert (await check(store, path))["ok"]
    outcome = await check(store, ledger(path, (1000, 3), seq=None, boot=None))
    assert (outcome["lost"], outcome["duplicates"]) == (1, 0)


async def test_an_array_is_compared_element_by_element(store: Store, tmp_path: Path) -> None:
    await store.write_readings(readings((1000, 1, 7)))
    path = tmp_path / "l"
    for element in (0, 1, 2):
        ledger(path, (1000 + element, 1 + element), payload_sha256="a" * 64, element=element)
    rejects = tmp_path / "rejects.json"
    rejects.write_text(json.dumps([{"sha256": "a" * 64, "indices": [1]}]))
    outcome = await check(store, path, [rejects])
    assert (outcome["rejected"], outcome["lost"]) == (1, 1)
    assert outcome["examples"]["lost"][0]["seq"] == 3


async def test_what_the_store_refused_and_what_nobody_claimed_are_refused(store: Store, tmp_path: Path) -> None:
    path = ledger(tmp_path / "l", (1000, 1), (2000, 2), (3000, 3))
    refused, unclaimed = tmp_path / "refused.json", tmp_path / "unclaimed.json"
    spool = Spool(tmp_path / "spool.sqlite")
    batch = readings((1000, 1, 7))
    spool.commit(Work(rejects=refusals(batch, {0: "older than the bucket keeps"})), 5000)
    spool.commit(Work(unclaimed=[Unclaimed("zorn", "m/zorn/x", 5000, b"{}")]), 5000)
    spool.close()
    refused.write_text(json.dumps(listed(tmp_path / "spool.sqlite", kind="reject")))
    rows = listed(tmp_path / "spool.sqlite", kind="unclaimed")
    ledger(path, (4000, 4), payload_sha256=rows[0]["sha256"])
    unclaimed.write_text(json.dumps(rows))
    outcome = await check(store, path, [refused, unclaimed])
    assert (outcome["rejected"], outcome["lost"]) == (2, 2)
    assert [one["seq"] for one in outcome["examples"]["rejected"]] == [1, 4]


async def test_a_file_that_lists_nothing_refused_is_named(store: Store, tmp_path: Path) -> None:
    rejects = tmp_path / "r"
    rejects.write_text("{}x")
    with pytest.raises(Found, match="not the output of"):
        await check(store, ledger(tmp_path / "l", (1000, 1)), [rejects])
    with pytest.raises(Missing, match="cannot be read"):
        await check(store, tmp_path / "l", [tmp_path / "none"])
