"""Says things now, then at most once an interval, the last state never being left out."""

import asyncio
from collections.abc import Callable


class Trailing:
    """Calls ``fire(key)`` at the first :meth:`poke` of a key, and once after each interval with further ones."""

    def __init__(self, interval_s: float, fire: Callable[[str], None]) -> None:
        self._interval_s = interval_s
        self._fire = fire
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._again: set[str] = set()

    def poke(self, key: str) -> None:
        """Something of this key changed."""
        if key in self._timers:
            self._again.add(key)
        else:
            self._timers[key] = asyncio.get_running_loop().call_later(self._interval_s, self._elapsed, key)
            self._fire(key)

    def close(self) -> None:
        """Fire what waits, and no more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for key in sorted(self._again):
            self._fire(key)
        self._again.clear()

    def _elapsed(self, key: str) -> None:
        del self._timers[key]
        if key in self._again:
            self._again.discard(key)
            self.poke(key)
