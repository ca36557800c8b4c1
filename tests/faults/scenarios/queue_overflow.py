"""The broker's queue for the collector overflows: what it had acknowledged it throws away; not unheard."""

import random
from typing import Any, Final

from tests.faults.scenario import Scenario, untold
from tests.faults.world import Setting, World

QUEUED: Final = 200
IN_FLIGHT: Final = 10_000
"""What the collector takes unacknowledged; to a client of MQTT 5 Mosquitto sends so many, whatever its own limit."""
OVER: Final = 1_500
SETTING: Final = Setting(
    broker={
        "max_queued_messages": str(QUEUED),
        "sys_interval": "1",  # how often Mosquitto tells its counts; 10 s as deployed
    }
)


def told(world: World) -> int:
    """Messages that the collector has told to be thrown away."""
    return sum(loss.get("messages", 0) for loss in world.watch.losses)


async def strike(world: World, chance: random.Random) -> None:
    """The collector is held, or (every other time) dead, while more comes than the broker keeps."""
    await world.stored_so_far()
    before, held = told(world), world.round % 2 == 1
    if held:
        world.collector.hold()
        await world.publisher.burst(IN_FLIGHT + QUEUED + OVER)
        world.collector.go()
    else:
        await world.collector.kill()
        await world.publisher.burst(QUEUED + OVER)
        await world.restart_collector()
    await world.watch.until(lambda: told(world) >= before + OVER)


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """As many are told as are lost, to people, to programs and in the store; and they lie within what is told."""
    wrong = []
    kept = sum(loss.get("messages", 0) for loss in outcome["sessions"])
    for where, count in (("told on net/v1/session/ingest", told(world)), ("kept in the store", kept)):
        if count < outcome["lost"]:
            wrong.append(f"{outcome['lost']} were lost, {count} {where}")
    if not outcome["lost"] and world.round:
        wrong.append("nothing was lost: the queue did not overflow")
    if outcome["lost"] and not any("threw" in error for error in world.watch.errors):
        wrong.append("no health message had it among its errors")
    return wrong + untold(outcome)


SCENARIO: Final = Scenario(
    fault=4,
    name="queue-overflow",
    strike=strike,
    sabotage="silent-overflow",
    holds=holds,
    rate=2000,
    may_lose=True,
    setting=SETTING,
    short_rounds=2,
    sabotaged_rounds=1,
)
