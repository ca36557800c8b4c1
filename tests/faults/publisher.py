"""A publisher that records on disk what it sends, and at PUBACK that the broker has it; and ends with a sentinel."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from bus.client import BrokerAddress, Session
from fleet.batch import MachineKey
from fleet.clock import now_ms
from fleet.topics import reading_topic
from simulators.keeping import Keeping
from simulators.resend import ResendBuffer

TICK_S = 0.01


class LedgerPublisher:
    """Publishes canonical readings of ``machines`` in turn and keeps the ledger of ``docs/reliability.md``.

    Its session is kept by the broker, and what has no PUBACK is sent again on each connection.

    Args:
        each: every machine is a device that numbers its own readings; otherwise there is one number for all.
        buffer: what was sent is kept there and sent again after a broken connection; None keeps nothing.

    Attributes:
        sent, acknowledged: messages so far.
        rate: messages a second while it is not held.
        session: for whatever else a fault wants to publish as a device.
    """

    def __init__(
        self,
        address: BrokerAddress,
        ledger: Path,
        machines: Sequence[MachineKey],
        *,
        rate: int,
        each: bool = False,
        buffer: ResendBuffer | None = None,
    ) -> None:
        self._keeping = None if buffer is None else Keeping(buffer)
        self.session = Session(
            address, client_id="faults-publisher", max_queued=2_000_000, max_queued_bytes=2**30,
            on_state=None if self._keeping is None else self._keeping.on_state,
        )  # fmt: skip
        if self._keeping is not None:
            self._keeping.session = self.session
        self._resending: asyncio.Task[None] | None = None
        self._numbers: Counter[MachineKey] | None = Counter() if each else None
        self.machines = machines
        self.rate = rate
        self.sent = self.acknowledged = 0
        self.boot = now_ms()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._progress = asyncio.Condition()
        self._ledger: IO[str] = ledger.open("a", encoding="utf-8")

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until ``stop``; then wait for every PUBACK and write the ledger to disk."""
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.session.run(ended))
            await self.session.wait_connected()
            pacing = group.create_task(self._pace())
            self.resend()
            await stop.wait()
            pacing.cancel()
            self.withhold()
            await self.session.flush()
            self._ledger.flush()
            ended.set()

    async def _pace(self) -> None:
        loop = asyncio.get_running_loop()
        due, then = 0.0, loop.time()
        while True:
            await self._flowing.wait()
            now = loop.time()
            due, then = due + min(now - then, 1.0) * self.rate, now
            for _ in range(int(due)):
                self.publish()
            due -= int(due)
            async with self._progress:
                self._progress.notify_all()
            await asyncio.sleep(TICK_S)  # the pace of the load, not a wait for anything

    def close(self) -> None:
        """Let go of the ledger's file."""
        self._ledger.close()

    def withhold(self) -> None:
        """Send nothing again until :meth:`resend`."""
        if self._resending is not None:
            self._resending.cancel()
            self._resending = None

    def resend(self) -> None:
        """Send again what may have been lost, if anything is kept."""
        if self._keeping is not None and self._resending is None:
            self._resending = asyncio.create_task(self._keeping.run())

    def hold(self) -> None:
        """Send nothing until :meth:`go`."""
        self._flowing.clear()

    def go(self) -> None:
        """Send again."""
        self._flowing.set()

    async def quiet(self) -> None:
        """Hold, and return when the broker has acknowledged everything."""
        self.hold()
        await self.session.flush()
        # What nobody had subscribed to goes out again by itself.
        while self._keeping is not None and self._keeping.buffer.untaken():  # noqa: ASYNC110 - answers make it true
            await asyncio.sleep(TICK_S)

    async def recorded(self) -> None:
        """As :meth:`quiet`, and the ledger's file is complete."""
        await self.quiet()
        self._ledger.flush()

    async def sends(self, more: int) -> None:
        """Return when ``more`` messages were published after now."""
        goal = self.sent + more
        async with self._progress:
            await self._progress.wait_for(lambda: self.sent >= goal)

    async def burst(self, count: int) -> None:
        """Send so many at once, and return when the broker has acknowledged them."""
        for _ in range(count):
            self.publish()
        await self.session.flush()

    def publish(self, key: MachineKey | None = None, *, at: int | None = None) -> int:
        """Publish one reading, of the next machine or of this one; its device time, now unless it is given."""
        key, seq, at = key or self.machines[self.sent % len(self.machines)], self.sent, at or now_ms()
        self.sent += 1
        if self._numbers is not None:
            seq = self._numbers[key] = self._numbers[key] + 1
        values = {"state": "PRODUCING", "power_w": 1000 + seq % 500}
        payload = json.dumps({"at": at, **values, "seq": seq, "boot": self.boot}).encode()
        topic = reading_topic(key.member, key.machine)
        line = {
            "topic": topic,
            "payload_sha256": hashlib.sha256(payload).hexdigest(),
            "machine": key.machine,
            "at": at,
            "seq": seq,
            "boot": self.boot,
            "values": values,
            "acked_at": None,
        }
        self.send(topic, payload, [line])
        return at

    def record(self, lines: Sequence[dict[str, Any]]) -> None:
        """Write ledger lines of readings that others have sent."""
        for line in lines:
            self._ledger.write(json.dumps(line) + "\n")

    def send(self, topic: str, payload: bytes, lines: Sequence[dict[str, Any]]) -> None:
        """Publish a message whose readings are these ledger lines (none: it is left out of the ledger)."""
        self.record(lines)
        (self._keeping or self.session).publish(topic, payload, done=self._recorder(lines))

    def _recorder(self, lines: Sequence[dict[str, Any]]) -> Callable[[int | None], None]:
        def acknowledged(reason: int | None) -> None:
            if reason is None or reason >= 128:
                return
            self.acknowledged += 1
            for line in lines:
                self._ledger.write(json.dumps({**line, "acked_at": now_ms()}) + "\n")

        return acknowledged
