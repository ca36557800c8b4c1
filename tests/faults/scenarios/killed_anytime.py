"""kill -9 of the collector at random moments under load."""

import random
from typing import Final

from tests.faults.scenario import Scenario
from tests.faults.world import World


async def strike(world: World, chance: random.Random) -> None:
    await world.collector.kill()
    await world.collector.start()  # the next kill may well come before it is connected


SCENARIO: Final = Scenario(
    fault=1, name="killed-anytime", strike=strike, sabotage="early-acknowledgement", short_rounds=3, short_sabotage=True
)
