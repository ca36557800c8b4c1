"""Replays through a real broker and a real collector into a real store."""

import asyncio
import csv
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bus.client import BrokerAddress
from fleet import edit, registry
from fleet.batch import MachineKey
from fleet.clock import now_ms
from fleet.network import Machine
from fleet.states import PRODUCING, STANDBY, STATES, UNKNOWN
from ingest.service import IngestConfig
from ingest.service import run as collect
from simulators.replay import NobodyListensError, RecordingError, ReplayConfig, run
from store import Store, connect
from tests.servers import Broker

pytestmark = pytest.mark.mosquitto

INTERVALS = """machine,start,end,state
Machine 3 - Round Grinding,2026-03-02T07:00:00Z,2026-03-02T09:00:00Z,
Machine 3 - Round Grinding,2026-03-02T08:00:00Z,2026-03-02T10:00:00Z,
Machine 3 - Round Grinding,2026-03-02T11:00:00Z,2026-03-02T11:00:00Z,
Machine 3 - Round Grinding,2026-03-02T12:00:00Z,2026-03-02T12:30:00Z,FAULT
Saw,2026-03-02T07:30:00Z,yesterday,
Saw,2026-03-02T10:00:00Z,2026-03-02T13:00:00Z,SETUP
"""


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class Site:
    """A broker, a collector, a store and a registry."""

    def __init__(self, folder: Path, broker: BrokerAddress, store: Store) -> None:
        self.fleet, self.broker, self.store = folder / "fleet", broker, store
        self.folder = folder

    def config(self, name: str, text: str, **more: object) -> ReplayConfig:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return ReplayConfig(broker=self.broker, fleet_dir=self.fleet, path=path, **more)  # type: ignore[arg-type] # any

    async def states(self, machine: str, member: str = "replay") -> list[tuple[int, str]]:
        batch = await self.store.read_readings([MachineKey(member, machine)], 0, now_ms())
        rows = batch.rows
        return [
            (int(at) // 1_000_000, STATES[code].value) for at, code in zip(rows["at_ns"], rows["state"], strict=True)
        ]


@asynccontextmanager
async def collecting(site: Site) -> AsyncIterator[None]:
    stop = asyncio.Event()
    config = IngestConfig(broker=site.broker, fleet_dir=site.fleet, data_dir=site.folder / "ingest")
    task = asyncio.create_task(collect(config, site.store, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await task


@pytest.fixture
async def site(mosquitto: Broker, tmp_path: Path) -> AsyncIterator[Site]:
    registry.init(tmp_path / "fleet", name="Ici", commune="Ici", timezone="Europe/Paris")
    store = connect(f"duckdb://{tmp_path}/store.duckdb")
    await store.open()
    site = Site(tmp_path, BrokerAddress.parse(mosquitto.url), store)
    async with collecting(site):
        yield site
    await store.close()


async def test_intervals_become_readings_at_each_change_and_every_so_often(site: Site) -> None:
    progress: list[tuple[int, int]] = []
    config = site.config(
        "i.csv", INTERVALS, every=3600.0, progress=lambda done, total, what="": progress.append((done, total))
    )
    done = await run(config, stop=asyncio.Event())
    assert (done.rows, done.used, done.united, done.empty, done.refused) == (6, 3, 1, 1, 1)
    assert done.reasons == ["i.csv:6: end = 'yesterday': ISO 8601, such as 2026-03-02T07:15:00+01:00"]
    assert (done.machines, done.machines_added, done.stored) == (2, 2, True)
    assert await site.states("machine-3-round-grinding") == [
        (ms("2026-03-02T07:00:00Z"), "PRODUCING"),
        (ms("2026-03-02T08:00:00Z"), "PRODUCING"),
        (ms("2026-03-02T09:00:00Z"), "PRODUCING"),
        (ms("2026-03-02T10:00:00Z"), "STANDBY"),
        (ms("2026-03-02T11:00:00Z"), "STANDBY"),
        (ms("2026-03-02T12:00:00Z"), "FAULT"),
        (ms("2026-03-02T12:30:00Z"), "STANDBY"),
        (ms("2026-03-02T13:00:00Z"), "UNKNOWN"),
    ]
    assert (await site.states("saw"))[-1] == (ms("2026-03-02T13:00:00Z"), "UNKNOWN")
    assert progress[-1] == (done.readings, done.readings)
    assert sum((await site.store.count_readings()).values()) == done.readings
    member = registry.load(site.fleet).members["replay"]
    assert member.retention_days == 0
    assert [(machine.id, machine.name, machine.every) for machine in member.machines] == [
        ("machine-3-round-grinding", "Machine 3 - Round Grinding", 3600.0),
        ("saw", "Saw", 3600.0),
    ]


async def test_a_second_replay_changes_nothing(site: Site) -> None:
    config = site.config("i.csv", INTERVALS)
    first = await run(config, stop=asyncio.Event())
    again = await run(config, stop=asyncio.Event())
    assert (again.machines_added, again.stored, again.readings) == (0, True, first.readings)
    assert sum((await site.store.count_readings()).values()) == first.readings


async def test_a_known_machine_is_used_and_kept_to_its_own_period(site: Site) -> None:
    place = registry.load(site.fleet).network.place
    saw = Machine(id="saw", name="The saw", every=600.0)
    edit.add_member(site.fleet, {"slug": "atelier", "name": "Atelier", "place": place, "machines": [saw]})
    text = "machine,start,end\nSaw,2026-03-02T07:00:00Z,2026-03-02T08:00:00Z\n"
    done = await run(site.config("i.csv", text, member="atelier", every=1800.0), stop=asyncio.Event())
    assert (done.machines, done.machines_added) == (1, 0)
    assert len(await site.states("saw", "atelier")) == 7


async def test_readings_keep_their_quantities(site: Site) -> None:
    text = (
        "machine,at,power_w,count,state,label\n"
        "mill,2026-03-02T07:00:00,1500.5,7,,PRODUCING\n"
        "mill,2026-03-02T07:05:00,,8,PRODUCING,\n"
        "mill,2026-03-02T07:05:00,,8,PRODUCING,\n"
    )
    done = await run(site.config("r.csv", text, timezone="Europe/Paris"), stop=asyncio.Event())
    assert (done.rows, done.used, done.united, done.readings) == (3, 2, 1, 2)
    rows = (await site.store.read_readings([MachineKey("replay", "mill")], 0, now_ms())).rows
    assert (rows["at_ns"] // 1_000_000).tolist() == [ms("2026-03-02T06:00:00Z"), ms("2026-03-02T06:05:00Z")]
    assert rows["power_w"][0] == 1500.5
    assert rows["counter"].tolist() == [7, 8]
    assert rows["state"].tolist() == [255, PRODUCING]


async def test_a_recording_can_end_now_at_its_own_pace(site: Site) -> None:
    text = "machine,start,end\nSaw,2026-03-02T07:00:00Z,2026-03-02T08:00:00Z\n"
    before = now_ms()
    config = site.config("i.csv", text, ends_now=True, every=600.0, speed=36_000.0)
    done = await run(config, stop=asyncio.Event())
    told = await site.states("saw")
    assert done.messages == done.readings == len(told) == 7
    assert before <= told[-1][0] <= now_ms()
    assert told[-1][0] - told[0][0] == 3_600_000


async def test_the_truth_of_the_simulators_is_an_intervals_file(site: Site) -> None:
    text = (
        "member,machine,start,end,state\n"
        "atelier,atelier/saw,2026-03-02T07:00:00Z,2026-03-02T08:00:00Z,PRODUCING\n"
        "tolerie,tolerie/saw,2026-03-02T07:00:00Z,2026-03-02T08:00:00Z,OFF\n"
    )
    done = await run(site.config("truth.csv", text), stop=asyncio.Event())
    assert done.machines_added == 2
    assert set(await site.store.known_machines()) == {MachineKey("atelier", "saw"), MachineKey("tolerie", "saw")}


async def test_it_stops_when_told(site: Site) -> None:
    text = "machine,start,end\nSaw,2026-03-02T07:00:00Z,2026-03-02T08:00:00Z\n"
    stop = asyncio.Event()
    config = site.config("i.csv", text, speed=0.001, progress=lambda done, total, what="": stop.set())
    done = await run(config, stop=stop)
    assert not done.stored
    assert done.readings >= 1


async def test_two_names_of_one_slug_are_refused(site: Site) -> None:
    text = "machine,at,power_w\nSaw 1,2026-03-02T07:00:00Z,1\nsaw-1,2026-03-02T07:00:00Z,1\n"
    with pytest.raises(RecordingError, match="both become the machine 'saw-1'"):
        await run(site.config("r.csv", text), stop=asyncio.Event())


async def test_a_registry_that_does_not_take_the_machines_is_an_error_of_the_recording(site: Site) -> None:
    with pytest.raises(RecordingError, match="cannot be registered: slug"):
        await run(site.config("i.csv", INTERVALS, member="No Slug"), stop=asyncio.Event())


async def test_without_a_collector_it_says_what_to_start(mosquitto: Broker, tmp_path: Path) -> None:
    registry.init(tmp_path / "fleet", name="Ici", commune="Ici", timezone="Europe/Paris")
    path = tmp_path / "i.csv"
    path.write_text(INTERVALS)
    config = ReplayConfig(
        broker=BrokerAddress.parse(mosquitto.url), fleet_dir=tmp_path / "fleet", path=path, patience_s=0.1
    )
    with pytest.raises(NobodyListensError, match="no ingest speaks at"):
        await run(config, stop=asyncio.Event())


async def test_a_collector_of_another_registry_is_found_out(site: Site, tmp_path: Path) -> None:
    registry.init(tmp_path / "elsewhere", name="Ailleurs", commune="Là", timezone="Europe/Paris")
    path = tmp_path / "i.csv"
    path.write_text(INTERVALS)
    config = ReplayConfig(broker=site.broker, fleet_dir=tmp_path / "elsewhere", path=path, patience_s=3.0)
    with pytest.raises(NobodyListensError, match="does not work by the registry"):
        await run(config, stop=asyncio.Event())


def job_shop() -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("RESILIAN_RECORDINGS", beside)) / "production_4tu" / "busy_intervals.csv"
    if not path.is_file():
        pytest.skip(f"the recording production_4tu is not in {path.parent.parent}")
    return path


@pytest.mark.recordings
async def test_the_job_shop_is_stored_as_the_union_of_its_intervals(site: Site) -> None:
    path = job_shop()
    done = await run(ReplayConfig(broker=site.broker, fleet_dir=site.fleet, path=path), stop=asyncio.Event())
    assert done.rows == 2934 == done.used + done.united + done.empty + done.refused
    assert done.machines == 22
    minutes: defaultdict[str, set[int]] = defaultdict(set)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        start, end = (
            int(datetime.fromisoformat(row[c]).replace(tzinfo=UTC).timestamp()) // 60 for c in ("start", "end")
        )
        minutes[row["machine"]].update(range(start, end))
    whole = max(ms(row["end"] + "Z") for row in rows) - min(ms(row["start"] + "Z") for row in rows)
    names = {machine.id: machine.name for machine in registry.load(site.fleet).members["replay"].machines}
    for slug, name in names.items():
        stored = (await site.store.read_readings([MachineKey("replay", slug)], 0, now_ms())).rows
        at = stored["at_ns"] // 1_000_000
        assert stored["state"][-1] == UNKNOWN
        assert set(stored["state"][:-1].tolist()) <= {PRODUCING, STANDBY}
        assert np.diff(at).max() <= 300_000
        assert at[-1] - at[0] == whole
        busy = np.diff(at)[stored["state"][:-1] == PRODUCING].sum()
        assert busy / whole == pytest.approx(len(minutes[name]) * 60_000 / whole, abs=1e-9)
