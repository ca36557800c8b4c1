"""The session is lost while the collector is down, and the next life is killed before it can tell; or it is kept."""

import asyncio
import random
import signal
from typing import Any, Final

from fleet.clock import now_ms
from tests.faults.scenario import Scenario, untold
from tests.faults.world import World

LOST: Final = ("welcomed", "subscribed", "before-record", "after-record")
KEPT: Final = ("asked", *LOST)
"""Points at which a life ends that finds a new session, or the one of before."""


async def strike(world: World, chance: random.Random) -> None:
    """A life that ends at the next of the points, with a session that was lost or, every other time, with one that was
    kept; then one that must tell the loss, and no other.
    """
    lost, turn = world.round % 2 == 1, world.round // 2
    if chance.random() < 0.5:
        await world.stored_so_far()
        world.publisher.go()
    await world.collector.kill()
    began = now_ms()
    if lost:
        heard = world.watch.connections
        world.broker.kill()
        world.broker.database.unlink(missing_ok=True)
        await asyncio.to_thread(world.broker.start)
        await world.watch.until(lambda: world.watch.connections > heard)
        await world.publisher.sends(50)
    await world.collector.start("--die-at", (LOST if lost else KEPT)[turn % len(LOST if lost else KEPT)])
    async with asyncio.timeout(world.watch.patience_s):
        assert await world.collector.ended() == -signal.SIGKILL
    await world.publisher.sends(50)
    await world.restart_collector()
    if lost:
        world.notes["lost"] = world.notes.get("lost", 0) + 1
        await world.watch.until(lambda: any(loss["at"] > began for loss in world.watch.health["losses"]))


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """Each lost session is told once, and no other; what was lost lies within what was told."""
    kept, lost = outcome["sessions"], world.notes.get("lost", 0)
    wrong = [] if len(kept) == lost else [f"{len(kept)} losses of the session are told of {lost}"]
    return wrong + untold(outcome)


SCENARIO: Final = Scenario(
    fault=3,
    name="session-lost-unseen",
    strike=strike,
    sabotage="brokers-word",
    holds=holds,
    rate=1000,
    may_lose=True,
    short_rounds=5,
)
