"""The report, from hours in a real store; and on the recording of the job shop, folded by the ledger."""

import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.evaluate.files import Timeline, read_intervals, timelines
from analytics.ledger import fold
from analytics.report import Period, cut, rows
from analytics.spans import total
from analytics.states import StateModel
from fleet.batch import MachineKey, Rows, empty_rows
from fleet.network import Calendar, Machine, Network
from fleet.records import Document, Finding, FindingStatus
from fleet.registry import Registry
from fleet.states import PRODUCING, STANDBY, UNKNOWN
from fleet.topics import slugify
from store import Store, connect
from tests.analytics.machines import NETWORK, PLACE, bucket, hours, local, machine, member, metered, mornings

NOW = local(2026, 5, 11)
KEYS = (
    "member", "machine", "name", "from", "to", "seconds", "coverage", "utilisation", "utilisation_most",
    "utilisation_calendar", "shareable_hours_per_week", "shareable_in_weeks", "long_block_share", "energy", "iso_22400",
    "free", "assumed", "chance_basis", "findings",
)  # fmt: skip


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = connect(f"duckdb://{tmp_path}/store.duckdb")
    await opened.open()
    yield opened
    await opened.close()


def registry(*machines: Machine, calendar: Calendar | None = None) -> Registry:
    owner = member(*machines) if calendar is None else member(*machines, calendar=calendar)
    return Registry(Path(), NETWORK, {"acme": owner})


async def report(store: Store, fleet: Registry, start: datetime | None, end: datetime | None) -> list[dict[str, Any]]:
    found = await rows(store, fleet, start, end, NOW)
    assert json.loads(json.dumps(found)) == found  # plain JSON, nothing to convert
    return found


async def test_a_row_a_machine_with_every_key(store: Store) -> None:
    await store.write_hours(hours(local(2026, 3, 2), NOW, mornings))
    said = Finding(
        member="acme", machine="mill", rule="structural-underuse", status=FindingStatus.FLAGGED, since=NOW,
        reason="little used", evidence={"level": 0.1},
    )  # fmt: skip
    body = said.model_dump_json()
    await store.write_documents([Document(member="acme", machine="mill", kind=f"finding/{said.rule}", at=1, body=body)])
    mill, saw = await report(store, registry(machine(), machine(id="saw", name="Saw")), local(2026, 4, 13), None)
    assert tuple(mill) == KEYS
    assert (mill["member"], mill["machine"], mill["name"]) == ("acme", "mill", "Mill")
    assert (mill["from"], mill["to"]) == ("2026-04-12T22:00:00+00:00", "2026-05-10T22:00:00+00:00")
    assert mill["coverage"] == 1.0
    assert mill["utilisation"] == pytest.approx(3 * 18 / (16 * 18))  # 1 and 8 May are holidays
    assert mill["utilisation_calendar"] == pytest.approx(60 / 672)
    assert mill["seconds"]["PRODUCING"] == 60 * 3600.0
    assert sum(mill["seconds"].values()) == 28 * 86_400.0
    assert mill["shareable_hours_per_week"] == 28.0
    assert mill["shareable_in_weeks"] == [4, 4]
    assert mill["long_block_share"] == pytest.approx(1.0, abs=0.05)
    assert mill["energy"] is None
    assert mill["iso_22400"]["availability"] == pytest.approx(3 * 18 / (16 * 18))
    assert mill["findings"][0]["status"] == "flagged"
    assert set(mill["findings"][0]) == {"rule", "status", "since", "reason", "evidence"}
    starts = [window["start"] for window in mill["free"]]
    assert len(starts) == 9  # one window of 5 h an evening; Thursday 14 May is a holiday
    assert starts[0] == "2026-05-11T12:00:00Z"
    assert (saw["coverage"], saw["utilisation"], saw["utilisation_calendar"]) == (0.0, None, None)
    assert saw["seconds"]["UNKNOWN"] == 28 * 86_400.0
    assert (saw["free"], saw["findings"], saw["shareable_hours_per_week"]) == ([], [], None)
    assert [window["start"] for window in saw["assumed"]] == starts
    assert saw["chance_basis"] == {"own_weeks": 0.0, "trade_share": 1.0, "siblings": 1}
    assert mill["assumed"] == []
    assert mill["chance_basis"]["own_weeks"] == pytest.approx(10.0, abs=0.01)  # the clocks went forward


async def test_first_and_last_hour_count_by_the_seconds_inside(store: Store) -> None:
    start = local(2026, 5, 4, 8)
    hour = int(start.timestamp())
    runs = ((0, STANDBY), (600, PRODUCING), (3000, STANDBY))
    await store.write_hours([bucket(hour, *runs), bucket(hour + 3600, *runs)])
    (row,) = await report(store, registry(), start + timedelta(minutes=20), start + timedelta(minutes=80))
    assert row["seconds"]["PRODUCING"] == 1800.0 + 600.0
    assert row["seconds"]["STANDBY"] == 600.0 + 600.0
    assert row["seconds"]["UNKNOWN"] == 0.0
    assert row["coverage"] == 1.0
    assert row["utilisation_calendar"] == pytest.approx(2400 / 3600)


