"""The broker comes back without our session: its database is gone, so what it had queued for us is gone, too."""

import asyncio
import random
from typing import Any, Final

from fleet.clock import now_ms
from tests.faults.proxy import Mode
from tests.faults.scenario import Scenario, untold
from tests.faults.world import World


async def strike(world: World, chance: random.Random) -> None:
    """Under load, or (every other time) when everything is stored, so that nothing can be lost."""
    losses, heard = len(world.watch.losses), world.watch.connections
    if world.round % 2:
        await world.stored_so_far()
    await world.to_broker.become(Mode.REFUSE)  # the collector must not be back before the watch is
    world.broker.kill()
    world.broker.database.unlink(missing_ok=True)
    await asyncio.to_thread(world.broker.start)
    await world.watch.until(lambda: world.watch.connections > heard)
    dialled, began = world.to_broker.dialled, now_ms()
    await world.to_broker.become(Mode.PASS)
    await world.watch.until(lambda: len(world.watch.losses) > losses)
    await world.watch.connected(world.collector.pid, since=began)
    world.notes.setdefault("connections", []).append(world.to_broker.dialled - dialled)


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """Told once a loss, at the first connection, and kept in the store; what was lost lies within what was told."""
    wrong = []
    told, rounds = world.watch.losses, world.round
    if len(told) != rounds:
        wrong.append(f"{len(told)} losses of the session were told of {rounds}")
    if any(number != 1 for number in world.notes.get("connections", [])):
        wrong.append(f"connections until the loss was told: {world.notes['connections']}")
    kept = outcome["sessions"]
    if len(kept) != rounds:
        wrong.append(f"the store knows {len(kept)} losses of {rounds}")
    return wrong + untold(outcome)


SCENARIO: Final = Scenario(
    fault=3,
    name="session-lost",
    strike=strike,
    sabotage="subscribed-once",
    holds=holds,
    rate=2000,
    may_lose=True,
    short_rounds=2,
)
