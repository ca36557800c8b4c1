"""The collector ends (SIGKILL) at an exact point of its work, on a random passage of it."""

import asyncio
import random
import signal
from typing import Final

from tests.faults.scenario import Scenario, Strike
from tests.faults.world import Setting, World

PASSAGES: Final = {"before-commit": 40, "after-commit": 40, "before-store": 3, "inside-batch": 5}
"""At most so many passages of a point, which a life lasts; batches go to the store four times a second."""
RATE: Final = 1000
"""Less than what the others bear: each round waits for a process to start and to end."""


def at(point: str) -> Strike:
    """A round: a life that ends at ``point``; the next one begins with what it left."""

    async def strike(world: World, chance: random.Random) -> None:
        await world.collector.kill()
        await world.collector.start("--die-at", point, "--on-call", str(chance.randint(1, PASSAGES[point])))
        async with asyncio.timeout(world.watch.patience_s):
            code = await world.collector.ended()
        assert code == -signal.SIGKILL, f"the collector ended with exit code {code} before the point {point}"

    return strike


async def in_turn(world: World, chance: random.Random) -> None:
    """A round at the next of the points."""
    await at(list(PASSAGES)[world.round % len(PASSAGES)])(world, chance)


BEFORE_COMMIT: Final = Scenario(
    fault=1, name="killed-before-commit", strike=at("before-commit"), sabotage="early-acknowledgement", rate=RATE
)
AFTER_COMMIT: Final = Scenario(
    fault=1, name="killed-before-puback", strike=at("after-commit"), sabotage="arrival-keys", rate=RATE
)
BEFORE_STORE: Final = Scenario(
    fault=1, name="killed-before-store", strike=at("before-store"), sabotage="forgotten-spool", rate=RATE
)
INSIDE_BATCH: Final = Scenario(
    fault=1, name="killed-inside-batch", strike=at("inside-batch"), sabotage="marked-before-written", rate=RATE
)
IN_TURN: Final = Scenario(
    fault=1,
    name="killed-at-each-point",
    strike=in_turn,
    sabotage="early-acknowledgement",
    rate=RATE,
    short_rounds=len(PASSAGES),
)
"""For the short form, in place of those above."""
INSIDE_REQUESTS: Final = Scenario(
    fault=1,
    name="killed-between-requests",
    strike=at("inside-batch"),
    sabotage="marked-before-written",
    rate=RATE,
    setting=Setting(store="influxdb"),
)
