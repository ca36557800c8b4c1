"""Two collector processes: members go to and fro under load and kills, judged by the ledger oracle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from accelerator.ledger_check import check
from bus.client import BrokerAddress
from fleet.clock import now_ms
from store import connect
from tests.accelerator.cli import resilian
from tests.faults.parts import MACHINES, CollectorProcess, DeployedMosquitto, write_fleet
from tests.faults.publisher import LedgerPublisher
from tests.faults.watch import Watch
from tests.servers import InfluxServer, Organisation

pytestmark = [pytest.mark.faults, pytest.mark.mosquitto, pytest.mark.influxd]
RATE = 500


@dataclass
class Two:
    """The world: a broker, an InfluxDB, the collector without a name, the collector ``north``, a publisher."""

    settings: dict[str, str]
    folder: Path
    store: Organisation
    publisher: LedgerPublisher
    watch: Watch
    plain: CollectorProcess
    north: CollectorProcess

    async def resilian(self, *words: str) -> tuple[int, str]:
        """A command; its exit code, and what it said."""
        data = self.folder / "data"
        done = await asyncio.to_thread(resilian, *words, data=data, **self.settings)
        return done.returncode, done.stdout + done.stderr

    async def move(self, member: str, to: str | None) -> None:
        """``resilian ingest move`` under load."""
        await self.publisher.sends(RATE // 2)
        code, said = await self.resilian("ingest", "move", member, *(["--to", to] if to else []))
        assert (code, said) == (0, f"{member} is collected by {f'ingest-{to}' if to else 'ingest'} now\n")
        await self.publisher.sends(RATE // 4)

    async def judged(self, *, patient: bool = True) -> dict[str, Any]:
        """What the oracle says once everything is stored, or without that wait."""
        await self.publisher.quiet()
        last = [(key, self.publisher.publish(key, at=now_ms() + 1)) for key in MACHINES]
        await self.publisher.recorded()
        if patient:
            for key, at in last:
                await self.watch.stored(key, at)
        assert [await one.stop() for one in (self.plain, self.north)] == [0, 0]
        opened = connect(self.store.url, token=self.store.token)
        await opened.open()
        try:
            return await check(opened, self.folder / "ledger.jsonl")
        finally:
            await opened.close()


@asynccontextmanager
async def two(folder: Path, influxd: InfluxServer, *sabotage: str) -> AsyncIterator[Two]:
    """The world, running; ``sabotage`` are options of the collector ``north``."""
    write_fleet(folder / "fleet", {})
    broker, store = DeployedMosquitto(folder / "broker", {}), influxd.organisation()
    await asyncio.to_thread(broker.start)
    address = BrokerAddress("127.0.0.1", broker.port)
    settings = {
        "RESILIAN_BROKER": address.url, "RESILIAN_STORE": store.url, "RESILIAN_STORE_TOKEN": store.token,
        "RESILIAN_FLEET": str(folder / "fleet"), "RESILIAN_LOG": "warning",
    }  # fmt: skip
    own = {**settings, "RESILIAN_DATA_DIR": str(folder / "data")}
    plain = CollectorProcess(own, [], folder / "plain.log")
    north = CollectorProcess(own, ["--name", "north", *sabotage], folder / "north.log")
    publisher = LedgerPublisher(address, folder / "ledger.jsonl", MACHINES, rate=RATE)
    world = Two(settings, folder, store, publisher, Watch(address), plain, north)
    stop = asyncio.Event()
    tasks = [asyncio.create_task(world.watch.run(stop))]
    try:
        await world.watch.session.wait_connected()
        await plain.start()
        await north.start()
        await world.watch.connected(plain.pid)
        tasks.append(asyncio.create_task(publisher.run(stop)))
        await publisher.session.wait_connected()
        yield world
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        publisher.close()
        for one in (plain, north):
            await one.kill()
        broker.kill()


async def test_members_go_to_and_fro_and_nothing_is_lost(tmp_path: Path, influxd: InfluxServer) -> None:
    async with two(tmp_path, influxd) as world:
        await world.move("birch", "north")
        await world.move("cedar", "north")
        for one in (world.north, world.plain):
            await one.kill()
            await world.publisher.sends(RATE // 2)
            await one.start()
        await world.move("birch", None)
        assert await world.resilian("ingest", "move", "birch") == (0, "birch is collected by ingest already\n")
        code, said = await world.resilian("ingest", "--name", "south", "--members", "cedar")
        assert (code, said.splitlines()[-1]) == (
            2,
            "resilian: --members: cedar is collected by ingest-north: leave it out, and move it with "
            "`resilian ingest move`",
        )
        _, said = await world.resilian("doctor")
        assert "each member is collected by one of ingest, ingest-north" in said
        outcome = await world.judged()
    assert {name: outcome[name] for name in ("lost", "duplicates", "altered", "unsent")} == {
        "lost": 0, "duplicates": 0, "altered": 0, "unsent": 0,
    }, outcome["examples"]  # fmt: skip
    assert outcome["stored"] == outcome["published"] > 2 * RATE


async def test_the_oracle_catches_a_move_that_loses(tmp_path: Path, influxd: InfluxServer) -> None:
    async with two(tmp_path, influxd, "--sabotage", "moved-unsubscribed") as world:
        await world.move("birch", "north")
        outcome = await world.judged(patient=False)
    assert outcome["lost"] > 0
    assert {lost["member"] for lost in outcome["examples"]["lost"]} == {"birch"}
