"""A collector that notes when each reading was stored: ``resilian`` itself, with a notebook beside its store.

Rows of :data:`STORED` are appended to the file in TIMED_FILE as soon as the store has confirmed a write. With
TIMED_RATE the store takes no more readings a second than that, so that a flood is more than it can take.
"""

import asyncio
import os
from pathlib import Path

import numpy as np

from accelerator.main import main
from fleet.batch import ReadingBatch
from fleet.clock import now_ms
from ingest.touched import Touched
from ingest.writer import Writer

STORED = np.dtype([("member", "S32"), ("at_ms", "i8"), ("arrived_ms", "i8"), ("stored_ms", "i8")])
FILE, RATE = "TIMED_FILE", "TIMED_RATE"

_add, _write = Touched.add, Writer._write


def _noting(self: Touched, batch: ReadingBatch) -> None:
    rows = np.zeros(len(batch), STORED)
    members = np.array([key.member.encode() for key in batch.machines], "S32")
    rows["member"] = members[batch.rows["machine"]]
    rows["at_ms"] = batch.rows["at_ns"] // 1_000_000
    rows["arrived_ms"] = batch.rows["arrived_ms"]
    rows["stored_ms"] = now_ms()
    with Path(os.environ[FILE]).open("ab") as file:
        file.write(rows.tobytes())
    _add(self, batch)


async def _taking_its_time(self: Writer, part: ReadingBatch) -> None:
    await _write(self, part)
    await asyncio.sleep(len(part) / float(os.environ[RATE]))  # the pace of the store, not a wait for anything


if __name__ == "__main__":
    Touched.add = _noting  # type: ignore[method-assign]  # the notebook
    if os.environ.get(RATE):
        Writer._write = _taking_its_time  # type: ignore[method-assign]  # the store's pace
    main()
