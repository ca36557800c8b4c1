"""Builds the world of a trial, part by part, and takes it down again whatever happens in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bus.client import BrokerAddress
from simulators.resend import ResendBuffer
from tests.faults.disk import SmallDisk
from tests.faults.http_proxy import HttpProxy
from tests.faults.parts import MACHINES, CollectorProcess, DeployedMosquitto, write_fleet
from tests.faults.proxy import Proxy
from tests.faults.publisher import LedgerPublisher
from tests.faults.watch import Watch
from tests.faults.world import FORGETFUL, Setting, World
from tests.patience import PATIENCE_S
from tests.servers import InfluxServer, find_influxd

MEASURE_S = 0.2
DEVICE_KEEPS_MS = 60_000
"""Longer than a round keeps the collector from the broker, the longest pause between two dials included."""


@asynccontextmanager
async def running_world(
    folder: Path, setting: Setting, *, rate: int, sabotage: str | None = None, patience_s: float = PATIENCE_S
) -> AsyncIterator[World]:
    """A world whose collector is connected and whose publisher publishes ``rate`` messages a second.

    ``patience_s``: how long the collector may take for what it must do before a wait for it raises TimeoutError.
    What goes wrong with publisher or watch ends the trial.
    """
    async with AsyncExitStack() as stack:
        world = await _built(stack, folder, setting, rate, sabotage)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(world.watch.run(stop))
            measuring = group.create_task(_measuring(world.collector))
            await world.watch.session.wait_connected()
            await world.restart_collector()
            group.create_task(world.publisher.run(stop))
            await world.publisher.session.wait_connected()
            world.watch.patience_s = world.to_broker.patience_s = patience_s
            yield world
            stop.set()
            measuring.cancel()


async def _built(stack: AsyncExitStack, folder: Path, setting: Setting, rate: int, sabotage: str | None) -> World:
    """All parts but the collector's process; ``stack`` ends what runs."""
    write_fleet(folder / "fleet", setting.members)
    disk = None
    if setting.small_disk:
        disk = SmallDisk(folder / "small", setting.small_disk_mb)
        stack.callback(disk.unmount)
    place = {name: folder / "small" if name == setting.small_disk else folder for name in ("spool", "store", "log")}
    broker = DeployedMosquitto(folder / "broker", setting.broker)
    stack.callback(broker.kill)
    await asyncio.to_thread(broker.start)
    to_broker = Proxy(("127.0.0.1", broker.port))
    await to_broker.start()
    stack.push_async_callback(to_broker.stop)
    store = await _store(stack, place["store"], setting)
    data_dir = place["spool"] / "data"
    environment = {
        "RESILIAN_BROKER": f"mqtt://127.0.0.1:{to_broker.port}",
        "RESILIAN_STORE": store.seen,
        "RESILIAN_STORE_TOKEN": store.token or "",
        "RESILIAN_FLEET": str(folder / "fleet"),
        "RESILIAN_DATA_DIR": str(data_dir),
        "RESILIAN_LOG": "warning",
    }
    collector = CollectorProcess(environment, _options(setting, sabotage), place["log"] / "collector.log")
    stack.push_async_callback(collector.kill)
    address = BrokerAddress("127.0.0.1", broker.port)
    keeping = setting.devices == "keeping" and sabotage != FORGETFUL
    publisher = LedgerPublisher(
        address, folder / "ledger.jsonl", MACHINES, rate=rate, each=bool(setting.devices),
        buffer=ResendBuffer(keep_ms=DEVICE_KEEPS_MS) if keeping else None,
    )  # fmt: skip
    stack.callback(publisher.close)
    return World(
        folder, broker, store.server, to_broker, store.proxy, collector, publisher, Watch(address), store.url,
        store.token, data_dir, store.front, disk,
    )  # fmt: skip


def _options(setting: Setting, sabotage: str | None) -> list[str]:
    """Of :mod:`tests.faults.entry`."""
    options = ["--sabotage", sabotage] if sabotage and sabotage != FORGETFUL else []
    options += ["--keep-alive", str(setting.keep_alive_s)] if setting.keep_alive_s else []
    return options + (["--spool-fills-disk"] if setting.spool_fills_disk else [])


@dataclass(frozen=True)
class _Store:
    """A store: its URL beside the proxies, and as the collector sees it."""

    url: str
    seen: str
    token: str | None = None
    server: InfluxServer | None = None
    proxy: Proxy | None = None
    front: HttpProxy | None = None


async def _store(stack: AsyncExitStack, folder: Path, setting: Setting) -> _Store:
    if setting.store == "duckdb":
        url = f"duckdb:///{folder / 'store.duckdb'}"
        return _Store(url, url)
    program = find_influxd()
    assert program is not None, "influxd is not built: scripts/build-influxd"
    (folder / "influxd").mkdir()
    server = InfluxServer(program, folder / "influxd")
    stack.callback(server.kill)
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.set_up)
    place = server.organisation()
    proxy = Proxy(("127.0.0.1", server.port))
    await proxy.start()
    stack.push_async_callback(proxy.stop)
    front = HttpProxy(server) if setting.http else None
    if front is not None:
        await front.start()
        stack.push_async_callback(front.stop)
    port = proxy.port if front is None else front.port
    return _Store(place.url, place.url.replace(f":{server.port}", f":{port}"), place.token, server, proxy, front)


async def _measuring(collector: CollectorProcess) -> None:
    while True:
        collector.measure()
        await asyncio.sleep(MEASURE_S)
