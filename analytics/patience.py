"""Waiting: for events, for times, and for a store that is away; all of it ends when the program stops."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from bus.backoff import Backoff
from store.base import StoreUnavailable

_log = logging.getLogger(__name__)


class Patience:
    """How one program waits.

    Args:
        stop: ends every wait.
        on_change: called when the store went away or came back.

    Attributes:
        store_error: why the store is away; None when it is not.
        store_since_ms: since when that is so, epoch ms.
    """

    def __init__(self, stop: asyncio.Event, on_change: Callable[[], None]) -> None:
        self.stop, self._on_change = stop, on_change
        self.store_error: str | None = None
        self.store_since_ms = _now_ms()

    async def insist(self, job: Callable[[], Awaitable[Any]]) -> Any:
        """Do it until the store lets us; what it returned (True for nothing), None when ``stop`` came first."""
        backoff = Backoff()
        while not self.stop.is_set():
            try:
                done = await job()
            except StoreUnavailable as error:
                self._store(str(error))
                await self.pause(backoff.failed())
            else:
                self._store(None)
                return True if done is None else done
        return None

    async def pause(self, seconds: float) -> None:
        """For so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stop.wait()

    async def wait(self, event: asyncio.Event, until_ms: int | None) -> None:
        """Until the event, which is then taken, or the time. Whoever stops the program sets the event, too."""
        seconds = None if until_ms is None else max(0.0, (until_ms - _now_ms()) / 1000)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
        event.clear()

    def _store(self, error: str | None) -> None:
        if (error is None) == (self.store_error is None):
            return
        if error is not None:
            _log.warning("store: %s; trying again", error)
        self.store_error, self.store_since_ms = error, _now_ms()
        self._on_change()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
