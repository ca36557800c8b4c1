"""Two collectors at a real Mosquitto, one store: a member goes to and fro while its device publishes."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bus.client import Session
from fleet.batch import MachineKey
from ingest.config import IngestConfig
from ingest.errors import MemberClaimed
from ingest.handover import Holding, Members, remember
from ingest.service import SPOOL_FILE, run
from ingest.thread import SpoolThread
from store import Store
from tests.ingest.conftest import Mosquitto
from tests.ingest.ear import running
from tests.ingest.test_forwarder import Flaky
from tests.patience import PATIENCE_S

ACME = """
slug = "acme"
name = "Acme"
place = { commune = "Haguenau" }

[[machines]]
id = "saw"
name = "Saw"

[[machines.feeds]]
topic = "m/acme/saw/#"
format = "plain-value"
"""
KEY = MachineKey("acme", "saw")


class Others:
    """What the collectors say, and the device: ``m/acme/saw/power``, values without a time, one after the other."""

    def __init__(self, broker: Mosquitto) -> None:
        self.health: dict[str, dict[str, Any]] = {}
        self.sent = 0
        self._changed = asyncio.Event()
        topics = ("net/v1/health/+",)
        self.session = Session(broker.address, client_id="others", subscriptions=topics, on_burst=self._heard)

    def _heard(self, burst: Any) -> None:
        for delivery in burst.deliveries:
            self.health[delivery.topic.rpartition("/")[2]] = json.loads(delivery.payload or b"{}")
        self.session.acknowledge(burst)
        self._changed.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self.health):
                self._changed.clear()
                await self._changed.wait()

    async def publish(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for _ in range(5):
                self.session.publish("m/acme/saw/power", str(self.sent).encode())
                self.sent += 1
            await asyncio.sleep(0.002)  # the pace of the device
        await self.session.flush()

    async def move(self, to: str) -> None:
        began = self.health[to]["at"]
        self.session.publish(f"net/v1/command/{to}", json.dumps({"do": "adopt", "member": "acme"}).encode())
        await self.until(lambda health: (health[to].get("last_command") or {}).get("at", 0) >= began)
        assert self.health[to]["last_command"].get("result") == 1, self.health[to]["last_command"]


@pytest.fixture
async def others(broker: Mosquitto) -> AsyncIterator[Others]:
    one = Others(broker)
    async with running(one.session):
        yield one


@pytest.fixture
def config(config: IngestConfig, fleet: Path) -> IngestConfig:
    (fleet / "members" / "acme.toml").write_text(ACME)
    return config


def named(config: IngestConfig, name: str, *members: str) -> IngestConfig:
    return replace(config, name=name, members=frozenset(members), data_dir=config.data_dir / name)


@contextlib.asynccontextmanager
async def collecting(config: IngestConfig, store: Store, others: Others) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run(config, store, stop=stop))
    try:
        waiting = asyncio.create_task(
            others.until(
                lambda health: (
                    health.get(config.program, {}).get("broker", {}).get("connected")
                    and (not config.members or config.members <= set(health[config.program]["members"]))
                )
            )
        )
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
        yield
    finally:
        stop.set()
        await task


async def stored(store: Store) -> Counter[int]:
    found = await store.read_readings([KEY], 0, 2**42)
    return Counter(found.rows["power_w"].astype(int).tolist())


async def all_stored(store: Store, others: Others) -> None:
    """Return when the store has as many readings as were sent; what a stop leaves in a spool is not lost."""
    async with asyncio.timeout(PATIENCE_S):
        while (await stored(store)).total() < others.sent:  # noqa: ASYNC110 - the collectors make it true
            await asyncio.sleep(0.05)


async def to_and_fro(config: IngestConfig, store: Store, others: Others, moves: int) -> None:
    north = named(config, "north")
    stop = asyncio.Event()
    async with collecting(config, store, others), collecting(north, store, others):
        device = asyncio.create_task(others.publish(stop))
        for number in range(moves):
            await others.until(lambda health, goal=others.sent + 200: others.sent >= goal)
            await others.move(("ingest-north", "ingest")[number % 2])
        stop.set()
        await device
        names = ("ingest", "ingest-north")
        await others.until(lambda health: sum(health[name]["received"] for name in names) >= others.sent)
        await all_stored(store, others)


async def test_nothing_is_lost_or_doubled(config: IngestConfig, store: Store, others: Others) -> None:
    await to_and_fro(config, store, others, 3)
    assert await stored(store) == Counter(range(others.sent))


async def test_without_the_rule_of_the_fence_readings_are_doubled(
    config: IngestConfig, store: Store, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Members, "takes", lambda self, member: True)
    await to_and_fro(config, store, others, 2)
    found = await stored(store)
    assert found.total() > len(found) == others.sent


async def test_one_that_is_away_keeps_what_came_before_the_move(
    config: IngestConfig, store: Store, others: Others
) -> None:
    north, stop = named(config, "north"), asyncio.Event()
    async with collecting(config, store, others):
        pass
    async with collecting(north, store, others):
        device = asyncio.create_task(others.publish(stop))
        await others.until(lambda health, goal=others.sent + 200: others.sent >= goal)
        await others.move("ingest-north")
        stop.set()
        await device
    before = await stored(store)
    assert before.total() < others.sent
    async with collecting(config, store, others), collecting(north, store, others):
        await others.until(lambda health: health["ingest"].get("elsewhere") == {"acme": "ingest-north"})
        await all_stored(store, others)
    assert await stored(store) == Counter(range(others.sent))


async def test_while_the_store_is_away_one_that_was_moved_fills_a_spool_of_its_own(
    config: IngestConfig, store: Store, others: Others
) -> None:
    """Moved in time, a member whose spool is full waits at the broker alone; the others are taken as before."""
    away, stop = Flaky(store), asyncio.Event()
    away.open_gate.clear()
    small = replace(named(config, "north"), limits=replace(config.limits, quota_bytes=60_000))
    async with collecting(config, away, others), collecting(small, away, others):
        device = asyncio.create_task(others.publish(stop))
        await others.until(lambda health: health["ingest"]["spool_bytes"] > 0)
        await others.move("ingest-north")
        await others.until(lambda health: health["ingest-north"]["full"])
        before = others.health["ingest"]["spool_readings"]
        others.session.publish("m/zeta/booth/reading", b'{"power_w": 1}')
        await others.until(lambda health: health["ingest"]["spool_readings"] == before + 1)
        assert others.health["ingest"]["full"] is None
        stop.set()
        await device
        away.open_gate.set()
        await all_stored(store, others)
    assert await stored(store) == Counter(range(others.sent))


async def test_members_to_begin_with_and_one_that_another_has(
    config: IngestConfig, store: Store, others: Others
) -> None:
    async with collecting(named(config, "north", "acme"), store, others):
        assert others.health["ingest-north"]["members"] == ["acme"]
        with pytest.raises(MemberClaimed, match=r"^acme is collected by ingest-north: "):
            async with collecting(named(config, "south", "acme"), store, others):
                await others.until(lambda health: False)
        others.session.publish("m/zeta/booth/reading", b'{"power_w": 1}')
        others.session.publish("m/acme/saw/power", b"7")
        await others.until(lambda health: health["ingest-north"]["stored"] == 1)
        assert others.health["ingest-north"]["received"] == 1
    async with collecting(named(config, "south"), store, others):
        assert others.health["ingest-south"]["members"] == []
    assert await stored(store) == Counter([7])


async def test_who_lost_its_spool_leaves_the_others_theirs(
    config: IngestConfig, store: Store, others: Others, tmp_path: Path
) -> None:
    anew = replace(config, data_dir=tmp_path / "new")
    async with collecting(named(config, "north", "acme"), store, others), collecting(anew, store, others):
        await others.until(lambda health: health["ingest"].get("elsewhere") == {"acme": "ingest-north"})
        others.session.publish("m/acme/saw/power", b"7")
        await others.session.flush()
        await others.until(lambda health: health["ingest-north"]["stored"] == 1)
    assert await stored(store) == Counter([7])


async def test_a_move_that_a_kill_cut_off_is_finished(config: IngestConfig, store: Store, others: Others) -> None:
    """Killed after it had asked for the member and before the fence came: the fence is published anew."""
    north = named(config, "north")
    thread = SpoolThread(north.data_dir / SPOOL_FILE, north.limits, lambda report: pytest.fail(report))
    await thread.open()
    await thread.query(lambda db: remember(db, {"acme": Holding("adopting", "f1")}))
    await thread.close()
    async with collecting(config, store, others), collecting(north, store, others):
        await others.until(lambda health: health["ingest-north"]["members"] == ["acme"])
        await others.until(lambda health: health["ingest"]["elsewhere"] == {"acme": "ingest-north"})
        others.session.publish("m/acme/saw/power", b"7")
        await others.until(lambda health: health["ingest-north"]["stored"] == 1)
    assert await stored(store) == Counter([7])
