"""Real brokers, a proxy that misbehaves on demand, and clients that remember, for the tests of the bus."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bus.client import BrokerAddress, Burst, Session
from bus.embedded import EmbeddedBroker
from tests.faults.proxy import Proxy as TcpProxy
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto as Server


async def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds; TimeoutError when it does not come true."""
    async with asyncio.timeout(PATIENCE_S):
        for _ in iter(int, 1):
            if condition():
                return
            await asyncio.sleep(0.005)


class Mosquitto:
    """A Mosquitto process; ``lines`` go behind its listener."""

    def __init__(self, folder: Path, *lines: str, persistence: bool = False, anonymous: bool = True) -> None:
        settings = {
            "persistence": str(persistence).lower(),
            "max_inflight_messages": "1000",
            "max_queued_messages": "0",
        }
        self.server = Server(folder, settings, lines, anonymous=anonymous)
        self.address = BrokerAddress("127.0.0.1", self.server.port)

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)

    async def kill(self) -> None:
        await asyncio.to_thread(self.server.kill)

    async def save(self) -> None:
        """Write the database now."""
        await asyncio.to_thread(self.server.save)

    async def restart(self) -> None:
        """Kill and start again."""
        await self.kill()
        await self.start()


class Embedded(EmbeddedBroker):
    """The embedded broker with the same ``restart`` as Mosquitto."""

    async def restart(self) -> None:
        """Kill it; its own watch starts it again."""
        before = self.restarts
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        await until(lambda: self.restarts > before)


class Proxy(TcpProxy):
    """TCP in front of a broker that misbehaves on demand."""

    def __init__(self, target: BrokerAddress) -> None:
        super().__init__((target.host, target.port), pause_s=0)

    @property
    def address(self) -> BrokerAddress:
        """Where clients find it."""
        return BrokerAddress("127.0.0.1", self.port)


class Subscriber:
    """A session that remembers what came; acknowledges at once unless told to ``hold``."""

    def __init__(self, address: BrokerAddress, *topics: str, client_id: str = "subscriber", **options: Any) -> None:
        self.hold = False
        self.bursts: list[Burst] = []
        self.states: list[tuple[bool, bool, str]] = []
        self.losses: list[str] = []
        self.session = Session(
            address,
            client_id=client_id,
            subscriptions=topics or ("m/#",),
            on_burst=self._burst,
            on_state=lambda *state: self.states.append(state),
            on_session_lost=self.losses.append,
            **options,
        )

    def _burst(self, burst: Burst) -> None:
        self.bursts.append(burst)
        if not self.hold:
            self.session.acknowledge(burst)

    @property
    def payloads(self) -> list[bytes]:
        return [one.payload for burst in self.bursts for one in burst.deliveries]

    def of_epoch(self, epoch: int) -> list[bytes]:
        return [one.payload for burst in self.bursts if burst.epoch == epoch for one in burst.deliveries]


@asynccontextmanager
async def running(*sessions: Session, connected: bool = True) -> AsyncIterator[None]:
    """Run sessions, by default from when they are connected; ends them in good order and raises what they raised."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(session.run(stop)) for session in sessions]
    try:
        if connected:
            async with asyncio.timeout(PATIENCE_S):
                for session in sessions:
                    await session.wait_connected()
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)
