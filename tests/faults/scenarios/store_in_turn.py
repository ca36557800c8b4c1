"""The faults of InfluxDB one after the other in one world: for the short form, in place of a world for each."""

import random
from typing import Any, Final

from tests.faults.scenario import Scenario
from tests.faults.scenarios import store_away, store_lost_it, store_refuses
from tests.faults.world import Setting, World

STRIKES: Final = (
    store_away.strike,  # killed
    store_refuses.strike,
    store_away.strike,  # hanging
    store_lost_it.bucket_deleted,
    store_away.strike,  # its answers lost
)


async def strike(world: World, chance: random.Random) -> None:
    turn = world.notes["turn"] = world.notes.get("turn", -1) + 1
    await STRIKES[turn % len(STRIKES)](world, chance)
    world.publisher.go()


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    return store_away.holds(world, outcome) + store_refuses.holds(world, outcome)


SCENARIO: Final = Scenario(
    fault=5,
    name="store-in-turn",
    strike=strike,
    sabotage="dropped-when-away",
    holds=holds,
    setting=Setting(store="influxdb", http=True),
    short_rounds=len(STRIKES),
)
