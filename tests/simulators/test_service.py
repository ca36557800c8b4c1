"""The machines towards a real broker: history, life, truth, and an orderly end."""

import asyncio
import csv
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bus.client import BrokerAddress, Burst, Session
from fleet import registry
from fleet.clock import now
from simulators import network
from simulators.formats import FORMATS
from simulators.service import SimulateConfig, run
from tests.patience import PATIENCE_S
from tests.servers import Broker

pytestmark = pytest.mark.mosquitto


class Listener:
    """Everything that devices said, by topic."""

    def __init__(self) -> None:
        self.said: defaultdict[str, list[bytes]] = defaultdict(list)
        self.changed = asyncio.Event()
        self.session: Session | None = None

    def on_burst(self, burst: Burst) -> None:
        for delivery in burst.deliveries:
            self.said[delivery.topic].append(delivery.payload)
        if self.session:
            self.session.acknowledge(burst)
        self.changed.set()

    async def until_topics(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.said) < count:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def listening(address: BrokerAddress) -> AsyncIterator[Listener]:
    listener, stop = Listener(), asyncio.Event()
    listener.session = Session(
        address, client_id="listener", subscriptions=("m/#",), on_burst=listener.on_burst, session_expiry_s=0
    )
    task = asyncio.create_task(listener.session.run(stop))
    await listener.session.wait_connected()
    try:
        yield listener
    finally:
        stop.set()
        await task


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network.write(tmp_path / "fleet", seed=1, now=now())
    return tmp_path / "fleet"


def readings(payload: bytes) -> list[dict[str, object]]:
    found = json.loads(payload)
    return found if isinstance(found, list) else [found]


async def test_history_then_life_with_the_truth_beside(mosquitto: Broker, folder: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    config = SimulateConfig(
        broker=BrokerAddress.parse(mosquitto.url),
        fleet_dir=folder,
        history_weeks=1,
        live_every=(0.5, 1.0),
        truth=tmp_path / "truth.csv",
        imperfect=False,
        collector_s=0.0,
        progress=lambda done, total, what="": told.append((done, total)),
    )
    async with listening(config.broker) as listener:
        stop = asyncio.Event()
        task = asyncio.create_task(run(config, stop=stop))
        async with asyncio.timeout(PATIENCE_S):
            while not told or told[-1][0] < told[-1][1]:
                await asyncio.wait({task}, timeout=0.05)
                assert not task.done()
        await listener.until_topics(200)  # live topics of meters stand beside the topics of the history
        stop.set()
        counts = await task
    assert counts.lost_messages == 0
    assert counts.live_messages > 0
    assert counts.machines == told[-1][1]
    history = [payload for said in listener.said.values() for payload in said if payload.startswith(b"[")]
    assert sum(len(json.loads(payload)) for payload in history) == counts.history_readings
    assert counts.history_readings > 80_000
    assert_true(tmp_path / "truth.csv", listener, folder)


def assert_true(truth: Path, listener: Listener, folder: Path) -> None:
    """Every state that was published is the true one, in the history and live."""
    spans: defaultdict[str, list[tuple[float, float, str]]] = defaultdict(list)
    with truth.open(newline="") as file:
        for row in csv.DictReader(file):
            assert row["machine"].startswith(f"{row['member']}/")
            start, end = (datetime.fromisoformat(row[column]).timestamp() * 1000 for column in ("start", "end"))
            spans[row["machine"]].append((start, end, row["state"]))
    judged = 0
    for member, machine in registry.load(folder).machines():
        said = listener.said.get(f"m/{member.slug}/{machine.id}/reading", [])
        states = {
            reading["at"]: reading["state"] for payload in said for reading in readings(payload) if "state" in reading
        }
        wire = FORMATS[machine.feeds[0].format if machine.feeds else "canonical"]
        for start, end, state in spans[f"{member.slug}/{machine.id}"]:
            inside = [at for at in states if isinstance(at, int) and round(start) <= at < round(end)]
            assert {states[at] for at in inside} <= {state, wire.heard(state)}
            judged += len(inside)
    assert judged > 40_000


async def test_it_ends_by_itself_and_faster_lives_change_more(mosquitto: Broker, folder: Path, tmp_path: Path) -> None:
    config = SimulateConfig(
        broker=BrokerAddress.parse(mosquitto.url),
        fleet_dir=folder,
        speed=600.0,
        for_seconds=3.0,
        live_every=(0.5, 1.0),
        truth=tmp_path / "truth.csv",
    )
    async with listening(config.broker) as listener:
        counts = await run(config, stop=asyncio.Event())
    assert counts.history_readings == 0
    assert counts.live_messages >= sum(len(said) for said in listener.said.values()) > 0
    with (tmp_path / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > counts.machines, "half an hour of life: some changed their state"
    assert all(datetime.fromisoformat(row["end"]) <= datetime.now(UTC) for row in rows)


async def test_a_broker_that_is_away_stops_nobody(folder: Path, unused_tcp_port: int) -> None:
    config = SimulateConfig(
        broker=BrokerAddress("127.0.0.1", unused_tcp_port), fleet_dir=folder, for_seconds=0.5, history_weeks=1
    )
    counts = await run(config, stop=asyncio.Event())
    assert counts.history_messages == 0


async def test_without_a_network_there_is_nothing_to_simulate(tmp_path: Path) -> None:
    config = SimulateConfig(broker=BrokerAddress("127.0.0.1", 1), fleet_dir=tmp_path)
    with pytest.raises(registry.RegistryMissing, match=r"network\.toml"):
        await run(config, stop=asyncio.Event())
