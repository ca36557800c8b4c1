"""A load published at a steady rate, whatever happens to who reads it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from accelerator.bench.load import Load
from bus.client import Session

_TICK_S: Final = 0.01


class Paced:
    """Publishes the first ``count`` messages of a load, ``rate`` a second.

    Attributes:
        handed_ns: by message, when it was handed to its connection, of the system's monotonic clock; shape (count,).
    """

    def __init__(self, load: Load, count: int, rate: int) -> None:
        self.handed_ns: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self._load, self._count, self._rate = load, count, rate
        self._sent = 0
        self._progress = asyncio.Condition()

    @asynccontextmanager
    async def beside(self, session: Session) -> AsyncIterator[None]:
        """Publish all while the body runs; at its end, wait until the broker has acknowledged it."""
        running = asyncio.create_task(self._run(session))
        try:
            yield
            await running
        finally:
            running.cancel()
            await asyncio.wait({running})

    async def _run(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self._sent < self._count:
            due = min(int((loop.time() - began) * self._rate), self._count)
            for index in range(self._sent, due):
                topic, payload = self._load.topic(index), self._load.payload(index)
                self.handed_ns[index] = time.monotonic_ns()
                session.publish(topic, payload)
            self._sent = max(due, self._sent)
            async with self._progress:
                self._progress.notify_all()
            await asyncio.sleep(_TICK_S)  # the pace of the load
        await session.flush()

    async def reaches(self, count: int) -> None:
        """Return when that many were published."""
        async with self._progress:
            await self._progress.wait_for(lambda: self._sent >= count)
