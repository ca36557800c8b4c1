"""Time is an event, too: silence sends nothing, so what it means is put on a clock beforehand."""

import heapq
from typing import Generic, TypeVar

K = TypeVar("K")


class Deadlines(Generic[K]):
    """One deadline a key, epoch ms; the newest one set counts. Setting is O(log n), looking at the next one O(1)."""

    def __init__(self) -> None:
        self._due: dict[K, int] = {}
        self._heap: list[tuple[int, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: K, at_ms: int | None) -> None:
        """Move the key's deadline; None takes it away."""
        if at_ms is None:
            self._due.pop(key, None)
        elif self._due.get(key) != at_ms:
            self._due[key] = at_ms
            self._count += 1  # keys need no order of their own
            heapq.heappush(self._heap, (at_ms, self._count, key))

    def next_ms(self) -> int | None:
        """The earliest deadline, or None."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_next(self, now_ms: int) -> K | None:
        """The key with the earliest deadline if that is at or before ``now_ms``; it has none from then on."""
        at = self.next_ms()
        if at is None or at > now_ms:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._due[key]
        return key

    def pop_due(self, now_ms: int) -> list[K]:
        """All such keys, earliest first."""
        found: list[K] = []
        while (key := self.pop_next(now_ms)) is not None:
            found.append(key)
        return found
