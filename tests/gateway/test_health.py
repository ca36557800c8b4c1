"""What the gateway says of itself, and when it reads documents again."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bus.client import BrokerAddress, Burst, Session
from fleet import clock
from fleet.batch import MachineKey
from gateway.config import GatewayConfig
from gateway.live import Change, Live
from gateway.looked import Looks
from gateway.messages import Health
from gateway.metrics import Metrics
from gateway.picture import Picture
from gateway.service import figures, is_cause
from gateway.web import Site
from store.base import Store, StoreUnavailable
from tests.gateway import world_registry
from tests.gateway.running import Running
from tests.patience import PATIENCE_S
from tests.servers import Broker

TOPIC = "net/v1/health/gateway"


@contextlib.asynccontextmanager
async def hearing(broker: Broker) -> AsyncIterator["asyncio.Queue[dict[str, Any]]"]:
    """What is said on the gateway's health topic, from the retained message on."""
    said, stop = asyncio.Queue[dict[str, Any]](), asyncio.Event()

    def hear(burst: Burst) -> None:
        for delivery in burst.deliveries:
            said.put_nowait(json.loads(bytes(delivery.payload)))
        ear.acknowledge(burst)

    ear = Session(
        BrokerAddress.parse(broker.url), client_id="ear", subscriptions=(TOPIC,), on_burst=hear, session_expiry_s=0
    )
    listening = asyncio.create_task(ear.run(stop))
    try:
        yield said
    finally:
        stop.set()
        await listening


async def connected(said: "asyncio.Queue[dict[str, Any]]", since: int = 0) -> dict[str, Any]:
    """The first message of a connection later than ``since``."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            one = await said.get()
            if one["alive"] and one["broker"]["connected"] and one["broker"]["since"] > since:
                return one


async def test_health_is_of_the_common_form_and_ends_with_the_will(gateway: Running, mosquitto: Broker) -> None:
    async with hearing(mosquitto) as said:
        first = await connected(said)
        assert first["store"] == {"ok": True, "since": None, "error": None}
        assert Health.model_validate(first).broker.since == first["broker"]["since"]
        mosquitto.kill()
        mosquitto.start()
        second = await connected(said, first["broker"]["since"])
        assert second["broker"]["session_losses"] == 0, "the gateway asks the broker to keep no session"
        gateway.stop.set()
        await gateway.done
        async with asyncio.timeout(PATIENCE_S):
            while (await said.get())["alive"]:
                pass
        assert said.empty()


async def test_the_store_is_away_since_epoch_ms(tmp_path: Path, store: Store) -> None:
    now = datetime(2026, 3, 2, 10, tzinfo=UTC)
    fleet = world_registry.write_registry(tmp_path / "fleet", now)
    picture = Picture(store, fleet, lambda: now)
    config = GatewayConfig(BrokerAddress.parse("mqtt://127.0.0.1:1"), fleet.folder)
    site = Site(config, picture, Live(), Metrics(), Looks(store, clock.now))
    picture.failed(StoreUnavailable("away"))
    assert figures(site)["store"] == {"ok": False, "since": 1_772_445_600_000, "error": "away"}


@pytest.mark.parametrize(
    ("kind", "member", "expected"),
    [
        ("health", "analytics", True),
        ("health", "ingest", False),
        ("rejects", "analytics", False),
        ("unclaimed", "analytics", False),
        ("finding", "acme", True),
        ("registry", "", True),
    ],
)
def test_a_member_called_analytics_causes_no_refresh(kind: Any, member: str, expected: bool) -> None:
    assert is_cause(Change(kind, MachineKey(member, ""))) is expected
