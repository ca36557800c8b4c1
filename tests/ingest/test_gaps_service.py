"""Numbered readings through a real Mosquitto: what is missing is said, over a restart too, until it comes."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ingest.service import IngestConfig
from store import Store
from tests.ingest.conftest import collecting, connected, until
from tests.ingest.ear import Ear

pytestmark = pytest.mark.mosquitto
BOOTH = "m/acme/booth/reading"
BOOT = 1_795_000_000_000


def reading(seq: int, at: int, **more: object) -> dict[str, object]:
    return {"at": at + seq, "power_w": float(seq), "seq": seq, "boot": BOOT, **more}


def told(ear: Ear) -> dict[str, Any]:
    """What health says of gaps; {} before it says anything."""
    found: dict[str, Any] = ear.health.get("gaps", {})
    return found


def ranges(ear: Ear) -> list[tuple[int, int]]:
    machines = told(ear).get("machines", [])
    return [(gap["first"], gap["last"]) for each in machines for gap in each["ranges"]]


async def test_what_is_missing_is_said_until_it_comes(config: IngestConfig, store: Store, ear: Ear) -> None:
    at = time.time_ns() // 1_000_000 - 60_000
    async with collecting(config, store):
        await connected(ear)
        await ear.send(*((BOOTH, reading(seq, at)) for seq in (809, 810, 823, 825)))
        await until(lambda: told(ear).get("missing") == 13, "the gaps to be said")
        [machine] = told(ear)["machines"]
        assert (machine["member"], machine["machine"], machine["missing"]) == ("acme", "booth", 13)
        assert sorted(machine["ranges"], key=lambda gap: gap["first"])[0] == {
            "boot": BOOT, "first": 811, "last": 822, "after": at + 810, "before": at + 823,
            "noticed": machine["ranges"][0]["noticed"],
        }  # fmt: skip
    async with collecting(config, store):  # known again, though the state was last written before
        await until(
            lambda: ear.health.get("received") == 0 and told(ear).get("missing") == 13, "the gaps after a restart"
        )
        refused = json.dumps([reading(812, at), {**reading(824, at), "at": "yesterday"}])
        await ear.send((BOOTH, refused))
        await until(lambda: sorted(ranges(ear)) == [(811, 811), (813, 822)], "what came, and what came and was refused")
        await ear.send(*((BOOTH, reading(seq, at)) for seq in range(805, 830)))
        await until(lambda: told(ear).get("missing") == 0 and not ranges(ear), "the gaps to be closed")
    async with collecting(config, store):
        await until(lambda: ear.health.get("received") == 0 and bool(told(ear)), "the third life")
        await ear.send((BOOTH, reading(830, at)))
        await until(lambda: ear.health.get("stored") == 1, "the next reading")
        assert told(ear)["machines"] == []


async def test_what_was_unclaimed_fills_the_gap_when_it_is_read(
    config: IngestConfig, store: Store, ear: Ear, fleet: Path
) -> None:
    at = time.time_ns() // 1_000_000 - 60_000
    async with collecting(config, store):
        await connected(ear)
        await ear.send(*((BOOTH, reading(seq, at)) for seq in (1, 5)))
        await ear.send(*(("m/acme/spare/reading", reading(seq, at)) for seq in (2, 3, 4)))
        await until(lambda: told(ear).get("missing") == 3, "what nobody claimed to be missing")
        file = fleet / "members" / "acme.toml"
        feed = '[[machines.feeds]]\ntopic = "m/acme/{}/reading"\nformat = "canonical"\n'
        booth = 'id = "booth"\nname = "Cabine"\n'
        file.write_text(file.read_text().replace(booth, booth + feed.format("booth") + feed.format("spare")))
        await until(lambda: told(ear).get("missing") == 0, "the claimed readings to fill the gap")
