"""What waits for a slow disk is bounded, whatever the broker sends."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.client import Burst, Delivery
from fleet.registry import Registry
from ingest.collector import GATHERED_MESSAGES, Collector
from ingest.hot import Gathering
from ingest.seen import Redeliveries
from ingest.service import SPOOL_FILE
from ingest.spool import Limits
from ingest.thread import SpoolThread
from tests.ingest.messages import Message
from tests.patience import PATIENCE_S


class Socket:
    """What the collector asks of its session, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def acknowledge(self, burst: Burst) -> None:
        self.asked.append(f"acknowledge {len(burst.deliveries)}")

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")


@pytest.fixture
async def thread(tmp_path: Path) -> AsyncIterator[SpoolThread]:
    one = SpoolThread(tmp_path / SPOOL_FILE, Limits(min_free_bytes=0), lambda _: None)
    await one.open()
    yield one
    await one.close()


async def test_the_socket_is_not_read_while_too_many_messages_wait(thread: SpoolThread, registry: Registry) -> None:
    collector = Collector(Gathering(registry, Redeliveries({}, 0)), thread, lambda *_: None, lambda _: None)
    socket = collector.session = Socket()
    disk = threading.Event()
    slow = thread.submit(lambda _: disk.wait())
    half: list[Delivery] = [Message("m/acme/booth/reading", b'{"power_w": 1}')] * (GATHERED_MESSAGES // 2)
    collector.on_burst(Burst(1, half[:1]))  # under way to the disk
    collector.on_burst(Burst(1, half))
    assert socket.asked == []
    collector.on_burst(Burst(1, half))
    assert socket.asked == ["pause"]
    disk.set()
    await slow
    async with asyncio.timeout(PATIENCE_S):
        await collector.drained()
    assert socket.asked == [
        "pause", "resume", "acknowledge 1", f"acknowledge {len(half)}", f"acknowledge {len(half)}"
    ]  # fmt: skip
    collector.close()
