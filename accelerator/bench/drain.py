"""How a bridge drains what waits at the broker: CPU per message, messages a second, memory.

The bridge is connected and then held (SIGSTOP) while messages are published, so that what is measured is how it drains
them with nobody but broker and store beside it. CPU is the bridge's process alone. A long load goes in waves, so that
neither broker nor publisher holds all of it.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from accelerator.bench import processes
from accelerator.bench.bridge import Bridge
from accelerator.bench.load import Load
from accelerator.output import Progress
from bus.client import BrokerAddress, Session

WAVE: Final = 200_000
_TOLD_AT: Final = (10, 50, 100)


@asynccontextmanager
async def publisher(address: BrokerAddress) -> AsyncIterator[Session]:
    """A connected session that publishes."""
    session = Session(address, client_id="resilian-bench-publisher", session_expiry_s=0)
    stop = asyncio.Event()
    running = asyncio.create_task(session.run(stop))
    try:
        await session.wait_connected()
        yield session
    finally:
        stop.set()
        await running


async def drain(address: BrokerAddress, bridge: Bridge, load: Load, count: int, progress: Progress) -> dict[str, Any]:
    """``cpu_us_per_message``, ``messages_per_s``, ``rss_mb`` (the highest), and ``rss_mb_at`` percent of the messages.

    Raises:
        Found: the bridge did not store them.
    """
    cpu = took = 0.0
    memory: dict[str, float] = {}
    async with publisher(address) as session:
        for first in range(0, count, WAVE):
            after = min(first + WAVE, count)
            os.kill(bridge.pid, signal.SIGSTOP)
            try:
                await session.publish_all(load.messages(first, after))
            finally:
                cpu_before, began = processes.cpu_seconds(bridge.pid), time.perf_counter()
                os.kill(bridge.pid, signal.SIGCONT)
            await bridge.stored(after)
            took += time.perf_counter() - began
            cpu += processes.cpu_seconds(bridge.pid) - cpu_before
            now = round(processes.rss_now_mb(bridge.pid), 1)
            memory |= {str(at): now for at in _TOLD_AT if after * 100 >= at * count and str(at) not in memory}
            progress(after, count)
    return {
        "cpu_us_per_message": round(cpu / count * 1e6, 2),
        "messages_per_s": round(count / took),
        "rss_mb": round(processes.rss_mb(bridge.pid), 1),
        "rss_mb_at": memory,
    }
