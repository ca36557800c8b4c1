"""An edge node, a real Mosquitto, the collector with restarts, a store."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bus.client import BrokerAddress, Burst, Session
from fleet.batch import MachineKey
from fleet.states import STATE_CODE
from ingest.service import IngestConfig
from ingest.sparkplug.payload import parse
from ingest.spool import Limits
from ingest.writer import Pace
from store import Store
from tests.ingest.conftest import Mosquitto, collecting, until
from tests.ingest.ear import running
from tests.ingest.edge import Edge
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.mosquitto
PRESS = MachineKey("acme", "press")
UNKNOWN = STATE_CODE["UNKNOWN"]
FEED = """
[[machines]]
id = "press"
name = "Presse"
[[machines.feeds]]
topic = "spBv1.0/acme/+/line/press"
format = "sparkplug"
"""
HOST3, HOST2 = "spBv1.0/STATE/resilian-ingest", "STATE/resilian-ingest"


def now() -> int:
    return time.time_ns() // 1_000_000


class Plant:
    """The edge node on the broker: sends, hears its commands, the host's state, the collector's health."""

    def __init__(self, address: BrokerAddress) -> None:
        self.edge = Edge()
        self.heard: dict[str, list[bytes]] = {}
        topics = ("spBv1.0/acme/NCMD/line", "spBv1.0/STATE/+", "STATE/+", "net/v1/#")
        self.session = Session(address, client_id="plant", subscriptions=topics, on_burst=self._on_burst)

    def _on_burst(self, burst: Burst) -> None:
        for delivery in burst.deliveries:
            self.heard.setdefault(delivery.topic, []).append(bytes(delivery.payload))
        self.session.acknowledge(burst)

    async def send(self, *messages: tuple[str, bytes]) -> None:
        await self.session.publish_all(messages)

    @property
    def commands(self) -> list[str]:
        """Names of the metrics of all commands so far."""
        return [one.name for payload in self.heard.get("spBv1.0/acme/NCMD/line", []) for one in parse(payload).metrics]

    @property
    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.heard.get("net/v1/health/ingest", [b"{}"])[-1])
        return found

    def figure(self, name: str) -> int:
        found: int = self.health.get("sparkplug", {}).get(name, 0)
        return found

    async def ready(self) -> None:
        """The host is there."""
        await until(lambda: self.state() is True, "the host's STATE")
        await until(lambda: self.health.get("broker", {}).get("connected") is True, "the collector's connection")

    def state(self) -> bool | None:
        """What the newest STATE of 3.0 says."""
        last = self.heard.get(HOST3, [b""])[-1]
        return bool(json.loads(last)["online"]) if last else None


@pytest.fixture
async def plant(broker: Mosquitto) -> AsyncIterator[Plant]:
    async with on_broker(broker.address) as one:
        yield one


@asynccontextmanager
async def on_broker(address: BrokerAddress) -> AsyncIterator[Plant]:
    """A plant that is connected inside the block."""
    one = Plant(address)
    async with running(one.session):
        yield one


@pytest.fixture
def config(broker: Mosquitto, fleet: Path, tmp_path: Path) -> IngestConfig:
    with (fleet / "members" / "acme.toml").open("a") as file:
        file.write(FEED)
    pace = Pace(linger_s=0.02, first_delay_s=0.01, longest_delay_s=0.05, refused_delay_s=0.05)
    return IngestConfig(broker.address, fleet, tmp_path / "data", limits=Limits(min_free_bytes=0), pace=pace)


async def stored(store: Store, done: Callable[[list[tuple[int, float, int]]], bool]) -> list[tuple[int, float, int]]:
    """(ms, power, state) of the press, in order, once ``done`` is true of them."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            rows = (await store.read_readings([PRESS], 0, 2**42)).rows
            found = sorted((int(row["at_ns"]) // 1_000_000, float(row["power_w"]), int(row["state"])) for row in rows)
            if done(found):
                return found
            await asyncio.sleep(0.01)


async def test_from_birth_over_a_restart_to_death_and_rebirth(config: IngestConfig, store: Store, plant: Plant) -> None:
    edge, start = plant.edge, now()
    async with collecting(config, store):
        await plant.ready()
        await plant.send(edge.nbirth(start), edge.dbirth("press", start, Power=100.0, State="EXECUTE"))
        await plant.send(edge.data("press", start + 1, Power=101.0))
        await stored(store, lambda rows: len(rows) == 2)
    await plant.send(edge.data("press", start + 2, Power=102.0))  # while the collector is away
    async with collecting(config, store):
        await plant.send(edge.data("press", start + 3, Power=103.0))
        rows = await stored(store, lambda rows: len(rows) == 4)
        assert [power for _, power, _ in rows] == [100.0, 101.0, 102.0, 103.0]
        assert plant.commands == []  # aliases and sequence outlived the restart
        await plant.send(edge.ndeath())
        rows = await stored(store, lambda rows: len(rows) == 5)
        assert rows[-1][2] == UNKNOWN
        assert rows[-1][0] > start + 3
        await plant.send(edge.data("press", now(), Power=104.0))
        await until(lambda: plant.commands == ["Node Control/Rebirth"], "the request for a rebirth")
        again = now()
        await plant.send(edge.nbirth(again), edge.dbirth("press", again, Power=200.0, State="IDLE"))
        rows = await stored(store, lambda rows: len(rows) == 6)
        assert rows[-1] == (again, 200.0, STATE_CODE["STANDBY"])
        await until(lambda: plant.figure("deaths") == 1, "the death in the health")
        await until(lambda: plant.health["rejected"] == 1, "what came by a dead alias among the rejects")
        late = edge.data("press", again + 1, Power=201.0)
        await plant.send(edge.data("press", again + 2, Power=202.0))
        await until(lambda: plant.health["gaps"]["missing"] == 1, "the message that is missing")
        [node] = plant.health["gaps"]["machines"]
        assert (node["member"], node["node"]) == ("acme", "line")
        assert [(gap["first"], gap["after"], gap["before"]) for gap in node["ranges"]] == [(2, again, again + 2)]
        await plant.send(late)
        await until(lambda: plant.health["gaps"]["missing"] == 0, "it to be told no longer")


async def test_the_hosts_state_of_both_versions(config: IngestConfig, store: Store, plant: Plant) -> None:
    async with collecting(config, store):
        await plant.ready()
        await until(lambda: plant.heard.get(HOST2, [])[-1:] == [b"ONLINE"], "the state of 2.2")
        born = json.loads(plant.heard[HOST3][-1])
        assert abs(born["timestamp"] - now()) < 60_000
        said = len(plant.heard[HOST3])
        await plant.session.publish_all([(HOST3, b'{"online": false, "timestamp": 1}')], retain=True)
        await until(lambda: len(plant.heard[HOST3]) > said and plant.state() is True, "the host to contradict")
    await until(lambda: plant.state() is False, "the host's leave")
    assert json.loads(plant.heard[HOST3][-1]) == {"online": False, "timestamp": born["timestamp"]}
    await until(lambda: plant.heard[HOST2][-1] == b"OFFLINE", "the leave of 2.2")


async def test_the_state_comes_back_with_the_broker(
    config: IngestConfig, store: Store, plant: Plant, broker: Mosquitto
) -> None:
    async with collecting(config, store):
        await plant.ready()
        await plant.send(plant.edge.nbirth(now()), plant.edge.dbirth("press", now(), Power=1.0))
        await stored(store, lambda rows: len(rows) == 1)
        first = json.loads(plant.heard[HOST3][-1])["timestamp"]
        broker.kill()
        broker.start()
        await until(lambda: json.loads(plant.heard[HOST3][-1])["timestamp"] > first, "a new birth of the host")
        assert plant.state() is True
        await until(lambda: plant.commands == ["Node Control/Rebirth"], "the nodes to be asked after a lost session")


async def test_a_login_that_is_one_connection(
    config: IngestConfig, store: Store, broker: Mosquitto, tmp_path: Path
) -> None:
    """With ``use_username_as_clientid`` a session of the state's own would end the collector's."""
    with (tmp_path / "mosquitto.conf").open("a") as file:
        file.write("use_username_as_clientid true\n")
    broker.kill()
    broker.start()
    ingest, edge = (BrokerAddress.parse(f"mqtt://{name}:word@127.0.0.1:{broker.port}") for name in ("ingest", "edge"))
    async with on_broker(edge) as plant:
        async with collecting(replace(config, broker=ingest), store):
            await plant.ready()
            await until(lambda: plant.heard.get(HOST2, [])[-1:] == [b"ONLINE"], "the state of 2.2")
            await plant.send(plant.edge.nbirth(now()), plant.edge.dbirth("press", now(), Power=1.0))
            await stored(store, lambda rows: len(rows) == 1)
            assert plant.health["broker"]["session_losses"] == 0
        await until(lambda: plant.state() is False, "the host's leave")
        await until(lambda: plant.heard[HOST2][-1] == b"OFFLINE", "the leave of 2.2")


async def test_no_feed_no_host(config: IngestConfig, store: Store, plant: Plant, fleet: Path) -> None:
    """Without Sparkplug feeds nothing is said; with the first one, while the collector runs, it is."""
    file = fleet / "members" / "acme.toml"
    text = file.read_text()
    file.write_text(text.removesuffix(FEED))
    async with collecting(config, store):
        await until(lambda: plant.health.get("broker", {}).get("connected") is True, "the collector's connection")
        assert HOST3 not in plant.heard
        file.write_text(text)
        await plant.ready()
        file.write_text(text.removesuffix(FEED))
        await until(lambda: plant.state() is False, "the host's leave with the last feed")


async def test_a_late_claim_reads_what_came_before(
    config: IngestConfig, store: Store, plant: Plant, fleet: Path
) -> None:
    file = fleet / "members" / "acme.toml"
    text = file.read_text()
    file.write_text(text.removesuffix(FEED))
    start = now()
    async with collecting(config, store):
        edge = plant.edge
        await until(lambda: plant.health.get("broker", {}).get("connected") is True, "the collector's connection")
        await plant.send(edge.nbirth(start), edge.dbirth("press", start, Power=1.0))
        await plant.send(edge.data("press", start + 1, Power=2.0))
        await until(lambda: plant.health.get("unclaimed") == 3, "the unclaimed messages")
        file.write_text(text)
        rows = await stored(store, lambda rows: len(rows) == 2)
        assert [power for _, power, _ in rows] == [1.0, 2.0]
        await plant.send(edge.data("press", start + 2, Power=3.0))
        await stored(store, lambda rows: len(rows) == 3)
