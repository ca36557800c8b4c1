"""The store loses what it had confirmed: a bucket is deleted, the store's file is removed; ``resilian repush``."""

import asyncio
import random
from typing import Final

from tests.faults.parts import MEMBERS
from tests.faults.scenario import Scenario
from tests.faults.world import Setting, World


async def bucket_deleted(world: World, chance: random.Random) -> None:
    """The bucket of a member is deleted; every other time another program makes it again at once."""
    assert world.influxd is not None
    await world.stored_so_far()
    name = f"{chance.choice(MEMBERS)}-raw"
    bucket = await asyncio.to_thread(world.influxd.bucket, name)
    await asyncio.to_thread(world.influxd.call, "DELETE", f"/api/v2/buckets/{bucket['id']}")
    if chance.random() < 0.5:
        body = {"name": name, "orgID": bucket["orgID"], "retentionRules": []}
        await asyncio.to_thread(world.influxd.call, "POST", "/api/v2/buckets", body)
    world.publisher.go()
    await world.publisher.sends(world.publisher.rate // 4)
    world.publisher.hold()
    await world.command("repush")


async def file_removed(world: World, chance: random.Random) -> None:
    """The file is removed under the running collector, or while it is stopped."""
    await world.stored_so_far()
    running = chance.random() < 0.5
    if not running:
        await world.collector.stop()
    for file in world.folder.glob("store.duckdb*"):
        file.unlink()
    if not running:
        await world.restart_collector()
    world.publisher.go()
    await world.publisher.sends(world.publisher.rate // 4)
    world.publisher.hold()
    if running:
        await world.watch.until(lambda: any("resilian repush" in error for error in world.watch.errors))
    await world.command("repush")


BUCKET: Final = Scenario(
    fault=7,
    name="bucket-deleted",
    strike=bucket_deleted,
    sabotage="no-grace",
    setting=Setting(store="influxdb"),
)
FILE: Final = Scenario(fault=7, name="store-file-removed", strike=file_removed, sabotage="no-grace", short_rounds=1)
