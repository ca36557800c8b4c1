"""No byte is free on the disk of the spool, of the embedded store, or of the log; then there is room again."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from fleet.clock import now_ms
from tests.faults.scenario import Scenario
from tests.faults.world import Setting, World
from tests.patience import PATIENCE_S

AGAIN_S: Final = 2.0
SPOOL_MB: Final = 400
"""More than the 256 MB that the spool leaves free."""


async def under_the_spool(world: World, chance: random.Random) -> None:
    """Said in its health; every other time it is killed meanwhile, and started when there is room."""
    assert world.disk is not None
    rounds = world.notes["rounds"] = world.notes.get("rounds", 0) + 1
    await _filled_until(world, lambda: bool(world.watch.health.get("full")))
    await world.publisher.sends(int(world.publisher.rate * chance.uniform(0.3, 1.0)))
    world.disk.fill()
    if rounds % 2 == 0:
        await world.collector.kill()
    world.disk.empty()
    if rounds % 2 == 0:
        await world.restart_collector()
    await world.watch.until(lambda: not world.watch.health.get("full"))


async def under_the_store(world: World, chance: random.Random) -> None:
    """Said in its health while the spool takes what comes; every other time it is killed meanwhile."""
    assert world.disk is not None
    rounds = world.notes["rounds"] = world.notes.get("rounds", 0) + 1
    await _filled_until(world, lambda: not world.watch.health["store"]["ok"])
    await world.publisher.sends(int(world.publisher.rate * chance.uniform(0.3, 1.0)))
    if rounds % 2 == 0:
        await world.collector.kill()
    world.disk.empty()
    if rounds % 2 == 0:
        await world.restart_collector()
    await world.watch.until(lambda: world.watch.health["store"]["ok"])


async def _filled_until(world: World, said: Callable[[], bool]) -> None:
    """Filled again and again, for a checkpoint gives room back, and a log has room in itself for some time."""
    assert world.disk is not None
    async with asyncio.timeout(PATIENCE_S):
        while not said():
            world.disk.fill()
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S):
                    await world.watch.until(said)


async def under_the_log(world: World, chance: random.Random) -> None:
    """It goes on although it can say nothing of a broker that goes away and comes back; of the next time it can."""
    assert world.disk is not None
    world.notes["rounds"] = world.notes.get("rounds", 0) + 1
    world.disk.fill()
    await _line_cut(world)
    await world.publisher.sends(int(world.publisher.rate * chance.uniform(0.3, 1.0)))
    await world.stored_so_far()
    world.disk.empty()
    await _line_cut(world)


async def _line_cut(world: World) -> None:
    began = now_ms()
    world.to_broker.cut()
    await world.watch.connected(world.collector.pid, since=began)


def says_what_it_left_out(world: World, outcome: dict[str, Any]) -> list[str]:
    """The log tells of the lines that are missing in it."""
    told = "lines of this log were left out" in world.collector.log.read_text(errors="replace")
    return [] if told or not world.notes.get("rounds") else ["the log does not say that lines are missing in it"]


SPOOL: Final = Scenario(
    fault=8,
    name="disk-full-spool",
    strike=under_the_spool,
    sabotage="acknowledged-when-full",
    setting=Setting(small_disk="spool", small_disk_mb=SPOOL_MB),
)
LAST_BYTE: Final = Scenario(
    fault=8,
    name="disk-full-in-a-commit",
    strike=under_the_spool,
    sabotage="acknowledged-when-full",
    setting=Setting(small_disk="spool", small_disk_mb=256, spool_fills_disk=True),
    short_rounds=2,
)
"""The spool finds no room in the midst of a commit, for it does not look before."""
STORE: Final = Scenario(
    fault=8,
    name="disk-full-store",
    strike=under_the_store,
    sabotage="dropped-when-away",
    setting=Setting(small_disk="store"),
    short_rounds=1,
)
LOG: Final = Scenario(
    fault=8,
    name="disk-full-log",
    strike=under_the_log,
    sabotage="raising-log",
    holds=says_what_it_left_out,
    setting=Setting(small_disk="log", small_disk_mb=1),
    short_rounds=1,
)
