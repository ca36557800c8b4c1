"""Publishing with QoS 1: what the program hands over goes out, in order, until the broker has acknowledged it."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from bus.outbox import Done, Outbox, Outgoing, PacketTooLarge
from bus.packets import Welcome
from bus.reasons import REFUSED
from bus.wire import Wire, publish_bytes, publish_size

MAX_PUBLISH_BYTES: Final = 16 * 2**20
"""Of one packet, even where the broker names no limit: one that hangs up instead would get it again and again."""

_WRITE_BYTES: Final = 256 * 1024

_log = logging.getLogger(__name__)


class PublishRefused(Exception):
    """The broker answered a message with a refusal, for instance for lack of rights; it will not be sent again."""


class SessionClosed(Exception):
    """The session ended before the broker had acknowledged everything."""


class Publisher:
    """The outbox of a session and the pump that empties it into the connection of the moment."""

    def __init__(self, window: int, max_queued: int, max_queued_bytes: int) -> None:
        self.outbox = Outbox(max_queued, max_queued_bytes)
        self.refused = 0
        self._window = window
        self._max_packet = MAX_PUBLISH_BYTES
        self._wire: Wire | None = None
        self._progress = asyncio.Event()
        self.closed = False

    def attach(self, wire: Wire, welcome: Welcome) -> None:
        """Send through ``wire`` from now on, first what the last connection left unanswered."""
        self._wire = wire
        self._max_packet = min(welcome.max_packet_bytes or MAX_PUBLISH_BYTES, MAX_PUBLISH_BYTES)
        self.outbox.window = max(1, min(self._window, welcome.receive_max))
        self.outbox.reconnected(session_present=welcome.session_present)
        self.pump()

    def detach(self) -> None:
        """Queue only, until the next connection."""
        self._wire = None

    def publish(self, topic: str, payload: bytes, *, retain: bool, done: Done | None) -> None:
        """Queue one message and send it when there is a connection.

        ``done`` is called with the broker's reason code (refusals are 128 or more), or None if the session ended.

        Raises:
            OutboxFull: the bound on messages or bytes is reached.
            PacketTooLarge: larger than the broker of the last connection accepts, or than 16 MiB.
            ValueError: the topic is no topic to publish to.
            SessionClosed: the session has ended.
        """
        self._queue(Outgoing(topic, payload, retain, self._checked_size(topic, payload), done))

    async def publish_all(self, messages: Iterable[tuple[str, bytes]], *, retain: bool) -> None:
        """Send all, as many at once as the broker takes; return when it has acknowledged every one.

        Raises:
            PublishRefused: the broker refused some, after all were answered.
            PacketTooLarge, ValueError: as :meth:`publish`; the messages before that one are on their way.
            SessionClosed: the session ended before.
        """
        completion = _Completion()
        for topic, payload in messages:
            size = self._checked_size(topic, payload)
            while not self.outbox.has_room(size):
                await self._next_progress()
            self._queue(Outgoing(topic, payload, retain, size, completion.done), pump=False)
            completion.open += 1
            if completion.open % 256 == 0:
                self.pump()
        self.pump()
        await completion.wait()

    async def flush(self) -> None:
        """Return when the broker has acknowledged everything queued."""
        while len(self.outbox):
            await self._next_progress()

    def pump(self) -> None:
        """Write as much as window and transport take."""
        wire, frames, size = self._wire, [], 0
        if wire is None:
            return
        while wire.writable and (taken := self.outbox.take()) is not None:
            message, duplicate = taken
            if message.size > self._max_packet:  # queued before this broker told its limit
                self._settle(message.packet_id, 149)
                continue
            frames.append(
                publish_bytes(
                    message.topic,
                    message.payload,
                    packet_id=message.packet_id,
                    retain=message.retain,
                    duplicate=duplicate,
                )
            )
            size += message.size
            if size >= _WRITE_BYTES:
                wire.write(b"".join(frames))
                frames, size = [], 0
        if frames:
            wire.write(b"".join(frames))

    def acknowledged(self, results: list[tuple[int, int]]) -> None:
        """The broker's PUBACKs, as (packet id, reason code)."""
        for packet_id, code in results:
            self._settle(packet_id, code)
        self._progress.set()
        self.pump()

    def close(self) -> int:
        """Give up what is still queued, telling who waits; how many messages that were."""
        self.closed = True
        self.detach()
        left = self.outbox.abandon()
        for message in left:
            if message.done is not None:
                message.done(None)
        self._progress.set()
        return len(left)

    def _queue(self, message: Outgoing, *, pump: bool = True) -> None:
        if self.closed:
            raise SessionClosed("the session has ended")
        self.outbox.add(message)
        if pump and self._wire is not None:
            self.pump()

    def _settle(self, packet_id: int, code: int) -> None:
        message = self.outbox.settle(packet_id)
        if message is None:
            return
        if code >= REFUSED:
            self.refused += 1
            _log.warning("the broker refused a message to %s with reason code %d", message.topic, code)
        if message.done is not None:
            message.done(code)

    def _checked_size(self, topic: str, payload: bytes) -> int:
        if not topic or "+" in topic or "#" in topic or "\0" in topic or len(topic) > 16_000:
            raise ValueError(f"topic {topic[:80]!r}: empty, too long or with a wildcard: no topic to publish to")
        size = publish_size(topic, payload)
        if size > self._max_packet:
            raise PacketTooLarge(f"message to {topic}: {size:,} bytes; the broker accepts {self._max_packet:,}")
        return size

    async def _next_progress(self) -> None:
        if self.closed:
            raise SessionClosed(f"the session ended with {len(self.outbox):,} messages unacknowledged")
        self._progress.clear()
        await self._progress.wait()


class _Completion:
    """Counts the answers of one publish_all."""

    def __init__(self) -> None:
        self.open = 0
        self._refused: list[int] = []
        self._abandoned = 0
        self._all = asyncio.Event()

    def done(self, code: int | None) -> None:
        self.open -= 1
        if code is None:
            self._abandoned += 1
        elif code >= REFUSED:
            self._refused.append(code)
        if self.open == 0:
            self._all.set()

    async def wait(self) -> None:
        while self.open:
            self._all.clear()
            await self._all.wait()
        if self._abandoned:
            raise SessionClosed(f"the session ended with {self._abandoned:,} messages unacknowledged")
        if self._refused:
            raise PublishRefused(f"the broker refused {len(self._refused):,} messages (reason code {self._refused[0]})")
