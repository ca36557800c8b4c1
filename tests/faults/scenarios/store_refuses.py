"""InfluxDB takes some points of a request and refuses others: another writer's type of a field, points too old."""

import asyncio
import json
import random
from typing import Any, Final

from fleet.clock import now_ms
from ingest.listing import listed
from tests.faults.parts import MACHINES, MEMBERS
from tests.faults.scenario import Scenario
from tests.faults.world import Setting, World

WEEK_MS: Final = 7 * 86_400_000
WEEKS: Final = range(2, 12)
"""Ago; InfluxDB fixes the type of a field for a week, and readings are kept for 90 days by default."""
BAD: Final = 20


async def strike(world: World, chance: random.Random) -> None:
    """Another program was first with text in a field of ours, in some week of a member; then readings of that week."""
    assert world.influxd is not None
    await world.stored_so_far()
    used = world.notes.setdefault("used", set())
    member, weeks = chance.choice([(m, w) for m in MEMBERS for w in WEEKS if (m, w) not in used])
    used.add((member, weeks))
    at = now_ms() - weeks * WEEK_MS
    bucket = await asyncio.to_thread(world.influxd.bucket, f"{member}-raw")
    line = f'readings,machine=other,member={member} power_w="text" {at}000000'
    await asyncio.to_thread(world.influxd.send_lines, bucket["orgID"], bucket["name"], line)
    keys = [key for key in MACHINES if key.member == member]
    for number in range(BAD):  # among the good ones of now, in the same requests
        world.publisher.publish(keys[number % len(keys)], at=at + 1 + number)
        world.publisher.publish(keys[number % len(keys)], at=now_ms() - 100 * 86_400_000 + number)
        world.publisher.publish()
    world.notes["conflicts"] = world.notes.get("conflicts", 0) + BAD
    world.notes["too old"] = world.notes.get("too old", 0) + BAD


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """Every bad point is in the rejects with its own reason, and nothing else is."""
    kept = listed(world.data_dir / "ingest" / "spool.sqlite", kind="reject")
    found = {"conflicts": 0, "too old": 0}
    for reject in kept:
        what = "conflicts" if "field type conflict" in reject["rule"] and "power_w" in reject["rule"] else ""
        what = what or ("too old" if "older than the 90 days" in reject["rule"] else "")
        if not what:
            return [f"a reject for another reason: {json.dumps(reject)}"]
        found[what] += len(reject["readings"])
    expected = {what: world.notes.get(what, 0) for what in found}
    return [] if found == expected else [f"rejects by reason are {found}, expected {expected}"]


SCENARIO: Final = Scenario(
    fault=6,
    name="store-refuses-some",
    strike=strike,
    sabotage="swallowed-refusals",
    holds=holds,
    setting=Setting(store="influxdb"),
)
