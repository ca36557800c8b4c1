"""A network of two members on disk, a Mosquitto, and a running collector."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from bus.client import BrokerAddress
from fleet.registry import Registry, load
from ingest.service import IngestConfig, run
from ingest.spool import Limits
from ingest.writer import Pace
from store import Store, connect
from tests.ingest.ear import Ear, running
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto as Server

NETWORK = """
name = "Essai"
timezone = "Europe/Paris"
[place]
commune = "Belfort"
"""
MEMBER = """
slug = "{slug}"
name = "{slug}"
[place]
commune = "Belfort"
[[machines]]
id = "booth"
name = "Cabine"
[[machines]]
id = "saw"
name = "Scie"
[[machines.feeds]]
topic = "m/{slug}/saw-plug/tele/SENSOR"
format = "tasmota"
[[machines]]
id = "left"
name = "Gauche"
[[machines.feeds]]
topic = "m/{slug}/twin/SENSOR"
format = "tasmota"
channel = "1"
[[machines]]
id = "right"
name = "Droite"
[[machines.feeds]]
topic = "m/{slug}/twin/SENSOR"
format = "tasmota"
channel = "2"
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet's folder with the members acme and zeta."""
    folder = tmp_path / "fleet"
    (folder / "members").mkdir(parents=True)
    (folder / "network.toml").write_text(NETWORK, encoding="utf-8")
    for slug in ("acme", "zeta"):
        (folder / "members" / f"{slug}.toml").write_text(MEMBER.format(slug=slug), encoding="utf-8")
    return folder


@pytest.fixture
def registry(fleet: Path) -> Registry:
    """The registry of that fleet."""
    return load(fleet)


class Mosquitto(Server):
    """A broker of one test that keeps nothing over a restart and tells its counts each second."""

    def __init__(self, folder: Path, **more: str) -> None:
        settings = {
            "persistence": "false",
            "max_inflight_messages": "0",
            "max_queued_messages": "0",
            "queue_qos0_messages": "true",
            "sys_interval": "1",
        }
        super().__init__(folder, settings | more)
        self.address = BrokerAddress.parse(self.url)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running Mosquitto of this test alone."""
    one = Mosquitto(tmp_path)
    one.start()
    yield one
    one.kill()


@pytest.fixture
async def ear(broker: Mosquitto) -> AsyncIterator[Ear]:
    """A client that publishes as devices do and hears what the collector says."""
    one = Ear(broker.address)
    async with running(one.session):
        yield one


@pytest.fixture
def config(broker: Mosquitto, fleet: Path, tmp_path: Path) -> IngestConfig:
    """A collector that is quick to write and to try again."""
    pace = Pace(linger_s=0.02, first_delay_s=0.01, longest_delay_s=0.05, refused_delay_s=0.05)
    return IngestConfig(broker.address, fleet, tmp_path / "data", limits=Limits(min_free_bytes=0), pace=pace)


async def connected(ear: Ear) -> None:
    """Return when the collector says that it is."""
    await until(lambda: ear.health.get("broker", {}).get("connected") is True, "the collector to be connected")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open DuckDB store."""
    one = connect(f"duckdb://{tmp_path}/store.duckdb")
    await one.open()
    yield one
    await one.close()


@contextlib.asynccontextmanager
async def collecting(config: IngestConfig, store: Store) -> AsyncIterator[None]:
    """A collector that runs inside the block, stopped in good order at its end."""
    stop = asyncio.Event()
    task = asyncio.create_task(run(config, store, stop=stop))
    try:
        yield
        if task.done():
            task.result()
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait for a condition; a test that waits in vain says for what."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - other processes and threads make it true
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"waited {seconds} s for: {what}")
