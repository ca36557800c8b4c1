"""The world of one trial: real processes, our proxies between them, a publisher with its ledger, and who watches.

publisher -> Mosquitto -> proxy -> ``resilian ingest`` -> (proxy ->) store; the watch listens at the broker itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from accelerator.ledger_check import check
from bus.client import BrokerAddress
from fleet.clock import now_ms
from ingest.listing import listed
from store import Store, connect
from tests.faults.disk import SmallDisk
from tests.faults.http_proxy import HttpProxy
from tests.faults.parts import MACHINES, CollectorProcess, DeployedMosquitto, write_fleet
from tests.faults.proxy import Proxy
from tests.faults.publisher import LedgerPublisher
from tests.faults.watch import PATIENCE_S, Watch
from tests.servers import InfluxServer, find_influxd

MEASURE_S = 0.2
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
    """

    store: Literal["duckdb", "influxdb"] = "duckdb"
    broker: Mapping[str, str] = field(default_factory=dict)
    keep_alive_s: int | None = None
    members: Mapping[str, str] = field(default_factory=dict)
    http: bool = False
    small_disk: Literal["", "spool", "store", "log"] = ""
    small_disk_mb: int = 64
    spool_fills_disk: bool = False


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
    front: HttpProxy | None = None
    disk: SmallDisk | None = None
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

    async def judged(self) -> dict[str, Any]:
        """End the collector in good order and ask the oracle; beside its figures ``sessions`` (the document of the
        store), ``exit_code`` and ``rss_mb`` of the collector.
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
        sessions = [loss for document in kept for loss in json.loads(document.body)]
        return {**outcome, "sessions": sessions, "exit_code": code, "rss_mb": round(self.collector.peak_mb)}

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


@asynccontextmanager
async def running_world(
    folder: Path, setting: Setting, *, rate: int, sabotage: str | None = None, patience_s: float = PATIENCE_S
) -> AsyncIterator[World]:
    """A world whose collector is connected and whose publisher publishes ``rate`` messages a second.

    ``patience_s``: how long the collector may take for what it must do before a wait for it raises TimeoutError.
    """
    write_fleet(folder / "fleet", setting.members)
    broker = DeployedMosquitto(folder / "broker", setting.broker)
    await asyncio.to_thread(broker.start)
    to_broker = Proxy(("127.0.0.1", broker.port))
    await to_broker.start()
    disk = SmallDisk(folder / "small", setting.small_disk_mb) if setting.small_disk else None
    place = {name: folder / "small" if name == setting.small_disk else folder for name in ("spool", "store", "log")}
    influxd, to_store, urls, token = await _store(place["store"], setting)
    front = HttpProxy(influxd) if influxd is not None and setting.http else None
    if front is not None and influxd is not None:
        await front.start()
        urls = [urls[0], urls[0].replace(f":{influxd.port}", f":{front.port}")]
    data_dir = place["spool"] / "data"
    environment = {
        "RESILIAN_BROKER": f"mqtt://127.0.0.1:{to_broker.port}",
        "RESILIAN_STORE": urls[1],
        "RESILIAN_STORE_TOKEN": token or "",
        "RESILIAN_FLEET": str(folder / "fleet"),
        "RESILIAN_DATA_DIR": str(data_dir),
        "RESILIAN_LOG": "warning",
    }
    options = ["--sabotage", sabotage] if sabotage else []
    options += ["--keep-alive", str(setting.keep_alive_s)] if setting.keep_alive_s else []
    options += ["--spool-fills-disk"] if setting.spool_fills_disk else []
    collector = CollectorProcess(environment, options, place["log"] / "collector.log")
    address = BrokerAddress("127.0.0.1", broker.port)
    publisher = LedgerPublisher(address, folder / "ledger.jsonl", MACHINES, rate=rate)
    watch = Watch(address)
    world = World(
        folder, broker, influxd, to_broker, to_store, collector, publisher, watch, urls[0], token, data_dir, front, disk
    )
    stop = asyncio.Event()
    tasks = [asyncio.create_task(world.watch.run(stop)), asyncio.create_task(_measuring(collector))]
    try:
        await world.watch.session.wait_connected()
        await world.restart_collector()
        tasks.append(asyncio.create_task(publisher.run(stop)))
        await publisher.session.wait_connected()
        watch.patience_s = to_broker.patience_s = patience_s
        yield world
    finally:
        stop.set()
        tasks[1].cancel()
        await asyncio.wait(tasks, timeout=PATIENCE_S)
        for task in tasks:
            with suppress(asyncio.CancelledError):
                task.result()
        await collector.kill()
        await to_broker.stop()
        broker.kill()
        if to_store is not None and influxd is not None:
            await to_store.stop()
            influxd.kill()
        if front is not None:
            await front.stop()
        if disk is not None:
            disk.unmount()


async def _store(folder: Path, setting: Setting) -> tuple[InfluxServer | None, Proxy | None, list[str], str | None]:
    """Server, proxy, URLs beside and through the proxy, token."""
    if setting.store == "duckdb":
        return None, None, [f"duckdb:///{folder / 'store.duckdb'}"] * 2, None
    program = find_influxd()
    assert program is not None, "influxd is not built: scripts/build-influxd"
    (folder / "influxd").mkdir()
    influxd = InfluxServer(program, folder / "influxd")
    await asyncio.to_thread(influxd.start)
    await asyncio.to_thread(influxd.set_up)
    place = influxd.organisation()
    to_store = Proxy(("127.0.0.1", influxd.port))
    await to_store.start()
    return influxd, to_store, [place.url, place.url.replace(f":{influxd.port}", f":{to_store.port}")], place.token


async def _measuring(collector: CollectorProcess) -> None:
    while True:
        collector.measure()
        await asyncio.sleep(MEASURE_S)
