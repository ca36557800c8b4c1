"""kill -9 of the broker, with all that it had queued: devices send again, and what is missing is told exactly."""

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

from fleet.batch import MachineKey
from fleet.clock import now_ms
from ingest.gaps import memory
from tests.faults.parts import MACHINES
from tests.faults.proxy import Mode
from tests.faults.scenario import Scenario
from tests.faults.world import FORGETFUL, Setting, World

QUEUED_S: Final = (0.2, 1.0)
"""How much load the broker has queued when it dies, in seconds."""
Number = tuple[MachineKey, int, int]
"""Machine, boot, seq."""


async def killed(world: World, chance: random.Random) -> None:
    """The collector is cut off, the broker queues for it and dies; devices come back first."""
    publisher, watch = world.publisher, world.watch
    publisher.withhold()
    await world.to_broker.become(Mode.REFUSE)
    await publisher.sends(int(publisher.rate * chance.uniform(*QUEUED_S)))
    heard = watch.connections
    world.broker.kill()
    await asyncio.to_thread(world.broker.start)
    await watch.until(lambda: watch.connections > heard)
    began = now_ms()
    await world.to_broker.become(Mode.PASS)
    await watch.connected(world.collector.pid, since=began)
    await publisher.sends(2 * len(MACHINES))  # until each machine has sent again, its last losses cannot be known
    at = publisher.publish(MACHINES[0])
    await watch.stored(MACHINES[0], at)
    stored = now_ms()
    await watch.until(lambda: watch.health.get("at", 0) > stored)
    world.notes.setdefault("told", []).append(missing(world))


def missing(world: World) -> int:
    """How many readings the collector says are missing."""
    found: int = world.watch.health.get("gaps", {}).get("missing", -1)
    return found


async def killed_and_sent_again(world: World, chance: random.Random) -> None:
    await killed(world, chance)
    world.publisher.resend()
    await world.watch.until(lambda: missing(world) == 0)


def told(world: World) -> Iterator[Number]:
    """Every number that the collector's spool says is missing."""
    with closing(sqlite3.connect(world.data_dir / "ingest" / "spool.sqlite")) as db:
        for key, source in memory.load(db).sources():
            for boot, gap in source.gaps():
                yield from ((key, boot, number) for number in range(gap.first, gap.last + 1))


def closed(world: World, outcome: dict[str, Any]) -> list[str]:
    """While it lasted the gap was told; nothing is missing in the end."""
    wrong = []
    rounds = world.notes.get("told", [])
    if world.round and not any(rounds):
        wrong.append(f"no gap was told in any round: {rounds}")
    if left := list(told(world)):
        wrong.append(f"{len(left)} readings are told to be missing: {left[:5]}")
    return wrong


def exact(world: World, outcome: dict[str, Any]) -> list[str]:
    """What the spool says is missing is what was acknowledged and is lost, one by one; health tells how many."""
    lost = {
        (MachineKey(each["member"], each["machine"]), each["boot"], each["seq"]) for each in outcome["examples"]["lost"]
    }
    said = set(told(world))
    wrong = [
        f"{len(numbers)} {what}: {sorted(numbers)[:5]}"
        for what, numbers in (("lost and not told", lost - said), ("told and not lost", said - lost))
        if numbers
    ]
    if world.round and not lost:
        wrong.append("the broker lost nothing: the fault did not strike")
    if world.round and (last := world.notes.get("told", [0])[-1]) != len(lost):
        wrong.append(f"{len(lost)} were lost, and the collector's health told {last}")
    return wrong


SCENARIO: Final = Scenario(
    fault=2, name="broker-killed", strike=killed_and_sent_again, sabotage=FORGETFUL, holds=closed, rate=1000,
    setting=Setting(devices="keeping"), sabotaged_rounds=1, short_rounds=1,
)  # fmt: skip
WITHOUT_PERSISTENCE: Final = Scenario(
    fault=2, name="broker-killed-without-persistence", strike=killed_and_sent_again, sabotage=FORGETFUL, holds=closed,
    rate=1000, setting=Setting(broker={"persistence": "false"}, devices="keeping"), sabotaged_rounds=1,
)  # fmt: skip
FORGETFUL_DEVICES: Final = Scenario(
    fault=2, name="broker-killed-devices-forget", strike=killed, sabotage="blind-to-gaps", holds=exact, rate=1000,
    may_lose=True, setting=Setting(devices="forgetful"), sabotaged_rounds=1, short_rounds=1,
)  # fmt: skip
