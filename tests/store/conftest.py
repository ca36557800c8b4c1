"""Every store in turn, empty, and readings, hours and documents to put in it."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from fleet.records import Document, HourBucket
from store import Store, connect
from tests.servers import InfluxServer, Organisation
from tests.store.front import Front, in_front_of

HOUR = 489_000 * 3600
"""An hour of October 2025, epoch seconds."""
MS = HOUR * 1000
ALL = (0, 4_000_000_000_000)
"""Every device time, epoch ms."""
NOW = time.time_ns() // 1_000_000
A, B, C = MachineKey("alpha", "lathe-1"), MachineKey("alpha", "press"), MachineKey("beta", "lathe-1")


@pytest.fixture(params=["duck", pytest.param("influx", marks=pytest.mark.influxd)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Each kind of store, open and empty."""
    if request.param == "duck":
        opened = connect(f"duckdb://{tmp_path}/store.duckdb")
    else:
        server: InfluxServer = request.getfixturevalue("influxd")
        place = server.organisation()
        opened = connect(place.url, token=place.token)
    await opened.open()
    yield opened
    await opened.close()


def batch(machines: Sequence[MachineKey], at_ms: Sequence[int] | NDArray[np.int64], **columns: object) -> ReadingBatch:
    """One reading a device time, of the machines in turn; columns as keyword arguments, ``arrived_ms`` 1 s later."""
    rows = empty_rows(len(at_ms))
    rows["machine"] = np.arange(len(at_ms)) % len(machines)
    rows["at_ns"] = np.array(at_ms, dtype=np.int64) * 1_000_000 + 17
    rows["arrived_ms"] = np.array(at_ms, dtype=np.int64) + 1000
    metrics = columns.pop("metrics", {})
    for name, column in columns.items():
        rows[name] = column
    assert isinstance(metrics, dict)
    return ReadingBatch(tuple(machines), rows, metrics)


def bucket(key: MachineKey, hour: int, **changes: object) -> HourBucket:
    """A plain hour with some fields changed."""
    fields: dict[str, object] = {
        "seconds": (3600.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), "energy_wh": 1500.5, "pieces": 12, "readings": 60,
        "conflicts": 0, "resets": 0, "power_max_w": 2100.25, "basis": "power", "segments": ((0, 0),),
        "carry": '{"state": 0}', "model": "1", "energy_by_state": (1200.25, 0.0, 300.25, 0.0, 0.0, 0.0, 0.0),
        "metered_s": 3599.5,
    }  # fmt: skip
    return HourBucket(member=key.member, machine=key.machine, hour=hour, **(fields | changes))  # type: ignore[arg-type]  # any field


def document(key: MachineKey, kind: str, at: int, body: str) -> Document:
    return Document(member=key.member, machine=key.machine, kind=kind, at=at, body=body)


@pytest.fixture
def place(influxd: InfluxServer) -> Organisation:
    return influxd.organisation()


@pytest.fixture
async def front(influxd: InfluxServer) -> AsyncIterator[Front]:
    async with in_front_of(influxd) as front:
        yield front


@asynccontextmanager
async def opened(place: Organisation, url: str = "", **options: Any) -> AsyncIterator[Store]:
    store = connect(url or place.url, token=place.token, **options)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def powers(store: Store, *machines: MachineKey) -> list[float]:
    found: list[float] = (await store.read_readings(machines, *ALL)).rows["power_w"].tolist()
    return found
