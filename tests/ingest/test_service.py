"""The collector as a program, on a real Mosquitto and a real DuckDB."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.batch import MachineKey
from ingest.errors import SpoolNewer
from ingest.service import SPOOL_FILE, IngestConfig, run
from ingest.spool import Limits
from store import Store, StoreUnavailable
from tests.ingest.casefiles import CASES, payload_of
from tests.ingest.conftest import Mosquitto, collecting, connected, until
from tests.ingest.ear import Ear
from tests.ingest.test_forwarder import Flaky
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.mosquitto
BOOTH = "m/acme/booth/reading"
KEY = MachineKey("acme", "booth")


def now() -> int:
    return time.time_ns() // 1_000_000


async def powers(store: Store, key: MachineKey = KEY) -> list[float]:
    found = await store.read_readings([key], 0, 2**42)
    return sorted(found.rows["power_w"].tolist())


def bad_payloads() -> list[bytes]:
    """Payloads of the cases that are refused, and a few that are no cases because of their size."""
    folders = [path.parent for path in sorted(CASES.glob("canonical/*/expected.err"))]
    refused = [payload_of(folder) for folder in folders if not (folder / "expected.json").exists()]
    return [*refused, b'{"power_w":1,"x":"' + b"a" * 2_000_000 + b'"}', b"[" * 10_000]


async def test_bad_payloads_between_good_ones(config: IngestConfig, store: Store, ear: Ear) -> None:
    """Every message is in the store or among the rejects with its hash; nothing else is."""
    bad, at = bad_payloads(), now()
    assert len(bad) >= 25
    good = [{"at": at + number, "power_w": number} for number in range(len(bad))]
    async with collecting(config, store):
        await connected(ear)
        mixed = [part for one, other in zip(good, bad, strict=True) for part in ((BOOTH, one), (BOOTH, other))]
        await ear.send(*mixed)
        await until(lambda: ear.last("net/v1/rejects/acme").get("total") == len(bad), "all rejects to be said")
        await until(lambda: ear.health.get("stored") == len(good), "all good readings to be stored")
        said = ear.last("net/v1/rejects/acme")
        assert sum(said["by_reason"].values()) == len(bad)
        assert len(said["newest"]) == 20
        assert all(one["reason"] and one["rule"] for one in said["newest"])
    assert await powers(store) == [float(number) for number in range(len(good))]
    with contextlib.closing(sqlite3.connect(config.data_dir / SPOOL_FILE)) as db:
        kept = [row[0] for row in db.execute("SELECT sha256 FROM kept WHERE kind = 'reject'")]
    assert sorted(kept) == sorted(hashlib.sha256(payload).hexdigest() for payload in bad)


async def test_touched_names_machine_values_and_hours(config: IngestConfig, store: Store, ear: Ear) -> None:
    at = now() // 3_600_000 * 3_600_000
    async with collecting(config, store):
        await connected(ear)
        body = [{"at": at - 1, "count": 7}, {"at": at, "power_w": 5, "state": "PRODUCING"}]
        await ear.send((BOOTH, json.dumps(body)))
        await until(lambda: "net/v1/touched/acme" in ear.heard, "touched")
    said = ear.last("net/v1/touched/acme")["machines"]["booth"]
    assert said.pop("arrived") >= at
    hour = at // 1000
    assert said == {"at": at, "state": "PRODUCING", "power_w": 5.0, "counter": 7, "hours": [hour - 3600, hour]}


async def test_a_flood_touches_at_most_five_times_a_second(config: IngestConfig, store: Store, ear: Ear) -> None:
    at = now()
    async with collecting(config, store):
        await connected(ear)
        for number in range(200):
            await ear.send((BOOTH, {"at": at + number, "power_w": number}))
        last = at + 199
        await until(
            lambda: ear.last("net/v1/touched/acme").get("machines", {}).get("booth", {}).get("at") == last, "199"
        )
    times = [said["at"] for said in ear.heard["net/v1/touched/acme"]]
    assert all(later - earlier >= 190 for earlier, later in itertools.pairwise(times[:-1]))


async def test_a_claim_brings_what_was_sent_before(config: IngestConfig, store: Store, ear: Ear, fleet: Path) -> None:
    topic = "m/acme/meter/tele/SENSOR"
    async with collecting(config, store):
        await connected(ear)
        for power in (5, 6):
            await ear.send((topic, {"Time": "2026-03-02T10:00:00", "ENERGY": {"Power": power, "Total": 1.5}}))
        await until(lambda: ear.last("net/v1/unclaimed/acme").get("total") == 2, "the device to be said")
        device = ear.last("net/v1/unclaimed/acme")["devices"][0]
        assert (device["topic"], device["messages"], device["guess"]["format"]) == (topic, 2, "tasmota")
        path = fleet / "members" / "acme.toml"
        feed = f'[[machines.feeds]]\ntopic = "{topic}"\nformat = "tasmota"\n'
        path.write_text(path.read_text() + f'\n[[machines]]\nid = "new"\nname = "Neuf"\n{feed}')
        await until(lambda: ear.last("net/v1/unclaimed/acme").get("devices") == [], "the device to be claimed")
        assert ear.last("net/v1/unclaimed/acme")["total"] == 0
        await ear.send((topic, {"Time": "2026-03-02T10:00:01", "ENERGY": {"Power": 7}}))
        await until(lambda: ear.health.get("stored") == 3, "three readings")
    assert await powers(store, MachineKey("acme", "new")) == [5, 6, 7]


async def test_rejects_are_tried_again_on_command(config: IngestConfig, store: Store, ear: Ear, fleet: Path) -> None:
    topic = "m/acme/saw-plug/tele/SENSOR"
    path = fleet / "members" / "acme.toml"
    right = path.read_text()
    path.write_text(right.replace('"tasmota"', '"shelly-gen2"'))
    async with collecting(config, store):
        await connected(ear)
        await ear.send((topic, {"Time": "2026-03-02T10:00:00", "ENERGY": {"Power": 5}}), (BOOTH, "nonsense"))
        await until(lambda: ear.last("net/v1/rejects/acme").get("total") == 2, "two rejects")
        digest = ear.health["registry_digest"]
        path.write_text(right)
        await until(lambda: ear.health["registry_digest"] != digest, "the registry to be read again")
        await ear.order(do="retry-rejects", member="acme")
        await until(lambda: ear.last("net/v1/rejects/acme").get("total") == 1, "one reject less")
        await until(lambda: ear.health.get("stored") == 1, "its reading")
        assert ear.health["last_command"]["result"] == 1
        await ear.order(do="dance")
        await until(lambda: "dance" in (ear.health["last_command"].get("error") or ""), "a refusal")
    assert await powers(store, MachineKey("acme", "saw")) == [5]


async def test_repush_on_command(config: IngestConfig, store: Store, ear: Ear) -> None:
    async with collecting(config, store):
        await connected(ear)
        await ear.send(*[(BOOTH, {"at": now(), "power_w": number}) for number in range(50)])
        await until(lambda: ear.health.get("stored") == 50, "fifty")
        await store.forget("acme", "booth", 2**42)
        await ear.order(do="repush")
        await until(lambda: ear.health.get("stored") == 100, "fifty again")
    assert await powers(store) == list(range(50))


async def test_what_came_while_away_and_what_the_store_missed(config: IngestConfig, store: Store, ear: Ear) -> None:
    """Stopped during an outage of the store: nothing is lost, the next run delivers."""
    away = Flaky(store)
    away.before.extend(StoreUnavailable("away") for _ in range(100_000))
    async with collecting(replace(config, flush_s=0.2), away):
        await connected(ear)
        await ear.send(*[(BOOTH, {"at": now(), "power_w": number}) for number in range(20)])
        await until(lambda: ear.health.get("spool_readings") == 20, "twenty in the spool")
        await until(
            lambda: ear.health["store"] == {**ear.health["store"], "ok": False, "error": "away"}, "the store's state"
        )
    await until(lambda: ear.health.get("alive") is False, "the will")
    await ear.send(*[(BOOTH, {"at": now(), "power_w": number}) for number in range(20, 40)])
    async with collecting(config, store):
        await until(lambda: ear.health.get("stored") == 40, "all forty")
    assert await powers(store) == list(range(40))


async def test_a_full_spool_stops_reading_and_loses_nothing(config: IngestConfig, store: Store, ear: Ear) -> None:
    away = Flaky(store)
    away.open_gate.clear()
    tight = replace(config, limits=Limits(quota_bytes=40_000, min_free_bytes=0))
    async with collecting(tight, away):
        await connected(ear)
        for start in range(0, 2_000, 50):
            await ear.send(*[(BOOTH, {"at": now(), "power_w": number}) for number in range(start, start + 50)])
        await until(lambda: any("quota" in error for error in ear.health.get("errors", [])), "the quota to be said")
        assert ear.health["spool_bytes"] <= 40_000
        await until(lambda: ear.health["spool_full_in_s"] == 0, "the full spool to be told as a figure")
        away.open_gate.set()
        await until(lambda: ear.health.get("stored") == 2_000, "all two thousand", 60)
        await until(lambda: not ear.health["errors"], "no error any more")
    assert await powers(store) == list(range(2_000))


async def test_a_lost_session_is_said_and_stored(
    config: IngestConfig, store: Store, ear: Ear, broker: Mosquitto
) -> None:
    async with collecting(config, store):
        await connected(ear)
        before = now()
        await ear.send((BOOTH, {"at": before, "power_w": 0}))
        await until(lambda: ear.health.get("stored") == 1, "a reading before it")
        safe = now()
        broker.kill()
        broker.start()
        await until(lambda: ear.health.get("broker", {}).get("session_losses") == 1, "the loss in the health")
        await ear.send((BOOTH, {"at": now(), "power_w": 1}))
        await until(lambda: ear.health.get("stored") == 2, "readings after it")
        async with asyncio.timeout(PATIENCE_S):
            while not (documents := await store.read_documents("session")):  # noqa: ASYNC110 - written by the collector
                await asyncio.sleep(0.01)
    losses = json.loads(documents[0].body)
    assert [loss["program"] for loss in losses] == ["ingest"]
    assert before <= losses[0]["since"] <= safe <= losses[0]["at"]


async def test_a_loss_while_the_program_was_down(
    config: IngestConfig, store: Store, ear: Ear, broker: Mosquitto
) -> None:
    async with collecting(config, store):
        await connected(ear)
    assert "net/v1/session/ingest" not in ear.heard
    broker.kill()
    await until(lambda: not ear.session.connected, "the broker to be away")
    broker.start()
    await ear.session.wait_connected()
    async with collecting(config, store):
        await until(lambda: "net/v1/session/ingest" in ear.heard, "the loss to be said")


async def test_names_that_contradict_the_topic_are_an_event(config: IngestConfig, store: Store, ear: Ear) -> None:
    async with collecting(config, store):
        await connected(ear)
        await ear.send((BOOTH, {"at": now(), "power_w": 1, "member": "zeta"}))
        await until(lambda: bool(ear.health.get("contradictions")), "the event")
        event = ear.health["contradictions"][0]
        assert (event["topic"], event["field"], event["name"]) == (BOOTH, "member", "zeta")
    assert await store.known_machines() == [KEY]


async def test_values_of_uncertain_quality_are_kept_and_told(
    config: IngestConfig, store: Store, ear: Ear, fleet: Path
) -> None:
    topic, path = "m/acme/edge/data", fleet / "members" / "acme.toml"
    feed = f'[[machines.feeds]]\ntopic = "{topic}"\nformat = "tags"\n'
    path.write_text(f'{path.read_text()}\n[[machines]]\nid = "press"\nname = "Presse"\n{feed}')
    async with collecting(config, store):
        await connected(ear)
        for number, quality in enumerate((3, 1, 1)):
            await ear.send((topic, {"seq": number, "vals": [{"id": "Power", "qc": quality, "val": number}]}))
        await until(lambda: ear.health.get("stored") == 3, "three readings")
        await until(lambda: ear.health["uncertain"] == 2, "two uncertain values to be told")
    assert await powers(store, MachineKey("acme", "press")) == [0, 1, 2]


async def test_a_newer_spool_is_refused(config: IngestConfig, store: Store) -> None:
    config.data_dir.mkdir()
    with contextlib.closing(sqlite3.connect(config.data_dir / SPOOL_FILE)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(SpoolNewer):
        await run(config, store, stop=asyncio.Event())
