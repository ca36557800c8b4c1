"""Real brokers, a proxy that misbehaves on demand, and clients that remember, for the tests of the bus."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from bus.client import BrokerAddress, Burst, Session
from bus.embedded import EmbeddedBroker
from tests.faults.proxy import Proxy as TcpProxy

MOSQUITTO = "/usr/sbin/mosquitto"
PATIENCE_S = 60.0
"""How long a condition may take before the test fails; never how long it takes."""


async def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds; TimeoutError when it does not come true."""
    async with asyncio.timeout(PATIENCE_S):
        for _ in iter(int, 1):
            if condition():
                return
            await asyncio.sleep(0.005)


def free_port() -> int:
    """A free port below those of outgoing connections, which could take it meanwhile."""
    for port in random.sample(range(10_000, 20_000), 100):
        with suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


class Mosquitto:
    """A Mosquitto process; ``extra`` lines go into its configuration."""

    def __init__(self, folder: Path, *extra: str, persistence: bool = False, anonymous: bool = True) -> None:
        self.folder = folder
        self.address = BrokerAddress("127.0.0.1", free_port())
        self.database = folder / "mosquitto.db"
        lines = [
            f"listener {self.address.port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            "max_inflight_messages 1000",
            "max_queued_messages 0",
            f"persistence {str(persistence).lower()}",
            f"persistence_location {folder}/",
            "user root",
            *extra,
        ]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                MOSQUITTO, "-c", str(self.folder / "mosquitto.conf"), stdout=log, stderr=log
            )
        await until(self._listens)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, (self.folder / "mosquitto.log").read_text()
        with socket.socket() as sock:
            return sock.connect_ex((self.address.host, self.address.port)) == 0

    async def kill(self, number: int = signal.SIGKILL) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()

    async def save(self) -> None:
        """Write the database now."""
        assert self._process is not None
        before = self.database.stat().st_mtime_ns if self.database.exists() else 0
        self._process.send_signal(signal.SIGUSR1)
        await until(lambda: self.database.exists() and self.database.stat().st_mtime_ns > before)

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
