"""Fixtures of the gateway's tests."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

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


CHROMIUM = "/usr/bin/chromium"


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        pytest.skip("Chromium is not installed; scripts/test installs it where it may: apt install chromium")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()
