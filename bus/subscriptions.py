"""The topic filters of a session, which may change while it lives."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from bus.reasons import REFUSED
from bus.wire import Wire, subscribe_bytes, unsubscribe_bytes

_SUBSCRIBE_ID: Final = 65_535
_UNSUBSCRIBE_ID: Final = 65_534


class Subscriptions:
    """Asks the broker for topic filters, on every connection for all of them.

    Attributes:
        patterns: the topic filters that are wanted now, in the order in which they were.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self._left: tuple[str, ...] = ()
        self._wire: Wire | None = None
        self._asked: deque[tuple[str, ...]] = deque()
        self._granted: set[str] = set()
        self._waiting: list[tuple[frozenset[str], Callable[[], None]]] = []

    def attach(self, wire: Wire) -> None:
        """The broker has welcomed us: say which filters of its session are left, and which are wanted."""
        self._wire = wire
        self._asked.clear()
        self._granted.clear()
        if self._left:
            wire.write(unsubscribe_bytes(_UNSUBSCRIBE_ID, self._left))
        self._ask(self.patterns)

    def detach(self) -> None:
        """The connection is gone."""
        self._wire = None

    def add(self, patterns: Sequence[str], granted: Callable[[], None]) -> None:
        """Want more; ``granted`` is called once when the broker delivers all of them, never while it refuses one."""
        new = tuple(pattern for pattern in patterns if pattern not in self.patterns)
        self.patterns += new
        self._left = tuple(pattern for pattern in self._left if pattern not in patterns)
        self._waiting.append((frozenset(patterns), granted))
        self._ask(new)
        self._tell()

    def leave(self, patterns: Sequence[str]) -> None:
        """Want less; a session that the broker kept has them no more from the next connection on, at the latest."""
        self.patterns = tuple(pattern for pattern in self.patterns if pattern not in patterns)
        self._left = (*self._left, *(pattern for pattern in patterns if pattern not in self._left))
        self._granted.difference_update(patterns)
        if self._wire is not None and patterns:
            self._wire.write(unsubscribe_bytes(_UNSUBSCRIBE_ID, patterns))

    def answered(self, codes: Sequence[int]) -> tuple[str, ...]:
        """A SUBACK came; the filters that it answers."""
        asked = self._asked.popleft() if self._asked else self.patterns
        self._granted |= {pattern for pattern, code in zip(asked, codes, strict=False) if code < REFUSED}
        self._tell()
        return asked

    def _ask(self, patterns: tuple[str, ...]) -> None:
        if self._wire is not None and patterns:
            self._asked.append(patterns)
            self._wire.write(subscribe_bytes(_SUBSCRIBE_ID, patterns))

    def _tell(self) -> None:
        ready = [granted for patterns, granted in self._waiting if patterns <= self._granted]
        self._waiting = [(patterns, granted) for patterns, granted in self._waiting if not patterns <= self._granted]
        for granted in ready:
            granted()
