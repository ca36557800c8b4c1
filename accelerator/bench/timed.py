"""A collector that notes when its store had confirmed each reading: ``resilian ingest``, a clock at the store's door.

usage: python -m accelerator.bench.timed FILE.npy

At its end it writes an array of int64, shape (readings, 3): number of the machine (the last part of its name), ``seq``,
and the system's monotonic clock in nanoseconds when ``write_readings`` had returned.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from accelerator import lifetime, logs, settings
from accelerator.opening import broker_address, make_folder, open_store
from accelerator.programs import Parts, ingest_part
from fleet.batch import ReadingBatch
from store import Store


class TimedStore:
    """A store as it is, and when it confirmed what; a write that failed confirms nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._confirmed: list[NDArray[np.int64]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write_readings(self, batch: ReadingBatch) -> None:
        await self._store.write_readings(batch)
        now = time.monotonic_ns()
        numbers = np.array([int(key.machine.rpartition("-")[2]) for key in batch.machines], dtype=np.int64)
        times = np.full(len(batch), now, dtype=np.int64)
        self._confirmed.append(np.stack([numbers[batch.rows["machine"]], batch.rows["seq"], times], axis=1))

    def confirmed(self) -> NDArray[np.int64]:
        """The array of the module's docstring."""
        return np.concatenate(self._confirmed) if self._confirmed else np.zeros((0, 3), dtype=np.int64)


async def _collect(file: Path) -> None:
    chosen = settings.load()
    logs.configure(chosen.log)
    make_folder(chosen.data_dir)
    stop = asyncio.Event()
    lifetime.stop_on_signals(stop)
    async with open_store(chosen) as store:
        timed = TimedStore(store)
        parts = Parts(broker_address(chosen.broker or ""), cast("Store", timed), chosen)
        await lifetime.run_parts({"ingest": ingest_part(parts)}, stop)
    np.save(file, timed.confirmed())


if __name__ == "__main__":
    lifetime.run(_collect(Path(sys.argv[1])))
