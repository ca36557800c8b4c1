"""The line to the broker: half open, one byte a second, reset inside a packet; the line to the store: reset."""

import random
from typing import Any, Final

from fleet.clock import now_ms
from tests.faults.proxy import Mode
from tests.faults.scenario import Scenario
from tests.faults.world import Setting, World

PEAK_MB: Final = 300
"""A collector with nothing to do has about 130 MB; what came while a line was bad must not be held in memory."""


async def half_open(world: World, chance: random.Random) -> None:
    """Keep-alive finds it; now and then the next connection is swallowed, too, or what comes from the broker alone."""
    began, line = now_ms(), world.to_broker
    mode = {0: Mode.SWALLOW, 3: Mode.SWALLOW_REPLIES}.get(world.round % 5)
    if mode is None:
        line.half_open()
    else:
        await line.become(mode)
        await line.dials(2)
        await line.become(Mode.PASS)
    await world.watch.connected(world.collector.pid, since=began)


async def one_byte_a_second(world: World, chance: random.Random) -> None:
    """A few seconds of it under load; then the line is good again, or (every other time) it breaks."""
    began, line = now_ms(), world.to_broker
    await line.become(Mode.TRICKLE)
    await line.carried(down=chance.randint(2, 4))
    breaks = world.round % 2 == 1
    if breaks:
        line.cut()
    await line.become(Mode.PASS)
    if breaks:
        await world.watch.connected(world.collector.pid, since=began)


async def reset_inside_a_packet(world: World, chance: random.Random) -> None:
    """After a random number of bytes: of what the broker sends, or of our acknowledgements."""
    began, upward = now_ms(), chance.random() < 0.5
    world.to_broker.reset_after(chance.randint(1, 4_000 if upward else 100_000), upward=upward)
    await world.to_broker.struck()
    await world.watch.connected(world.collector.pid, since=began)


async def reset_inside_a_request(world: World, chance: random.Random) -> None:
    """Of the line to InfluxDB: within what is written, within its answer, or nobody listens for a while."""
    line = world.to_store
    assert line is not None
    if world.round % 3 == 0:
        await line.become(Mode.REFUSE)
        await world.publisher.sends(world.publisher.rate)
        await line.become(Mode.PASS)
    else:
        upward = world.round % 3 == 1
        line.reset_after(chance.randint(1, 100_000 if upward else 300), upward=upward)
        await line.struck()


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """Memory is bounded, and no session was lost."""
    wrong = []
    if outcome["rss_mb"] > PEAK_MB:
        wrong.append(f"the collector held {outcome['rss_mb']} MB")
    if world.watch.losses:
        wrong.append(f"{len(world.watch.losses)} losses of the session were told, and none happened")
    return wrong


HALF_OPEN: Final = Scenario(
    fault=10,
    name="half-open",
    strike=half_open,
    sabotage="no-keep-alive",
    holds=holds,
    setting=Setting(keep_alive_s=2),
    rate=2000,
    short_rounds=1,
)
TRICKLE: Final = Scenario(
    fault=10, name="one-byte-a-second", strike=one_byte_a_second, sabotage="clean-start", holds=holds, short_rounds=1
)
RESET: Final = Scenario(
    fault=10,
    name="reset-inside-a-packet",
    strike=reset_inside_a_packet,
    sabotage="clean-start",
    holds=holds,
    short_rounds=3,
    short_sabotage=True,
)
STORE: Final = Scenario(
    fault=10,
    name="reset-inside-a-request",
    strike=reset_inside_a_request,
    sabotage="dropped-when-away",
    rate=2000,
    holds=holds,
    setting=Setting(store="influxdb"),
)
