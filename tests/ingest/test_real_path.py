"""Every case through a real broker, a collector process and each store: what the decoder says is what is kept."""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.batch import MachineKey
from ingest.rejects import MAX_BYTES, MAX_MESSAGES
from ingest.unclaimed import MAX_DEVICES
from tests.ingest.casefiles import ARRIVED, CASES, folders, payload_of
from tests.ingest.conftest import Mosquitto
from tests.ingest.real_path import Device, Outcome, device_of, trial
from tests.servers import InfluxServer

pytestmark = pytest.mark.mosquitto


def devices(arrived: str = ARRIVED) -> list[Device]:
    return [device for device in map(device_of, folders()) if device.arrived == arrived]


@pytest.fixture(params=["duck", pytest.param("influx", marks=pytest.mark.influxd)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """URL and token of each kind of store, empty."""
    if request.param == "duck":
        yield f"duckdb:///{tmp_path / 'store.duckdb'}", ""
        return
    server: InfluxServer = request.getfixturevalue("influxd")
    place = server.organisation()
    yield place.url, place.token


def expected(device: Device, outcome: Outcome) -> list[dict[str, Any]]:
    """The case's readings, each once; one without a time is of its arrival."""
    path = device.folder / "expected.json"
    stated = json.loads(path.read_text()) if path.exists() else []
    found = outcome.readings[device.key]
    for reading in stated:
        if reading["at"] is None:
            times = [one["at"] for one in found if {**one, "at": None} == reading]
            assert [at for at in times if outcome.began <= at < outcome.began + 600_000], f"{device.key}: {found}"
            reading["at"] = times[0]
    return [one for index, one in enumerate(stated) if one not in stated[:index]]


def faults_of(device: Device) -> list[str]:
    """The case's faults, a line each, as they are for its topic here."""
    path = device.folder / "expected.err"
    case_topic = (device.folder / "topic").read_text().strip()
    return path.read_text().replace(case_topic, device.topic).splitlines() if path.exists() else []


def _untimed(fault: str) -> str:
    """The collector's clock goes on: how far a time lies in the future is less by the seconds since the start."""
    return re.sub(r"clock is \d+ s ahead", "clock is ahead", fault)


def differences(device: Device, outcome: Outcome) -> list[str]:
    """How the store and the rejects differ from what the case says."""
    said: list[str] = []
    wanted = sorted(map(json.dumps, expected(device, outcome)))
    if sorted(map(json.dumps, outcome.readings[device.key])) != wanted:
        said.append(f"{device.key} has {outcome.readings[device.key]} and not {wanted}")
    faults = faults_of(device)
    kept = outcome.rejects[device.key]
    if len(kept) != bool(faults):
        said.append(f"{device.key}: {len(kept)} rejects of {len(faults)} faults: {kept}")
    for row in kept if faults else ():
        first = " | ".join((*faults[0].split(" | ")[:1], row["reason"], row["field"], row["value"], row["rule"]))
        elements = sorted({int(line.split(" | ")[0]) for line in faults if line.split(" | ")[0]})
        if (_untimed(first), row["indices"]) != (_untimed(faults[0]), elements):
            said.append(f"{device.key} is refused for {first}, elements {row['indices']}, and not for {faults[0]}")
        payload = payload_of(device.folder)
        assert row["sha256"] == hashlib.sha256(payload).hexdigest()
        assert row["prefix"].encode()[:100] == payload.decode("utf-8", "replace").replace("\0", "\ufffd").encode()[:100]
    return said


async def test_every_case(store: tuple[str, str], broker: Mosquitto, tmp_path: Path) -> None:
    """No payload ends the loop: the last message of all is stored after every one of them."""
    sent = devices()
    assert len(sent) > 200
    nobody = [("m/canonical/nobody/reading", b'{"power_w":1}'), ("m/stranger/x/reading", b'{"power_w":1}')]
    outcome = await trial(tmp_path, broker.address.url, store, sent, more=nobody)
    assert [line for device in sent for line in differences(device, outcome)] == []
    assert outcome.unclaimed == ["m/canonical/nobody/reading"]
    assert [row["reason"] for row in outcome.rejects[MachineKey("", "")]] == ["topic"]
    assert [key for key in outcome.machines if key.machine in ("nobody", "x")] == []
    assert outcome.health["empty"] == 1
    assert outcome.health["claims"] >= 2
    named = {(event["field"], event["name"]) for event in outcome.health["contradictions"]}
    assert {("member", "zeta"), ("machine", "other")} <= named


async def test_a_firmware_update_costs_the_field_alone(
    store: tuple[str, str], broker: Mosquitto, tmp_path: Path
) -> None:
    """From one message to the next a number becomes text, in messages and in arrays: nothing else is lost."""
    device = device_of(CASES / "canonical" / "scalar")
    at = round(datetime.fromisoformat(ARRIVED).timestamp() * 1000) - 1_000_000
    before = [{"at": at + number, "power_w": 3120 + number, "count": number} for number in range(200)]
    after = [{"at": at + number, "power_w": f"{3120 + number}", "count": number} for number in range(200, 400)]
    more = [(device.topic, json.dumps(body).encode()) for body in (*before, *after[:100], after[100:])]
    outcome = await trial(tmp_path, broker.address.url, store, [device], more=more)
    found = sorted(outcome.readings[device.key], key=lambda one: one["at"])
    assert [one["counter"] for one in found] == list(range(400))
    assert [one.get("power_w") for one in found] == [3120.0 + number for number in range(200)] + [None] * 200
    refused = [row for row in outcome.rejects[device.key] if row["field"] == "power_w"]
    assert {(row["reason"], row["rule"]) for row in refused} == {("type", "a number, not text, true or false")}
    assert sorted(len(row["indices"]) for row in refused) == [0] * 100 + [100]


async def test_unclaimed_devices_are_bounded_in_number_and_bytes(broker: Mosquitto, tmp_path: Path) -> None:
    place = (f"duckdb:///{tmp_path / 'store.duckdb'}", "")
    flood = [(f"m/canonical/new-{number % 150}/reading", b'{"count":%d}' % number) for number in range(2_300)]
    large = [("m/canonical/large/x", b'{"note":"%s"}' % (b"a" * 60_000))] * 200
    outcome = await trial(tmp_path, broker.address.url, place, devices()[:1], more=[*flood, *large])
    assert outcome.health["unclaimed"] == len(flood) + len(large)
    assert 100 < len(outcome.unclaimed) <= MAX_MESSAGES
    assert outcome.unclaimed.count("m/canonical/large/x") * 60_000 <= MAX_BYTES
    assert len(outcome.summary["devices"]) == MAX_DEVICES
    assert outcome.summary["total"] == len(flood) + len(large)
    assert [key for key in outcome.machines if key.machine.startswith(("new", "large"))] == []


@pytest.mark.parametrize("arrived", sorted({device_of(folder).arrived for folder in folders()} - {ARRIVED}))
async def test_cases_of_another_day(arrived: str, broker: Mosquitto, tmp_path: Path) -> None:
    sent = devices(arrived)
    place = (f"duckdb:///{tmp_path / 'store.duckdb'}", "")
    outcome = await trial(tmp_path, broker.address.url, place, sent, clock=arrived)
    assert [line for device in sent for line in differences(device, outcome)] == []
