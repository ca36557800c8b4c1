"""What a device keeps of what it sent, until it is known to be safe. Pure: no clock, no socket.

A PUBACK says that the broker has a message, not that it will have it after a crash: Mosquitto writes its queues to disk
when it saves (every 30 seconds as deployed), and a message that nobody had subscribed to yet is acknowledged and gone.
So a message is kept for a time after somebody took it, and sent again after each broken connection.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

KEPT_MS: Final = 600_000
"""How long after it was taken: many times a broker's interval between two saves."""
KEPT_MESSAGES: Final = 100_000


class Kept:
    """One message; ``taken_ms`` is when somebody took it last, epoch ms, or None."""

    __slots__ = ("payload", "taken_ms", "topic")

    def __init__(self, topic: str, payload: bytes) -> None:
        self.topic = topic
        self.payload = payload
        self.taken_ms: int | None = None


class ResendBuffer:
    """Messages in the order in which they were sent.

    Args:
        max_messages: the oldest beyond it are given up.
        keep_ms: how long a message is kept after it was taken; one that nobody took is kept as long as there is room.

    Attributes:
        lost: messages given up that nobody had taken.
    """

    def __init__(self, max_messages: int = KEPT_MESSAGES, keep_ms: int = KEPT_MS) -> None:
        self.lost = 0
        self._max, self._keep_ms = max_messages, keep_ms
        self._messages: deque[Kept] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, topic: str, payload: bytes, now_ms: int) -> Kept:
        """Keep a message that is about to be sent."""
        kept = Kept(topic, payload)
        self._messages.append(kept)
        while len(self._messages) > self._max:
            self.lost += self._messages.popleft().taken_ms is None
        while self._messages and self._is_safe(self._messages[0], now_ms):
            self._messages.popleft()
        return kept

    def forget_newest(self) -> None:
        """What was kept last cannot be sent."""
        self._messages.pop()

    def again(self, now_ms: int) -> Sequence[Kept]:
        """Everything that may have been lost, oldest first."""
        return [kept for kept in self._messages if not self._is_safe(kept, now_ms)]

    def untaken(self) -> Sequence[Kept]:
        """What nobody took yet, oldest first."""
        return [kept for kept in self._messages if kept.taken_ms is None]

    def _is_safe(self, kept: Kept, now_ms: int) -> bool:
        return kept.taken_ms is not None and now_ms - kept.taken_ms >= self._keep_ms
