"""Fixtures of the gateway's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import store as stores
from bus.client import BrokerAddress
from store.base import Store
from tests.gateway.running import Running, Starter, serving
from tests.servers import Broker


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = stores.connect(f"duckdb://{tmp_path / 'store.duckdb'}")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def start(tmp_path: Path, mosquitto: Broker, store: Store) -> AsyncIterator[Starter]:
    """Starts gateways; each ends with the test."""
    starter = Starter(tmp_path / "fleet", BrokerAddress.parse(mosquitto.url), store)
    yield starter
    await starter.end()


@pytest.fixture
async def gateway(start: Starter) -> Running:
    """A gateway on the small network with a past, whose pages already know the store."""
    running = await start()
    await serving(running)
    return running
