"""A device that keeps what it sent: bounds, and a broker that is killed with everything it had acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bus.client import BrokerAddress, Burst, PacketTooLarge, Session
from fleet.clock import now
from fleet.registry import Registry
from simulators import network
from simulators.device import Device
from simulators.imperfections import PERFECT
from simulators.keeping import Keeping
from simulators.plant import plants_of
from simulators.resend import ResendBuffer
from simulators.service import SimulateConfig, run
from simulators.timeline import Timeline, counting_since
from tests.faults.parts import DeployedMosquitto
from tests.patience import PATIENCE_S
from tests.simulators.conftest import NOW, ms

MESSAGES = [("m/acme/press/reading", b'{"seq":%d}' % number) for number in range(300)]


def test_a_message_is_kept_for_a_while_after_somebody_took_it() -> None:
    buffer = ResendBuffer(keep_ms=1_000)
    first, second = (buffer.keep("t", b"%d" % number, number) for number in range(2))
    assert [kept.payload for kept in buffer.again(10**9)] == [b"0", b"1"], "nobody took them"
    first.taken_ms = 100
    assert buffer.untaken() == [second]
    assert list(buffer.again(1_099)) == [first, second]
    assert list(buffer.again(1_100)) == [second]
    buffer.keep("t", b"2", 1_100)
    assert len(buffer) == 2, "what is safe makes room"


def test_bounds_give_up_the_oldest_and_count_what_nobody_took() -> None:
    buffer = ResendBuffer(max_messages=10)
    for number in range(15):
        kept = buffer.keep("t", b"%d" % number, 0)
        kept.taken_ms = 0 if number < 3 else None
    assert (len(buffer), buffer.lost) == (10, 2)
    assert [kept.payload for kept in buffer.again(0)] == [b"%d" % number for number in range(5, 15)]


def test_what_carries_no_time_of_its_own_is_sent_once(fleet: Registry) -> None:
    """Stamped on arrival, it would be another reading each time."""
    met = set()
    for plant in plants_of(1, fleet)[::8]:
        device = Device(
            replace(plant, imperfections=PERFECT), Timeline(plant, counting_since(NOW.date())), ms(NOW), 1.0
        )
        sent = {topic for topic, _ in device.messages(ms(NOW))}
        assert bool(sent & device.resendable) == plant.format.dated
        assert f"m/{plant.key.member}/{plant.key.machine}/reading" in device.resendable
        met.add(plant.format.dated)
    assert met == {True, False}


# --- a broker that is killed


@pytest.fixture
def broker(tmp_path: Path) -> DeployedMosquitto:
    return DeployedMosquitto(tmp_path / "broker", {})


class Collector:
    """Takes and acknowledges what devices publish, under one client id."""

    def __init__(self, client_id: str = "collector") -> None:
        self.taken: list[bytes] = []
        self.client_id = client_id
        self.news = asyncio.Event()

    @asynccontextmanager
    async def there(self, address: BrokerAddress) -> AsyncIterator[None]:
        session: Session

        def take(burst: Burst) -> None:
            self.taken += [bytes(delivery.payload) for delivery in burst.deliveries]
            session.acknowledge(burst)
            self.news.set()

        session = Session(address, client_id=self.client_id, subscriptions=("m/#",), on_burst=take)
        async with running(session):
            yield

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def has(self, payloads: set[bytes]) -> None:
        await self.until(lambda: payloads <= set(self.taken))


MANY = [("m/acme/press/reading", str(number).encode()) for number in range(1200)]


@asynccontextmanager
async def running(session: Session) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(session.run(stop))
    await session.wait_connected()
    try:
        yield
    finally:
        stop.set()
        await task


@asynccontextmanager
async def device(address: BrokerAddress, keeping: Keeping) -> AsyncIterator[Session]:
    keeping.session = Session(address, client_id="device", on_state=keeping.on_state)
    resending = asyncio.create_task(keeping.run())
    try:
        async with running(keeping.session):
            yield keeping.session
    finally:
        resending.cancel()


@pytest.mark.mosquitto
@pytest.mark.faults
@pytest.mark.parametrize("messages", [MESSAGES, MANY], ids=["few", "more than a round trip takes"])
async def test_everything_acknowledged_survives_a_broker_that_is_killed(
    broker: DeployedMosquitto, messages: list[tuple[str, bytes]]
) -> None:
    """Acknowledged, queued for a collector that is away, never saved: gone with the broker, but not with the device."""
    broker.start()
    address, collector, keeping = BrokerAddress("127.0.0.1", broker.port), Collector(), Keeping(ResendBuffer())
    async with collector.there(address):
        pass  # its session stays
    async with device(address, keeping) as session:
        for topic, payload in messages:
            keeping.publish(topic, payload)
        await session.flush()
        assert keeping.buffer.untaken() == []
        with pytest.raises(PacketTooLarge):
            keeping.publish("m/acme/press/reading", bytes(2**24 + 1))
        assert len(keeping.buffer) == len(messages)
        broker.kill()
        broker.start()
        async with asyncio.timeout(PATIENCE_S):
            # Sent again to nobody: the broker forgot the collector, too.
            while not keeping.buffer.untaken():  # noqa: ASYNC110 - the broker's answers make it true
                await asyncio.sleep(0.01)
        assert collector.taken == []
        async with collector.there(address):
            await collector.has({payload for _, payload in messages})
        assert keeping.resent >= len(messages)
    broker.kill()


@pytest.mark.mosquitto
@pytest.mark.faults
async def test_without_keeping_it_is_all_gone(broker: DeployedMosquitto) -> None:
    broker.start()
    address, collector = BrokerAddress("127.0.0.1", broker.port), Collector()
    async with collector.there(address):
        pass
    session = Session(address, client_id="device")
    async with running(session):
        await session.publish_all(MESSAGES)
        broker.kill()
        broker.start()
        async with collector.there(address):
            await session.publish_all([("m/acme/press/reading", b"after")])
            await collector.has({b"after"})
    assert collector.taken == [b"after"]
    broker.kill()


@pytest.mark.mosquitto
@pytest.mark.faults
async def test_simulated_machines_lose_nothing_by_it(broker: DeployedMosquitto, tmp_path: Path) -> None:
    network.write(tmp_path / "fleet", seed=1, now=now())
    broker.start()
    address, collector, watch = BrokerAddress("127.0.0.1", broker.port), Collector(), Collector("watch")
    config = SimulateConfig(address, tmp_path / "fleet", live_every=(0.2, 0.4), imperfect=False, collector_s=0.0)
    async with collector.there(address):
        pass  # its session stays
    stop = asyncio.Event()
    simulating = asyncio.create_task(run(config, stop=stop))
    async with watch.there(address):
        await watch.until(lambda: len(numbered(watch.taken)) > 500)
    broker.kill()
    broker.start()
    seen = numbered(watch.taken)
    async with collector.there(address):
        await collector.until(lambda: seen <= numbered(collector.taken))
    stop.set()
    counts = await simulating
    assert (counts.lost_messages, counts.resent_messages > 500) == (0, True)
    broker.kill()


def numbered(payloads: list[bytes]) -> set[bytes]:
    """The readings that carry a number of their device."""
    return {payload for payload in payloads if b'"seq"' in payload}
