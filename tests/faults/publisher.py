"""A publisher that records on disk, at PUBACK, what it sent; and a sentinel that tells when all before it is stored."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from bus.client import BrokerAddress, Burst, Session
from fleet.clock import now_ms
from fleet.topics import TOUCHED, reading_topic

MEMBER = "faults"
TICK_S = 0.01


class LedgerPublisher:
    """Publishes canonical readings of ``machines`` at a steady rate and keeps the ledger of ``docs/reliability.md``."""

    def __init__(self, address: BrokerAddress, ledger: Path, machines: list[str], *, rate: int) -> None:
        self.session = Session(address, client_id="faults-publisher", max_queued=2_000_000, max_queued_bytes=2**30)
        self.machines = machines
        self.rate = rate
        self.sent = 0
        self.boot = now_ms()
        self._progress = asyncio.Condition()
        self._ledger: IO[str] = ledger.open("a", encoding="utf-8")

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until ``stop``; then wait for every PUBACK and write the ledger to disk."""
        ended = asyncio.Event()
        running = asyncio.create_task(self.session.run(ended))
        await self.session.wait_connected()
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not stop.is_set():
            due = int((loop.time() - began) * self.rate)
            while self.sent < due:
                self._publish(self.machines[self.sent % len(self.machines)], now_ms())
            async with self._progress:
                self._progress.notify_all()
            await asyncio.sleep(TICK_S)  # the pace of the load, not a wait for anything
        await self.session.flush()
        self._ledger.flush()
        ended.set()
        await running

    async def sends(self, more: int) -> None:
        """Return when ``more`` messages were published after now."""
        goal = self.sent + more
        async with self._progress:
            await self._progress.wait_for(lambda: self.sent >= goal)

    async def sentinel(self) -> int:
        """Publish one last reading of the first machine; its device time."""
        ended = asyncio.Event()
        session = Session(self.session.address, client_id="faults-sentinel")
        running = asyncio.create_task(session.run(ended))
        self.session, at = session, now_ms()
        self._publish(self.machines[0], at)
        await session.flush()
        self._ledger.close()
        ended.set()
        await running
        return at

    def _publish(self, machine: str, at: int) -> None:
        seq = self.sent
        self.sent += 1
        topic = reading_topic(MEMBER, machine)
        payload = json.dumps(
            {"at": at, "state": "PRODUCING", "power_w": 1000 + seq % 500, "seq": seq, "boot": self.boot}
        ).encode()
        self.session.publish(topic, payload, done=self._recorder(topic, payload, machine, at, seq))

    def _recorder(self, topic: str, payload: bytes, machine: str, at: int, seq: int) -> Callable[[int | None], None]:
        def acknowledged(reason: int | None) -> None:
            if reason is None or reason >= 128:
                return
            line: dict[str, Any] = {
                "topic": topic,
                "payload_sha256": hashlib.sha256(payload).hexdigest(),
                "machine": machine,
                "at": at,
                "seq": seq,
                "boot": self.boot,
                "acked_at": now_ms(),
            }
            self._ledger.write(json.dumps(line) + "\n")

        return acknowledged


async def stored_up_to(address: BrokerAddress, machine: str, at: int, *, patience_s: float) -> None:
    """Return when ingest has announced the reading of ``machine`` at ``at`` as stored.

    Raises:
        TimeoutError: it did not within ``patience_s``.
    """
    reached = asyncio.Event()

    def take(burst: Burst) -> None:
        for delivery in burst.deliveries:
            touched = json.loads(delivery.payload)["machines"].get(machine)
            if touched and touched["at"] >= at:
                reached.set()
        session.acknowledge(burst)

    topics = (TOUCHED.format(member=MEMBER),)
    session = Session(address, client_id="faults-watch", subscriptions=topics, on_burst=take, session_expiry_s=0)
    stop = asyncio.Event()
    running = asyncio.create_task(session.run(stop))
    try:
        async with asyncio.timeout(patience_s):
            await reached.wait()
    finally:
        stop.set()
        await running
