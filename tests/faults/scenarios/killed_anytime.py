"""kill -9 of the collector at random moments under load."""

import random
from typing import Final

from tests.faults.scenario import Scenario
from tests.faults.world import World


async def strike(world: World, chance: random.Random) -> None:
    """Every other time the next kill may come before the collector is connected again."""
    await world.collector.kill()
    await world.collector.start()
    if world.round % 2:
        await world.watch.connected(world.collector.pid)


SCENARIO: Final = Scenario(
    fault=1, name="killed-anytime", strike=strike, sabotage="early-acknowledgement", short_rounds=3, short_sabotage=True
)
