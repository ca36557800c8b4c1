"""Recordings through Mosquitto, collector and worker into both stores; the report against an independent count."""

import csv
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.topics import slugify
from simulators import convert
from tests.e2e.programs import environment, resilian, running, write_network
from tests.servers import Broker, InfluxServer

FOLDER = Path(os.environ.get("RESILIAN_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
pytestmark = [
    pytest.mark.recordings,
    pytest.mark.mosquitto,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="no folder of recordings: set RESILIAN_RECORDINGS"),
]


def minutes_busy(path: Path) -> tuple[dict[str, float], float]:
    """Share of the file's whole span in which each machine is busy, by marking seconds one interval at a time."""
    spans: dict[str, list[tuple[float, float]]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            start, end = (
                datetime.fromisoformat(row[name]).replace(tzinfo=UTC).timestamp() for name in ("start", "end")
            )
            spans.setdefault(slugify(row["machine"]), []).append((start, end))
    first = min(start for pairs in spans.values() for start, _ in pairs)
    last = max(end for pairs in spans.values() for _, end in pairs)
    shares = {}
    for machine, pairs in spans.items():
        busy, reached = 0.0, first
        for start, end in sorted(pairs):
            busy += max(0.0, end - max(start, reached))
            reached = max(reached, end)
        shares[machine] = busy / (last - first)
    return shares, last - first


@asynccontextmanager
async def network(folder: Path, broker: Broker, influx: InfluxServer | None) -> AsyncIterator[dict[str, str]]:
    """Programs on this broker: all in one with the embedded store, or three of them on InfluxDB."""
    write_network(folder)
    if influx is None:
        settings = environment(folder, broker.url, None)
        async with running(settings, "up"):
            yield settings
        return
    there = influx.organisation()
    settings = environment(folder, broker.url, there.url, there.token)
    async with running(settings, "ingest", "analytics"):
        yield settings


@pytest.fixture(params=["embedded", pytest.param("influx", marks=pytest.mark.influxd)])
async def settings(request: pytest.FixtureRequest, tmp_path: Path, mosquitto: Broker) -> AsyncIterator[dict[str, str]]:
    influx = request.getfixturevalue("influxd") if request.param == "influx" else None
    async with network(tmp_path, mosquitto, influx) as chosen:
        yield chosen


async def replay(settings: dict[str, str], path: Path, *options: str) -> dict[str, Any]:
    outcome: dict[str, Any] = json.loads(await resilian(settings, "replay", str(path), "--json", *options))
    return outcome


async def test_utilisation_is_the_union_of_the_intervals(settings: dict[str, str]) -> None:
    path = FOLDER / "production_4tu" / "busy_intervals.csv"
    outcome = await replay(settings, path, "--member", "atelier", "--speed", "max")
    assert outcome["rows"] == outcome["used"] + outcome["united"] + outcome["empty"] + outcome["refused"] == 2934
    expected, seconds = minutes_busy(path)
    report = json.loads(await resilian(settings, "report", "--json"))
    found = {row["machine"]: row["utilisation_calendar"] for row in report}
    assert len(found) == 22
    assert found == pytest.approx(expected, abs=0.001)
    for row in report:
        assert sum(row["seconds"].values()) == pytest.approx(seconds, rel=0.001)
        assert row["utilisation"] is None  # it has no staffed calendar


@pytest.mark.parametrize("name", ["sme", "tasmota"])
async def test_every_row_is_stored_united_or_refused(settings: dict[str, str], name: str, tmp_path: Path) -> None:
    readings = tmp_path / f"{name}.csv"
    if name == "sme":
        made = convert.sme(FOLDER / "sme_company_a" / "power_items_status.csv", readings)
        assert made.rows == 7807
    else:
        made = convert.tasmota(FOLDER / "tasmota" / "captures.jsonl", readings, "Europe/Paris")
        assert made.rows == 5
    assert made.rows == made.written + made.refused == made.written + len(made.reasons)
    outcome = await replay(settings, readings, "--member", "atelier")
    assert outcome["rows"] == made.written
    assert outcome["rows"] == outcome["used"] + outcome["united"] + outcome["refused"]
    assert outcome["stored"]
    report = json.loads(await resilian(settings, "report", "--json"))
    assert len(report) == outcome["machines"]
