"""A reading that changes what is said of its machine: through broker, collector, store, worker and broker again."""

import argparse
import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from accelerator.bench.processes import program
from bus.client import BrokerAddress
from fleet.batch import MachineKey
from fleet.topics import reading_topic
from tests.analytics.floor_world import now_ms, write_fleet
from tests.bench.finding import RULE, Watch, fill, following, keys_of
from tests.e2e.programs import environment
from tests.patience import PATIENCE_S
from tests.servers import Broker, InfluxServer

pytestmark = [pytest.mark.influxd, pytest.mark.mosquitto]


async def test_a_finding_follows_its_reading_and_stays_after_a_restart(
    influxd: InfluxServer, mosquitto: Broker, tmp_path: Path
) -> None:
    keys = keys_of(argparse.Namespace(members=1, machines=3))
    machines = [f'id = "{key.machine}"\nname = "{key.machine}"\nevery = 600' for key in keys]
    write_fleet(tmp_path / "fleet", **{"member-0": machines})
    place = influxd.organisation()
    await fill(place.url, place.token, keys, weeks=8)
    settings = environment(tmp_path, mosquitto.url, place.url, place.token)
    async with AsyncExitStack() as stack:
        watch = await stack.enter_async_context(following(BrokerAddress.parse(mosquitto.url)))
        await stack.enter_async_context(program(["ingest"], settings))
        async with program(["analytics"], settings), asyncio.timeout(PATIENCE_S):
            await watch.settled(len(keys))
            for key in keys[1:]:
                await produce(watch, key)
        before = said(watch, keys)
        assert before[0] == "life"  # nothing was heard of this one: what its neighbours do is no life of its own
        async with program(["analytics"], settings), asyncio.timeout(PATIENCE_S):
            await produce(watch, keys[0])
        assert said(watch, keys)[1:] == before[1:]


async def produce(watch: Watch, key: MachineKey) -> None:
    """Publish that the machine works; return when something else is said of it."""
    payload = json.dumps({"at": now_ms(), "state": "PRODUCING"}).encode()
    watch.session.publish(reading_topic(*key), payload)
    assert await watch.changes(key, "life") != "life"


def said(watch: Watch, keys: list[MachineKey]) -> list[str]:
    """The reason of each machine's finding."""
    return [watch.reasons[f"net/v1/findings/{key.member}/{key.machine}/{RULE}"] for key in keys]
