"""Order and gaps of a plant's capture through the host: topics, sequence and times are recorded, values taken out."""

import csv
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fleet.batch import MachineKey
from fleet.registry import Route, Routes
from ingest.gaps.numbers import Numbers
from ingest.gaps.report import missing, named
from ingest.sparkplug.host import Host
from ingest.sparkplug.memory import NodeKey
from ingest.sparkplug.payload import Payload, encode
from tests.ingest.edge import metric

FILE = (
    Path(os.environ.get("RESILIAN_RECORDINGS", Path(__file__).parents[2].parent / "shared" / "data"))
    / "sparkplug"
    / "pcap_patterns.csv"
)
pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not FILE.is_file(), reason="no folder of recordings: set RESILIAN_RECORDINGS"),
]
Row = dict[str, str]


@pytest.fixture
def rows() -> list[Row]:
    lines = [line for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    return list(csv.DictReader(lines))


@pytest.fixture
def host() -> Host:
    one = Host()
    route = Route(MachineKey("acme", "line"), "spBv1.0/acme/#", "sparkplug", None, ZoneInfo("UTC"), 1.0, 60.0)
    one.use(Routes([route]))
    return one


def messages(rows: list[Row]) -> Iterator[tuple[str, bytes, int]]:
    """Topic, payload with as many metrics as were recorded, and arrival in epoch ms."""
    first = rows[0]
    began = int(first["payload_timestamp"]) - round(float(first["timestamp"]) * 1000)
    for number, row in enumerate(rows):
        values = [metric("", float(number), 1, typed=False)]
        values += [metric("", 0.0, 2 + more, typed=False) for more in range(int(row["metric_count"]) - 1)]
        at_ms, seq = (int(row[name]) if row[name] else None for name in ("payload_timestamp", "seq"))
        payload = Payload(at_ms, seq, values if row["metric_count"] != "0" else [])
        topic = row["topic"].replace("spBv1.0/org_A/", "spBv1.0/acme/")
        yield topic, encode(payload), began + round(float(row["timestamp"]) * 1000)


def births(rows: list[Row], seq: int) -> Iterator[tuple[str, bytes]]:
    """Of the one node that counts and all its devices, ending just before the capture begins."""
    devices = sorted({row["device_id"] for row in rows if row["edge_node_id"] == "702" and row["device_id"]})
    at_ms = int(rows[0]["payload_timestamp"]) - 1_000
    names = [metric("Power", 0.0, 1), *(metric(f"other {alias}", 0.0, alias) for alias in range(2, 12))]
    for number, device in enumerate(["", *devices]):
        own = [metric("bdSeq", 3)] if not device else []
        topic = f"spBv1.0/acme/DBIRTH/702/{device}" if device else "spBv1.0/acme/NBIRTH/702"
        yield topic, encode(Payload(at_ms, (seq - len(devices) + number) % 256, own + names))


def recorded_gaps(rows: list[Row]) -> int:
    """Messages that the recorded sequence passes over, counted by laying the numbers end to end."""
    missing, position = 0, None
    for row in rows:
        if row["edge_node_id"] == "702" and row["seq"]:
            seq = int(row["seq"])
            if position is not None:
                absolute = position + 1
                while absolute % 256 != seq:
                    absolute += 1
                missing += absolute - position - 1
                position = absolute
            else:
                position = seq
    return missing


def is_astray(row: Row) -> bool:
    """A message of the node's own kind on the topic of a device."""
    return row["msg_type"] == "NDATA" and bool(row["device_id"])


def with_metrics(rows: list[Row]) -> list[Row]:
    """Rows with something to read on a topic that is one."""
    return [row for row in rows if row["metric_count"] != "0" and not is_astray(row)]


def test_every_message_is_read_and_every_gap_counted(rows: list[Row], host: Host) -> None:
    asked: list[str] = []
    host.on_rebirth = lambda key, why, again: asked.append(why)
    arrived = next(messages(rows))[2]
    for topic, payload in births(rows, int(rows[0]["seq"]) - 1):
        assert not host.take(topic, payload, arrived - 1_000).refused
    assert (asked, host.counts["missing"]) == ([], 0)
    powers: list[float] = []
    faults: Counter[str] = Counter()
    for message in messages(rows):
        heard = host.take(*message)
        powers += [reading.power_w for _, found in heard.readings for reading in found]
        faults.update(faults_[0].reason for _, faults_ in heard.refused)
    node = [number for number, row in enumerate(rows) if row["edge_node_id"] == "702" and row["metric_count"] != "0"]
    assert powers == [float(number) for number in node]
    strangers = [row for row in with_metrics(rows) if row["edge_node_id"] != "702"]  # they were never born
    astray = [row for row in rows if is_astray(row)]
    assert faults == {"topic": len(astray), "alias": len(strangers)}
    assert (host.counts["missing"], host.counts["late"]) == (recorded_gaps(rows), 0)
    assert missing(named(Numbers(), host))["missing"] == recorded_gaps(rows)
    assert recorded_gaps(rows) == 18
    assert 1 <= len(asked) < 18  # rate-limited


def test_without_births_the_node_is_asked_and_nothing_is_guessed(rows: list[Row], host: Host) -> None:
    asked: list[NodeKey] = []
    host.on_rebirth = lambda key, why, again: asked.append(key)
    heard = [host.take(*message) for message in messages(rows)]
    assert not any(one.readings for one in heard)
    refused = sum(faults[0].reason == "alias" for one in heard for _, faults in one.refused)
    assert refused == len(with_metrics(rows)) == 507
    assert NodeKey("acme", "702") in asked
    assert len(asked) < 20
