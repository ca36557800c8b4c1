"""A client that publishes as devices do and hears what the collector says."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bus.client import BrokerAddress, Burst, Session


@asynccontextmanager
async def running(session: Session) -> AsyncIterator[None]:
    """The session, connected inside the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(session.run(stop))
    try:
        await session.wait_connected()
        yield
    finally:
        stop.set()
        await task


class Ear:
    """A client that publishes as devices do and hears what the collector says."""

    def __init__(self, address: BrokerAddress) -> None:
        self.heard: dict[str, list[dict[str, Any]]] = {}
        self.session = Session(
            address, client_id="ear", subscriptions=("net/v1/#",), on_burst=self._on_burst, max_queued_bytes=2**27
        )

    def _on_burst(self, burst: Burst) -> None:
        for delivery in burst.deliveries:
            self.heard.setdefault(delivery.topic, []).append(json.loads(delivery.payload))
        self.session.acknowledge(burst)

    def last(self, topic: str) -> dict[str, Any]:
        """The newest message of a topic; empty without one."""
        return self.heard.get(topic, [{}])[-1]

    @property
    def health(self) -> dict[str, Any]:
        return self.last("net/v1/health/ingest")

    async def send(self, *messages: tuple[str, bytes | str | dict[str, Any]]) -> None:
        """Publish, and return when the broker has all."""
        encoded = [
            (
                topic,
                json.dumps(body).encode()
                if isinstance(body, dict)
                else body.encode()
                if isinstance(body, str)
                else body,
            )
            for topic, body in messages
        ]
        await self.session.publish_all(encoded)

    async def order(self, **command: Any) -> None:
        """A command to the collector."""
        await self.send(("net/v1/command/ingest", command))
