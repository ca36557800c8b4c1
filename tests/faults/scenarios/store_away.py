"""InfluxDB killed, slow, refusing, hanging, or losing its answers."""

import asyncio
import random
from typing import Any, Final

from tests.faults.http_proxy import Answer
from tests.faults.scenario import Scenario
from tests.faults.world import Setting, World

SAID_S: Final = 10.0
"""A store that does not answer is said to be away within seconds."""
PEAK_MB: Final = 350
FULL_RATE: Final = 5_000
LONG_S: Final = 60
"""At the full rate the first outage is so long that more comes than the collector holds in memory."""
KINDS: Final = (None, Answer.HANG, Answer.LOSE, Answer.ERROR, Answer.TOO_MANY, Answer.SLOW, Answer.BUSY)
"""In turn; None: killed and started again."""


async def strike(world: World, chance: random.Random) -> None:
    """One outage under load, until the collector says that the store takes readings again."""
    front, influxd = world.front, world.influxd
    assert front is not None
    assert influxd is not None
    rounds = world.notes["rounds"] = world.notes.get("rounds", -1) + 1
    kind = KINDS[rounds % len(KINDS)]
    if kind is None:
        await world.stored_so_far()  # killed while it makes a bucket, influxd never starts again
        await asyncio.to_thread(influxd.kill)
        world.publisher.go()
    else:
        front.become(kind)
    try:
        if kind is not Answer.SLOW:
            async with asyncio.timeout(SAID_S):
                await world.watch.until(lambda: not takes_readings(world))
        long = rounds == 0 and world.publisher.rate >= FULL_RATE
        await world.publisher.sends(int(world.publisher.rate * (LONG_S if long else chance.uniform(0.5, 1.5))))
    finally:
        if kind is None:
            await asyncio.to_thread(influxd.start)
        front.become(Answer.PASS)
    await world.watch.until(lambda: takes_readings(world))


def takes_readings(world: World) -> bool:
    """Whether the collector says so."""
    return bool(world.watch.health.get("store", {}).get("ok"))


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """Memory is bounded, and a server that asks for quiet is left alone."""
    wrong = []
    if outcome["rss_mb"] > PEAK_MB:
        wrong.append(f"the collector held {outcome['rss_mb']} MB")
    if world.front is not None and world.front.impatient:
        wrong.append(f"{world.front.impatient} writes came before Retry-After was over")
    return wrong


SCENARIO: Final = Scenario(
    fault=5,
    name="store-away",
    strike=strike,
    sabotage="dropped-when-away",
    holds=holds,
    setting=Setting(store="influxdb", http=True),
)
