"""A new program on what an earlier one left; and what a later one left is refused."""

import asyncio
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ingest.listing import listed
from tests.faults import upgrade_cases as cases
from tests.faults.scenario import Scenario
from tests.faults.world import World
from tests.patience import PATIENCE_S

MISSING_EXIT: Final = 3


async def strike(world: World, chance: random.Random) -> None:
    """The collector starts on an old spool (the first time on an old store and registry, too); then on a newer file."""
    await world.stored_so_far()
    await world.collector.stop()
    spool, store, fleet = (
        world.data_dir / "ingest" / "spool.sqlite",
        world.folder / "store.duckdb",
        world.folder / "fleet",
    )
    if "rounds" not in world.notes:
        cases.copy_registry(fleet)
        world.publisher.record(cases.ledger_lines())
        await _old_store(world, store)
    rounds = world.notes["rounds"] = world.notes.get("rounds", -1) + 1
    cases.unpack_spool(spool)
    await world.restart_collector()
    problems = [error for error in world.watch.health["errors"] if error.startswith("registry:")]
    assert problems == [], problems
    await world.stored_so_far()
    await world.collector.stop()
    path, make_newer = (
        (spool, cases.make_spool_newer),
        (store, cases.make_store_newer),
        (fleet / "network.toml", cases.make_registry_newer),
    )[rounds % 3]
    await _refused(world, path, make_newer)
    await world.restart_collector()


async def _old_store(world: World, path: Path) -> None:
    """The old store takes the place of the new one, which is empty but for what is sent to it again."""
    cases.unpack_store(path)
    await world.restart_collector()
    await world.command("repush")
    await world.stored_so_far()
    await world.collector.stop()


async def _refused(world: World, path: Path, make_newer: Callable[[Path], None]) -> None:
    """One line and exit code 3, and the file is as it was."""
    kept, before = path.with_name(f"{path.name}.kept"), _log(world)
    shutil.copy(path, kept)
    make_newer(path)
    newer = _content(path)
    await world.collector.start()
    async with asyncio.timeout(PATIENCE_S):
        code = await world.collector.ended()
    said = _log(world)[len(before) :]
    assert (code, "newer" in cases.refusal(said)) == (MISSING_EXIT, True), f"exit code {code}: {said}"
    assert _content(path) == newer
    shutil.move(kept, path)


def _log(world: World) -> str:
    return world.collector.log.read_text()


def _content(path: Path) -> bytes:
    return path.read_bytes()


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """What the old spool kept of refused messages is there, too."""
    expected = {"reject", "unclaimed"} if "rounds" in world.notes else set()
    found = {one["kind"] for one in listed(world.data_dir / "ingest" / "spool.sqlite")}
    return [] if found == expected else [f"kept are {found}, not {expected}"]


SCENARIO: Final = Scenario(fault=15, name="upgraded", strike=strike, sabotage="forgotten-spool", holds=holds)
"""Its short form is ``tests/accelerator/test_upgrade.py``."""
