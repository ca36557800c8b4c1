"""The topic filters of a session, which may change while it lives."""

from collections.abc import Callable, Iterable, Sequence

from bus.reasons import REFUSED
from bus.requests import Requests

Told = Callable[[Sequence[str], Sequence[int]], None]
"""Called with topic filters that were asked for, and a reason code for each."""


class Subscriptions:
    """Asks the broker for topic filters, on every connection for all of them.

    Args:
        retained_once: of which filters the broker shall send what is retained when they are new to the session; of the
            others it does on every connection.
        told: of each answer.

    Attributes:
        patterns: the topic filters that are wanted now, in the order in which they were.
    """

    def __init__(
        self, patterns: Iterable[str], requests: Requests, told: Told, retained_once: Callable[[str], bool]
    ) -> None:
        self.patterns = tuple(patterns)
        self._retained_once = retained_once
        self._requests = requests
        self._told = told
        self._left: tuple[str, ...] = ()
        self._granted: set[str] = set()
        self._waiting: list[tuple[frozenset[str], Callable[[], None]]] = []

    def attach(self) -> None:
        """The broker has welcomed us: say which filters of its session are left, and which are wanted."""
        self._granted.clear()
        if self._left:
            self._requests.unsubscribe(self._left, _nothing)
        self._ask(self.patterns)

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
        if patterns:
            self._requests.unsubscribe(patterns, _nothing)

    def _ask(self, patterns: tuple[str, ...]) -> None:
        if patterns:
            once = [pattern for pattern in patterns if self._retained_once(pattern)]
            self._requests.subscribe(patterns, lambda codes: self._answered(patterns, codes), once)

    def _answered(self, asked: tuple[str, ...], codes: Sequence[int]) -> None:
        self._granted |= {pattern for pattern, code in zip(asked, codes, strict=False) if code < REFUSED}
        self._tell()
        self._told(asked, codes)

    def _tell(self) -> None:
        ready = [granted for patterns, granted in self._waiting if patterns <= self._granted]
        self._waiting = [(patterns, granted) for patterns, granted in self._waiting if not patterns <= self._granted]
        for granted in ready:
            granted()


def _nothing(codes: Sequence[int]) -> None:
    """What is left may be asked for again: the connection after this one says it again."""
    del codes
