"""A worker on a real store and a real broker, and the collector's part played by the test: write, then announce."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from analytics.ledger import fold
from analytics.states import Learned, resolve
from analytics.worker import WorkerConfig, run
from bus.client import BrokerAddress, Session
from fleet.batch import MachineKey, ReadingBatch, Rows, empty_rows
from fleet.records import HourBucket
from fleet.registry import load
from store.base import Store
from store.duck import DuckStore
from tests.patience import PATIENCE_S

NETWORK = """
name = "Essai"
timezone = "Europe/Paris"
[place]
commune = "Saverne"
"""
MEMBER = """
name = "Acme"
[place]
commune = "Saverne"
[[calendar.staffed]]
days = ["mon", "tue", "wed", "thu", "fri"]
start = "06:00"
end = "22:00"
[[calendar.offered]]
days = ["mon", "tue", "wed", "thu", "fri"]
start = "14:00"
end = "22:00"
"""
HOUR_MS = 3_600_000
WEEK_S = 7 * 86_400


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def write_fleet(folder: Path, **members: Sequence[str]) -> Path:
    """A registry of these members, each with machines given as TOML (``id`` and ``name`` first)."""
    (folder / "members").mkdir(parents=True, exist_ok=True)
    (folder / "network.toml").write_text(NETWORK)
    for slug, machines in members.items():
        blocks = "".join(f"[[machines]]\n{machine}\n" for machine in machines)
        (folder / "members" / f"{slug}.toml").write_text(f'slug = "{slug}"{MEMBER}{blocks}')
    return folder


def rows(at_ms: Sequence[int] | np.ndarray[Any, Any], **columns: object) -> Rows:
    """Readings of one machine."""
    made = empty_rows(len(at_ms))
    made["at_ns"] = np.asarray(at_ms, dtype=np.int64) * 1_000_000
    for name, column in columns.items():
        made[name] = column
    return made


class World:
    """The store, the broker's address, and a session that writes to it as ingest does."""

    def __init__(self, broker: BrokerAddress, fleet: Path, store: Store) -> None:
        self.broker, self.fleet, self.store = broker, fleet, store
        self.published: dict[str, bytes] = {}
        self.session = Session(
            broker, client_id="collector", subscriptions=("net/v1/findings/#", "net/v1/health/analytics"),
            on_burst=self._remember,
        )  # fmt: skip

    def _remember(self, burst: Any) -> None:
        for one in burst.deliveries:
            self.published[one.topic] = one.payload
        self.session.acknowledge(burst)

    @property
    def health(self) -> dict[str, Any]:
        return dict(json.loads(self.published.get("net/v1/health/analytics", b"{}")))

    async def put(self, machine: str, readings: Rows, *, member: str = "acme", announce: bool = True) -> None:
        readings = readings.copy()
        readings["machine"] = 0
        await self.store.write_readings(ReadingBatch((MachineKey(member, machine),), readings))
        if announce:
            await self.session.publish_all([(f"net/v1/touched/{member}", b"{}")])

    async def document(self, kind: str, machine: str, member: str = "acme") -> dict[str, Any] | None:
        for document in await self.store.read_documents(kind):
            if (document.member, document.machine) == (member, machine):
                return dict(json.loads(document.body))
        return None

    async def body(self, kind: str, machine: str, member: str = "acme") -> dict[str, Any]:
        found = await self.document(kind, machine, member)
        assert found is not None, f"no document {kind} of {member}/{machine}"
        return found

    async def hours(self, machine: str, member: str = "acme") -> dict[int, HourBucket]:
        found = await self.store.read_hours([MachineKey(member, machine)], 0, 2**40)
        return {bucket.hour: bucket for bucket in found}

    async def from_scratch(self, machine: str, member: str = "acme") -> dict[int, HourBucket]:
        """What one fold of everything makes of the complete hours, by the model in force."""
        key = MachineKey(member, machine)
        declared = load(self.fleet).machine(key)
        assert declared is not None
        learned = await self.document("model", machine, member)
        model = resolve(declared, Learned.from_json(json.dumps(learned)) if learned else None)
        batch = await self.store.read_readings([key], 0, 2**52)
        start = int(batch.rows["at_ns"][0]) // (HOUR_MS * 1_000_000) * 3600
        end_ms = now_ms()
        return complete({one.hour: one for one in fold(key, batch.rows, model, start=start, now_ms=end_ms).hours})

    @asynccontextmanager
    async def worker(self, **config: Any) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(run(WorkerConfig(self.broker, self.fleet, **config), self.store, stop=stop))
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(PATIENCE_S):
                await task


def complete(hours: dict[int, HourBucket]) -> dict[int, HourBucket]:
    """Without the running hour, which ends with the clock."""
    running = now_ms() // HOUR_MS * 3600
    return {hour: bucket for hour, bucket in hours.items() if hour < running}


async def eventually(condition: Callable[[], Awaitable[object]]) -> None:
    """Return when the condition holds; TimeoutError when it does not come true."""
    async with asyncio.timeout(PATIENCE_S):
        for _ in iter(int, 1):
            if await condition():
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def world(
    broker_url: str, folder: Path, kept: Store | None = None, **members: Sequence[str]
) -> AsyncIterator[World]:
    """A registry, an empty store (DuckDB unless another is given) and a connected collector."""
    fleet = write_fleet(folder / "fleet", **members)
    store = kept or DuckStore(str(folder / "store.duckdb"))
    await store.open()
    one, stop = World(BrokerAddress.parse(broker_url), fleet, store), asyncio.Event()
    task = asyncio.create_task(one.session.run(stop))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await one.session.wait_connected()
        yield one
    finally:
        stop.set()
        await task
        await store.close()
