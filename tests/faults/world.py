"""The world of one trial: real processes, our proxies between them, a publisher with its ledger, and who watches.

publisher -> Mosquitto -> proxy -> ``resilian ingest`` -> (proxy ->) store; the watch listens at the broker itself.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from accelerator.ledger_check import check
from fleet.clock import now_ms
from ingest.listing import listed
from store import Store, connect
from tests.faults.disk import SmallDisk
from tests.faults.http_proxy import HttpProxy
from tests.faults.parts import MACHINES, CollectorProcess, DeployedMosquitto
from tests.faults.proxy import Proxy
from tests.faults.publisher import LedgerPublisher
from tests.faults.watch import Watch
from tests.servers import InfluxServer

FORGETFUL = "forgetful-device"
"""A sabotage of the devices, not of the collector: they keep nothing of what they sent."""
SHOWN = 1_000_000
"""Of each kind that the oracle finds; a scenario may have to account for every one."""


@dataclass(frozen=True)
class Setting:
    """What a scenario wants of its world.

    Attributes:
        store: the embedded store of the collector, or a real InfluxDB behind a proxy.
        broker: settings of Mosquitto instead of those deployed, or beside them.
        keep_alive_s: of the collector's session, instead of its own.
        members: machines (TOML) of further members, for devices of a scenario's own.
        http: the collector reaches InfluxDB through ``World.front``, which speaks HTTP.
        small_disk: what of the collector's is on ``World.disk``: its data folder, the embedded store, or its log.
        small_disk_mb: its size; the spool wants 256 MB of it to remain free.
        spool_fills_disk: the spool leaves nothing free.
        devices: each machine is a device that numbers its own readings, and keeps what it sent or forgets it.
    """

    store: Literal["duckdb", "influxdb"] = "duckdb"
    broker: Mapping[str, str] = field(default_factory=dict)
    keep_alive_s: int | None = None
    members: Mapping[str, str] = field(default_factory=dict)
    http: bool = False
    small_disk: Literal["", "spool", "store", "log"] = ""
    small_disk_mb: int = 64
    spool_fills_disk: bool = False
    devices: Literal["", "keeping", "forgetful"] = ""


@dataclass
class World:
    """One trial's parts, all running.

    Attributes:
        broker, influxd: servers that can be killed, held and started (``influxd`` None with the embedded store).
        to_broker, to_store: proxies in front of them, as the collector sees them.
        store_url: where the store is without a proxy.
        data_dir: the collector's data folder; its spool is ``ingest/spool.sqlite`` in it.
        front, disk: as the setting wants them.
        round: which round of the fault it is, from 1; 0 before the first.
        notes: for what a scenario wants to remember from one round to the next, and to its end.
    """

    folder: Path
    broker: DeployedMosquitto
    influxd: InfluxServer | None
    to_broker: Proxy
    to_store: Proxy | None
    collector: CollectorProcess
    publisher: LedgerPublisher
    watch: Watch
    store_url: str
    store_token: str | None
    data_dir: Path
    front: HttpProxy | None
    disk: SmallDisk | None
    round: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    async def restart_collector(self, *more: str, clock: str | None = None) -> None:
        """Start the collector again, at ``clock`` if that is given, and return when it is connected."""
        await self.collector.start(*more, clock=clock)
        await self.watch.connected(self.collector.pid)

    async def stored_so_far(self) -> None:
        """Hold the publisher, and return when everything that it sent is stored."""
        await self.publisher.quiet()
        at = self.publisher.publish(MACHINES[0], at=now_ms() + 1)
        await self.publisher.quiet()
        await self.watch.stored(MACHINES[0], at)

    async def drained(self) -> None:
        """As :meth:`stored_so_far`, and nothing waits in the spool: a loud member's readings come after the others'."""
        await self.stored_so_far()
        await self.watch.until(
            lambda: self.watch.health["pid"] == self.collector.pid and not self.watch.health["spool_readings"]
        )

    async def judged(self) -> dict[str, Any]:
        """End the collector in good order and ask the oracle.

        Beside its figures: ``sessions``, the document of the store, and with it ``arrived`` (number of each stored
        reading of the publisher -> arrival); ``exit_code`` and ``rss_mb`` of the collector.
        """
        await self.publisher.recorded()
        code = await self.collector.stop()
        spool, files = self.data_dir / "ingest" / "spool.sqlite", []
        for kind in ("reject", "unclaimed"):
            file = self.folder / f"{kind}.json"
            file.write_text(json.dumps(listed(spool, kind=kind)))
            files.append(file)
        async with self.store() as store:
            outcome = await check(store, self.folder / "ledger.jsonl", files, shown=SHOWN)
            kept = await store.read_documents("session")
            arrived = await self._arrived(store) if kept else {}
        sessions = [loss for document in kept for loss in json.loads(document.body)]
        return {
            **outcome,
            "sessions": sessions,
            "arrived": arrived,
            "exit_code": code,
            "rss_mb": round(self.collector.peak_mb),
        }

    async def _arrived(self, store: Store) -> dict[int, int]:
        """Number of each stored reading of the publisher -> its arrival, epoch ms."""
        rows = (await store.read_readings(MACHINES, -(2**43), 2**43)).rows
        rows = rows[rows["boot"] == self.publisher.boot]
        return dict(zip(rows["seq"].tolist(), rows["arrived_ms"].tolist(), strict=True))

    async def command(self, *arguments: str) -> str:
        """What ``resilian`` prints with these arguments, beside the running collector.

        Raises:
            AssertionError: its exit code is not 0.
        """
        return await self.collector.command(*arguments)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The store, opened beside the proxies; an embedded one only while the collector does not run."""
        store = connect(self.store_url, token=self.store_token)
        await store.open()
        try:
            yield store
        finally:
            await store.close()
