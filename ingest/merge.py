"""Batches put together and, when a store refuses rows, taken apart."""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from fleet.batch import NO_INT, QUANTITIES, MachineKey, ReadingBatch
from fleet.states import NO_STATE, STATES
from ingest import packed
from ingest.decoders.base import Fault, show
from ingest.rejects import WHOLE_BYTES, Reject

_ROWS_AT_ONCE = 500  # of a refusal: kept whole but for rows with many metrics, which are parted further


def merge(batches: Sequence[ReadingBatch]) -> ReadingBatch:
    """The rows of all batches, in order, with one table of machines."""
    if len(batches) == 1:
        return batches[0]
    index: dict[MachineKey, int] = {}
    for batch in batches:
        for key in batch.machines:
            index.setdefault(key, len(index))
    rows = np.concatenate([batch.rows for batch in batches])
    metrics: dict[int, str] = {}
    start = 0
    for batch in batches:
        end = start + len(batch)
        places = np.array([index[key] for key in batch.machines], dtype=np.uint32)
        rows["machine"][start:end] = places[batch.rows["machine"]]
        metrics.update({start + row: text for row, text in batch.metrics.items()})
        start = end
    return ReadingBatch(tuple(index), rows, metrics)


def take_out(db: sqlite3.Connection, ids: Sequence[int], refused: Collection[int]) -> None:
    """Rewrite spooled batches without rows that are rejects now, so that a repush does not have them refused again.

    Args:
        refused: rows, counted through all the batches in the order of ``ids``.
    """
    start = 0
    for batch_id in ids:
        data = db.execute("SELECT data FROM batch WHERE id = ?", (batch_id,)).fetchone()[0]
        batch = packed.batch_of(data)
        kept = [row for row in range(len(batch)) if start + row not in refused]
        start += len(batch)
        if len(kept) < len(batch):
            data = batch.take(kept).to_bytes()
            db.execute(
                "UPDATE batch SET data = ?, bytes = ?, readings = ? WHERE id = ?",
                (data, len(data), len(kept), batch_id),
            )


def refusals(batch: ReadingBatch, reasons: Mapping[int, str]) -> list[Reject]:
    """Rejects for the rows that the store will never take, one for each machine and reason.

    Their payload is the rows as ``ReadingBatch.to_bytes()``, so they can be tried again.
    """
    groups: dict[tuple[MachineKey, str], list[int]] = {}
    for row, reason in sorted(reasons.items()):
        groups.setdefault((batch.machines[int(batch.rows["machine"][row])], reason), []).append(row)
    found = []
    for (key, reason), rows in groups.items():
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            found += _kept_whole(batch, key, reason, rows[start : start + _ROWS_AT_ONCE])
    return found


def _kept_whole(batch: ReadingBatch, key: MachineKey, reason: str, rows: list[int]) -> list[Reject]:
    payload = batch.take(rows).to_bytes()
    if len(payload) > WHOLE_BYTES and len(rows) > 1:
        half = len(rows) // 2
        return _kept_whole(batch, key, reason, rows[:half]) + _kept_whole(batch, key, reason, rows[half:])
    shown = described(batch, rows[0])
    faults = tuple(Fault("store", "", show(shown), reason, element) for element in range(len(rows)))
    arrived = int(batch.rows["arrived_ms"][rows[0]])
    return [Reject(key.member, key.machine, "", arrived, faults, payload, shown.encode())]


def described(batch: ReadingBatch, row: int) -> str:
    """One reading as JSON, for people."""
    values = batch.rows[row]
    said: dict[str, object] = {"at": int(values["at_ns"]) // 1_000_000}
    for name in QUANTITIES:
        value = values[name].item()
        if value == value and value not in (NO_INT, NO_STATE):
            said[name] = STATES[value].value if name == "state" else value
    return json.dumps(said)
