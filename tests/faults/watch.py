"""What a collector says of itself, heard at the broker and not through the proxies."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bus.client import BrokerAddress, Burst, Session
from fleet.batch import MachineKey
from fleet.topics import HEALTH, SESSION, TOUCHED
from tests.patience import PATIENCE_S

"""How long a condition may take before a trial fails; never how long it takes."""
_PROGRAM = "ingest"


class Watch:
    """Follows health, session losses and the newest stored reading of each machine.

    Attributes:
        health: the newest message, {} before the first.
        errors: every sentence that a health message had among its ``errors``.
        losses: what was told on ``net/v1/session/ingest``, each once.
        connections: how often the watch itself was connected to the broker.
        patience_s: how long a condition may take.
        newest: device time of the newest stored reading of each machine, epoch ms.
    """

    def __init__(self, address: BrokerAddress, *, patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        self.connections = 0
        self.health: dict[str, Any] = {}
        self.errors: set[str] = set()
        self.losses: list[dict[str, Any]] = []
        self.newest: defaultdict[MachineKey, int] = defaultdict(int)
        self._changed = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()
        topics = (HEALTH.format(program=_PROGRAM), SESSION.format(program=_PROGRAM), TOUCHED.format(member="+"))
        self.session = Session(
            address, client_id="faults-watch", subscriptions=topics, on_burst=self._heard, on_state=self._state
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until ``stop``."""
        await self.session.run(stop)

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when the condition holds; it is looked at after every message and connection.

        Raises:
            TimeoutError: it did not within ``patience_s``.
        """
        async with asyncio.timeout(self.patience_s), self._changed:
            await self._changed.wait_for(lambda: bool(condition()))

    async def connected(self, pid: int | None, *, since: int = 0) -> None:
        """Return when the collector of that process says that it is connected, since ``since`` (epoch ms) or later."""

        def is_connected() -> bool:
            said = self.health
            broker = said.get("broker", {})
            return said.get("pid") == pid and bool(broker.get("connected")) and broker["since"] >= since

        await self.until(is_connected)

    async def stored(self, key: MachineKey, at: int) -> None:
        """Return when the reading of that machine and device time is stored, or a newer one."""
        await self.until(lambda: self.newest[key] >= at)

    def _heard(self, burst: Burst) -> None:
        for delivery in burst.deliveries:
            self._take(delivery.topic, json.loads(delivery.payload or b"{}"))
        self.session.acknowledge(burst)
        self._soon()

    def _state(self, connected: bool, session_present: bool, reason: str) -> None:
        self.connections += connected
        self._soon()

    def _soon(self) -> None:
        telling = asyncio.create_task(self._tell())
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    def _take(self, topic: str, body: dict[str, Any]) -> None:
        if topic.startswith("net/v1/health/"):
            self.health = body
            self.errors |= set(body.get("errors", ()))
        elif topic.startswith("net/v1/session/"):
            if body not in self.losses:  # QoS 1: again when the broker was killed before it acknowledged
                self.losses.append(body)
        else:
            member = topic.rpartition("/")[2]
            for machine, said in body["machines"].items():
                key = MachineKey(member, machine)
                self.newest[key] = max(self.newest[key], said["at"])

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
