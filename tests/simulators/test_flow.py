"""Following a collector by what it says of itself."""

import asyncio
import json
from typing import Any, NamedTuple

import pytest

from bus.client import Burst
from simulators import flow
from simulators.flow import WINDOW, Flow
from tests.patience import PATIENCE_S

HOUR = 3_600_000


class Heard(NamedTuple):
    """A delivery."""

    topic: str
    payload: bytes
    packet_id: int | None = None
    retain: bool = False
    duplicate: bool = False


def health(**more: Any) -> Heard:
    body = {"alive": True, "received": 0, "stored": 0, "spool_readings": 0, "registry_digest": "d"} | more
    return Heard(Flow.TOPIC, json.dumps(body).encode())


def touched(member: str, **machines: Any) -> Heard:
    return Heard(f"net/v1/touched/{member}", json.dumps({"at": 1, "machines": machines}).encode())


def hear(listener: Flow, *deliveries: Heard) -> None:
    listener.hear(Burst(1, list(deliveries)))


async def held(waiting: Any) -> bool:
    """Whether it still waits after everybody else had a turn."""
    task = asyncio.ensure_future(waiting)
    for _ in range(5):
        await asyncio.sleep(0)
    if task.done():
        return False
    task.cancel()
    return True


async def test_a_window_ahead_of_the_collector_and_no_more() -> None:
    one = Flow()
    one.sent(10 * WINDOW)
    assert not await held(one.room()), "nobody is there to wait for"
    hear(one, health(received=5_000))
    one.sent(WINDOW)
    assert not await held(one.room())
    one.sent(1)
    assert await held(one.room())
    hear(one, health(received=5_001))
    assert not await held(one.room())
    hear(one, health(alive=False))
    one.sent(10 * WINDOW)
    assert not await held(one.room())


async def test_a_collector_that_began_anew_counts_anew() -> None:
    one = Flow()
    hear(one, health(received=5_000))
    one.sent(WINDOW + 1)
    hear(one, health(received=3))
    assert one.ahead == 0


async def test_what_the_broker_dropped_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_LOST_S", 0.0)
    one = Flow()
    hear(one, health(received=0))
    one.sent(2 * WINDOW)
    task = asyncio.ensure_future(one.room())
    await asyncio.sleep(0)
    one.sent(50)
    hear(one, health(received=50))
    async with asyncio.timeout(PATIENCE_S):
        await task
    assert one.ahead == 0


async def test_stored_when_the_newest_reading_of_every_machine_was_announced() -> None:
    one = Flow()
    hear(one, health(received=1, spool_readings=50))
    one.expect(("m", "a"), 5 * HOUR + 10)
    one.expect(("m", "b"), 7 * HOUR)
    one.sent(2)
    hear(one, touched("m", a={"at": 5 * HOUR + 10, "hours": [5 * 3600]}))
    assert await held(one.stored())
    hear(one, touched("other", b={"at": 7 * HOUR, "hours": [7 * 3600]}))
    hear(one, touched("m", b={"at": 7 * HOUR - 1, "hours": [6 * 3600, 7 * 3600]}))
    hear(one, touched("m", b={"at": 9 * HOUR, "hours": [9 * 3600]}))
    assert await held(one.stored())
    hear(one, touched("m", b={"at": 7 * HOUR, "hours": [7 * 3600]}))
    assert await one.stored()


async def test_a_rejected_last_reading_does_not_hold_the_end_for_ever() -> None:
    one = Flow()
    hear(one, health(received=10, stored=100))
    one.expect(("m", "a"), HOUR)
    one.sent(4)
    hear(one, health(received=13, stored=100))
    assert await held(one.stored())
    hear(one, health(received=14, stored=100, spool_readings=30))
    for _ in range(4):
        hear(one, health(received=20, stored=120, spool_readings=10))
    assert await held(one.stored()), "what the spool held when all had arrived is not stored yet"
    for _ in range(3):
        hear(one, health(received=20, stored=130, spool_readings=10))
    assert await one.stored()


async def test_a_collector_that_is_gone_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_GONE_S", -1.0)
    one = Flow()
    hear(one, health())
    one.expect(("m", "a"), HOUR)
    task = asyncio.ensure_future(one.stored())
    await asyncio.sleep(0)
    hear(one)
    assert not await task


async def test_the_collector_must_work_by_our_registry() -> None:
    one = Flow()
    assert not await one.collector(-1.0)
    hear(one, health())
    assert await one.collector(10.0)
    assert not await one.collector(-1.0, "another")
    assert await one.collector(10.0, "d")


def test_rubbish_is_passed_over() -> None:
    one = Flow()
    hear(one, Heard(Flow.TOPIC, b"{"), Heard(Flow.TOPIC, b"[1]"))
    hear(one, Heard(Flow.TOPIC, b""), touched("m", a=None))
    assert not one.alive
