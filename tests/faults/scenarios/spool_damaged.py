"""The spool's file or its log torn, overwritten, or with a bit flipped, while the collector is down."""

import contextlib
import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ingest.listing import quarantined
from tests.faults.proxy import Mode
from tests.faults.scenario import Scenario
from tests.faults.world import Setting, World

PAGE: Final = 16_384
Damage = Callable[[Path, random.Random], None]


def flip_a_bit(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def tear(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def overwrite_a_page(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    start = chance.randrange(max(1, len(data) // PAGE)) * PAGE
    data[start : start + PAGE] = chance.randbytes(min(PAGE, len(data) - start))
    path.write_bytes(data)


def in_the_log(damage: Damage) -> Damage:
    """What the collector had committed last is in the log."""

    def apply(path: Path, chance: random.Random) -> None:
        damage(path.with_name(f"{path.name}-wal"), chance)

    return apply


def in_the_file(damage: Damage) -> Damage:
    """All that was committed is in the file, as after a checkpoint."""

    def apply(path: Path, chance: random.Random) -> None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage(path, chance)

    return apply


def inside_a_batch(path: Path, chance: random.Random) -> None:
    """A page that SQLite finds in order, and a batch in it that is not what was written."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        rows = db.execute("SELECT id, data FROM batch WHERE stored_ms IS NULL").fetchall()
        number, data = chance.choice(rows)
        altered = bytearray(data)
        altered[chance.randrange(len(altered))] ^= 1 << chance.randrange(8)
        db.execute("UPDATE batch SET data = ? WHERE id = ?", (bytes(altered), number))


DAMAGES: Final[tuple[Damage, ...]] = (
    in_the_log(tear),
    in_the_file(overwrite_a_page),
    inside_a_batch,
    in_the_log(flip_a_bit),
    in_the_file(tear),
    in_the_file(flip_a_bit),
)
"""In turn."""


async def strike(world: World, chance: random.Random) -> None:
    """Messages wait in the spool, for the store is away; the collector is killed, its spool damaged, all started."""
    line, watch, publisher = world.to_store, world.watch, world.publisher
    assert line is not None
    await world.stored_so_far()
    await watch.until(lambda: watch.health["spool_readings"] == 0)
    await line.become(Mode.REFUSE)
    before = publisher.sent
    publisher.go()
    await publisher.sends(int(publisher.rate * chance.uniform(0.5, 1.5)))
    await publisher.quiet()
    await watch.until(lambda: watch.health["spool_readings"] == publisher.sent - before)
    await world.collector.kill()
    rounds = world.notes["rounds"] = world.notes.get("rounds", -1) + 1
    DAMAGES[rounds % len(DAMAGES)](world.data_dir / "ingest" / "spool.sqlite", chance)
    await line.become(Mode.PASS)
    await world.restart_collector()
    await watch.until(lambda: watch.health["spool_readings"] == 0)
    world.notes["said"] = watch.health["quarantine"]["readings"]


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """As many readings are lost as the quarantine names, and its health says so."""
    spool = world.data_dir / "ingest" / "spool.sqlite"
    named = sum(batch["readings"] for batch in quarantined(spool))
    wrong = [] if named == outcome["lost"] else [f"{outcome['lost']} are lost, {named} are in quarantine"]
    said = world.notes.get("said", 0)
    return wrong if said == named else [*wrong, f"its health said {said} in quarantine, there are {named}"]


SCENARIO: Final = Scenario(
    fault=9,
    name="spool-damaged",
    strike=strike,
    sabotage="silent-damage",
    holds=holds,
    may_lose=True,
    setting=Setting(store="influxdb"),
    short_rounds=2,
)
