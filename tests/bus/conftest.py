"""Brokers of each kind, fresh for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bus.brokers import Embedded, Mosquitto, Proxy


@pytest.fixture
async def broker_here(tmp_path: Path) -> AsyncIterator[Embedded]:
    async with Embedded(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture(params=[pytest.param("mosquitto", marks=pytest.mark.mosquitto), "embedded"])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mosquitto | Embedded]:
    """Each kind of broker in turn."""
    if request.param == "embedded":
        async with Embedded(tmp_path / "broker") as one:
            yield one
        return
    mosquitto = Mosquitto(tmp_path)
    await mosquitto.start()
    yield mosquitto
    await mosquitto.kill()


@pytest.fixture
async def proxy(broker: Mosquitto | Embedded) -> AsyncIterator[Proxy]:
    """A proxy in front of that broker."""
    one = Proxy(broker.address)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def mosquitto_here(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A Mosquitto that forgets everything when it is killed."""
    one = Mosquitto(tmp_path)
    await one.start()
    yield one
    await one.kill()


@pytest.fixture
async def mosquitto_proxy(mosquitto_here: Mosquitto) -> AsyncIterator[Proxy]:
    """A proxy in front of it."""
    one = Proxy(mosquitto_here.address)
    await one.start()
    yield one
    await one.stop()
