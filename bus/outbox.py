"""Messages on their way out: bounded, QoS 1, kept until the broker acknowledged them. Pure: no socket, no clock."""

from collections import deque
from collections.abc import Callable
from typing import Final

MAX_PACKET_ID: Final = 65_279
"""Those after it are left to SUBSCRIBE and UNSUBSCRIBE, see :mod:`bus.requests`."""

Done = Callable[[int | None], None]
"""Called once a message: with the broker's reason code, or None when the session ended before the answer."""


class OutboxFull(Exception):
    """The bound on queued messages or bytes is reached; try again when the broker has taken some."""


class PacketTooLarge(ValueError):
    """The message is larger than the broker accepts; it can never be sent."""


class Outgoing:
    """One message; ``packet_id`` is 0 until it was sent for the first time."""

    __slots__ = ("done", "packet_id", "payload", "retain", "size", "topic")

    def __init__(self, topic: str, payload: bytes, retain: bool, size: int, done: Done | None) -> None:
        self.topic = topic
        self.payload = payload
        self.retain = retain
        self.size = size
        self.done = done
        self.packet_id = 0


class Outbox:
    """A queue and, behind it, the messages in flight by packet id, both in the order of publishing.

    Attributes:
        window: how many may be in flight, at most what the broker accepts.
        bytes: bytes of all messages in the outbox.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self.window = 1
        self.bytes = 0
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._waiting: deque[Outgoing] = deque()
        self._in_flight: dict[int, Outgoing] = {}
        self._resent_ids: set[int] = set()
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    def has_room(self, size: int) -> bool:
        """Whether a message of ``size`` bytes fits now; an empty outbox takes any."""
        count = len(self)
        return count == 0 or (count < self._max_messages and self.bytes + size <= self._max_bytes)

    def add(self, message: Outgoing) -> None:
        """Queue a message.

        Raises:
            OutboxFull: no room.
        """
        if not self.has_room(message.size):
            raise OutboxFull(
                f"{len(self):,} messages ({self.bytes:,} bytes) wait for the broker; "
                f"the bounds are {self._max_messages:,} and {self._max_bytes:,}"
            )
        self._waiting.append(message)
        self.bytes += message.size

    def take(self) -> tuple[Outgoing, bool] | None:
        """The next message to send and whether it is a duplicate; None when the window is full or nothing waits."""
        if not self._waiting or len(self._in_flight) >= self.window:
            return None
        message = self._waiting.popleft()
        duplicate = message.packet_id != 0
        if duplicate:
            self._resent_ids.discard(message.packet_id)
        else:
            message.packet_id = self._next_id()
        self._in_flight[message.packet_id] = message
        return message, duplicate

    def settle(self, packet_id: int) -> Outgoing | None:
        """Take out the message that the broker answered; None when it was not in flight."""
        message = self._in_flight.pop(packet_id, None)
        if message is not None:
            self.bytes -= message.size
        return message

    def reconnected(self, *, session_present: bool) -> None:
        """Everything in flight goes out again, first and in order.

        With a kept session under its old packet id and marked as duplicate (MQTT 5.0, section 4.4), else as new.
        """
        self._waiting.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()
        if session_present:
            self._resent_ids = {message.packet_id for message in self._waiting if message.packet_id}
            return
        self._resent_ids.clear()
        for message in self._waiting:
            message.packet_id = 0

    def abandon(self) -> list[Outgoing]:
        """Empty the outbox; what was in it, oldest first."""
        left = [*self._in_flight.values(), *self._waiting]
        self._in_flight.clear()
        self._waiting.clear()
        self._resent_ids.clear()
        self.bytes = 0
        return left

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % MAX_PACKET_ID + 1
            if self._last_id not in self._in_flight and self._last_id not in self._resent_ids:
                return self._last_id
