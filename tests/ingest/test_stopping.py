"""Stops end in time whatever the spool does, and errors beside the main work are said."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bus.client import Burst, Session
from fleet.registry import Registry
from ingest import announce, service
from ingest.announce import Announcer
from ingest.background import Background
from ingest.collector import Collector
from ingest.errors import SpoolFull
from ingest.hot import Gathering
from ingest.rejects import members
from ingest.seen import Redeliveries
from ingest.service import SPOOL_FILE, IngestConfig, run
from ingest.spool import Limits
from ingest.thread import SpoolThread
from store import Store
from tests.ingest.conftest import Mosquitto, until
from tests.ingest.messages import Message

BOOTH = "m/acme/booth/reading"
ROOM = Limits(min_free_bytes=0)
NEVER_S = 60.0
"""Far beyond what a stop may take: without its bounds it would take for ever."""


async def refuse_writes(thread: SpoolThread) -> None:
    """From now on SQLite answers every transaction of the spool that it is read-only."""
    await thread.submit(lambda spool: spool.call(lambda db, _: db.execute("PRAGMA query_only = 1").close()))


@pytest.fixture
async def thread(tmp_path: Path) -> AsyncIterator[SpoolThread]:
    one = SpoolThread(tmp_path / SPOOL_FILE, ROOM, lambda _: None)
    await one.open()
    yield one
    await one.close()


@dataclass
class Threads:
    """Makes the spool's threads of collectors, and remembers them."""

    made: list[SpoolThread] = field(default_factory=list)

    def __call__(self, path: Path, limits: Limits, on_damage: Callable[[str], None]) -> SpoolThread:
        self.made.append(SpoolThread(path, limits, on_damage))
        return self.made[-1]


@pytest.mark.mosquitto
async def test_a_stop_with_a_read_only_spool_ends(
    broker: Mosquitto, fleet: Path, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message waits for the disk, and a reject waits to be said; the message stays at the broker."""
    threads, stop, heard = Threads(), asyncio.Event(), list[bytes]()
    monkeypatch.setattr(service, "SpoolThread", threads)
    monkeypatch.setattr(announce, "EVERY_S", 3600.0)  # the second reject is said at the end alone

    def hear(burst: Burst) -> None:
        heard.extend(bytes(delivery.payload) for delivery in burst.deliveries)
        talk.acknowledge(burst)

    talk = Session(broker.address, client_id="talk", subscriptions=("net/v1/health/ingest",), on_burst=hear)
    talking = asyncio.create_task(talk.run(stop))
    ended = asyncio.Event()
    config = IngestConfig(broker.address, fleet, tmp_path / "data", limits=ROOM, flush_s=0.3)
    running = asyncio.create_task(run(config, store, stop=ended))
    await until(lambda: any(b'"connected":true' in said for said in heard), "the collector to be connected")
    for number in (1, 2):
        await talk.publish_all([(BOOTH, b"{")])
        await until(lambda: any(b'"rejected":%d' % number in said for said in heard), "a reject")  # noqa: B023
    await refuse_writes(threads.made[0])
    await talk.publish_all([(BOOTH, b'{"power_w": 1}')])
    await until(lambda: any(b"the spool takes nothing" in said for said in heard), "the spool to be full")
    ended.set()
    async with asyncio.timeout(NEVER_S):
        await running
    again = asyncio.Event()
    running = asyncio.create_task(run(config, store, stop=again))
    await until(lambda: any(b'"stored":1,' in said for said in heard), "the message of the broker")
    again.set()
    stop.set()
    await asyncio.gather(running, talking)


async def test_the_announcer_gives_up(thread: SpoolThread) -> None:
    announcer = Announcer(thread, lambda *_: None)
    await refuse_writes(thread)
    announcer.changed("reject", ["acme"])
    async with asyncio.timeout(NEVER_S):
        await announcer.close(0.05)


async def test_a_start_on_a_read_only_spool_says_so(thread: SpoolThread) -> None:
    await refuse_writes(thread)
    with pytest.raises(SpoolFull, match="readonly"):
        await thread.read(lambda db: members(db, "reject"))


async def test_nothing_is_tried_after_the_end(thread: SpoolThread, registry: Registry) -> None:
    collector = Collector(Gathering(registry, Redeliveries({}, 0)), thread, lambda *_: None, lambda _: None)
    await refuse_writes(thread)
    collector.on_burst(Burst(1, [Message(BOOTH, b'{"power_w": 1}')]))
    await until(lambda: bool(collector.full), "the first try")
    collector.close()
    assert collector.failed.cancelled()
    loop = asyncio.get_running_loop()
    waiting = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined] # asyncio tells its timers nowhere else
    assert not [handle for handle in waiting if "_try" in repr(handle)]


async def test_errors_in_the_background_are_logged() -> None:
    async def fail() -> None:
        raise LookupError("no such thing")

    async def wait() -> None:
        await asyncio.Event().wait()

    jobs = Background()
    with capture_logs() as logs:
        jobs.start(fail(), "look for something")
        jobs.start(wait(), "wait")
        async with asyncio.timeout(NEVER_S):
            await jobs.close(0.01)
    assert [(line["log_level"], line["what"], str(line["exc_info"])) for line in logs] == [
        ("error", "look for something", "no such thing")
    ]