async def test_energy_of_the_period_without_the_hours_that_it_cuts(store: Store) -> None:
    start = local(2026, 5, 4, 8)
    await store.write_hours(metered(hours(start, start + timedelta(hours=4), lambda _: STANDBY), {STANDBY: 2000.0}))
    begin, end = start + timedelta(minutes=30), start + timedelta(hours=4)
    (row,) = await report(store, registry(), begin, end)
    assert row["energy"]["idle_kwh"] == pytest.approx(6.0)
    assert row["energy"]["measured"] == pytest.approx(3 / 3.5)
    assert row["energy"]["idle_eur"] == pytest.approx(6.0 * 0.172)
    assert row["energy"]["eur_origin"] == "default"


async def test_without_calendars_there_is_no_utilisation_but_of_the_calendar(store: Store) -> None:
    await store.write_hours(hours(local(2026, 3, 2), NOW, mornings))
    (row,) = await report(store, registry(calendar=Calendar()), local(2026, 4, 13), NOW)
    assert row["utilisation"] is None
    assert row["utilisation_calendar"] == pytest.approx(60 / 672)
    assert row["shareable_hours_per_week"] is None
    assert len(row["free"]) == 13 * 24 // 5  # round the clock, but not on the holiday


async def test_an_old_recording_is_reported_over_its_own_span(store: Store) -> None:
    await store.write_hours(hours(local(2012, 1, 2), local(2012, 3, 5), mornings))
    (row,) = await report(store, registry(), None, None)
    assert (row["from"], row["to"]) == ("2012-01-01T23:00:00+00:00", "2012-03-04T23:00:00+00:00")
    assert row["coverage"] == 1.0
    assert row["free"][0]["start"].startswith("2012-03-05")


async def test_a_store_without_hours_is_all_unknown(store: Store) -> None:
    (row,) = await report(store, registry(), None, None)
    assert row["coverage"] == 0.0
    assert row["to"] == NOW.astimezone(UTC).isoformat()


async def test_an_end_before_the_start_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="is not after the start"):
        await report(store, registry(), NOW, NOW)


def test_cut_keeps_what_lies_inside() -> None:
    whole = bucket(7200, (0, STANDBY), (600, PRODUCING), (3000, UNKNOWN))
    assert cut(whole, Period(0, 10_800)) is whole
    part = cut(whole, Period(7200 + 300, 7200 + 1800))
    assert part.seconds == (1200, 0, 300, 0, 0, 0, 0)
    assert part.segments == ((0, UNKNOWN), (300, STANDBY), (600, PRODUCING), (1800, UNKNOWN))


def readings(line: Timeline, every: int = 300) -> Rows:
    """A state at each change and every five minutes, until the end of the observed time."""
    begin, end = line.observed[0]
    at = np.unique(np.concatenate([line.busy.ravel(), np.arange(begin, end + 1, every), [end]])).astype(np.int64)
    inside = np.searchsorted(line.busy.ravel(), at, side="right") % 2 == 1
    told = empty_rows(len(at))
    told["at_ns"] = at * 1_000_000_000
    told["arrived_ms"] = at * 1000
    told["state"] = np.where(inside, PRODUCING, STANDBY)
    return told


def recorded() -> dict[str, Timeline]:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("RESILIAN_RECORDINGS", beside)) / "production_4tu" / "busy_intervals.csv"
    if not path.is_file():
        pytest.skip("the recording production_4tu is not there")
    return {slugify(name): line for name, line in timelines(read_intervals(path), None).items()}


@pytest.mark.recordings
async def test_job_shop(store: Store) -> None:
    lines = recorded()
    begin, end = next(iter(lines.values())).observed[0]
    for slug, line in lines.items():
        folded = fold(
            MachineKey("acme", slug), readings(line), StateModel(),
            start=int(begin), now_ms=int(end) * 1000 + 1,
        )  # fmt: skip
        await store.write_hours(folded.hours)
    network = Network(name="Shop", place=PLACE, timezone="UTC")
    fleet = Registry(Path(), network, {"acme": member(*(Machine(id=s, name=s) for s in lines), calendar=Calendar())})
    span = (datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC))
    found = {row["machine"]: row for row in await report(store, fleet, *span)}
    assert len(found) == 22
    for slug, line in lines.items():
        row = found[slug]
        assert row["utilisation_calendar"] == pytest.approx(total(line.busy) / (end - begin), abs=0.001)
        assert row["coverage"] == pytest.approx(1.0, abs=0.001)
        assert row["utilisation"] is None
