"""MTConnect as a real adapter sent it, and by the device models of real controls."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from fleet.states import STATES
from ingest.decoders import Context, decoder

NOW = 1_795_000_000_000
RECORDINGS = Path(os.environ.get("RESILIAN_RECORDINGS") or Path(__file__).parents[3] / "shared" / "data") / "mtconnect"
LOG = RECORDINGS / "GF_Agie_HPM600U-20OCT2015.shdr.txt"
AT = "2026-03-02T10:15:00Z"

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not LOG.is_file(), reason="no folder of recordings: set RESILIAN_RECORDINGS"),
]


def test_the_log_of_an_adapter() -> None:
    """Of 647 lines three tell the execution and one that the device is gone; nothing is refused."""
    lines = LOG.read_bytes().splitlines()
    decode = decoder("shdr")
    context = Context(NOW)
    found = [reading for line in lines if line for reading in decode("m/acme/edm/shdr", line, context)]
    assert [(reading.at_ms, STATES[reading.state].value) for reading in found] == [
        (1445362516187, "STANDBY"),
        (1445362869242, "PRODUCING"),
        (1445365536925, "UNKNOWN"),
        (1445365536925, "UNKNOWN"),
    ]
    assert decode("m/acme/edm/shdr", LOG.read_bytes(), context) == found
    assert context.notes["quiet"] >= len(lines) - len(found) - 2


def data_items(model: str) -> list[dict[str, str]]:
    """The attributes of the data items of a device model; of its first device."""
    text = (RECORDINGS / model).read_text()
    first = text.partition("</Device>")[0]
    return [dict(re.findall(r'(\w+)="([^"]*)"', found)) for found in re.findall(r"<DataItem\s([^>]*)>", first)]


def values(items: list[dict[str, str]]) -> list[tuple[dict[str, str], str]]:
    """What a running machine would say of the data items that matter; of all others a number."""
    told = {"EXECUTION": "ACTIVE", "AVAILABILITY": "AVAILABLE", "PART_COUNT": "17"}
    return [(item, told.get(item["type"], "1.5")) for item in items if item["category"] != "CONDITION"]


@pytest.mark.parametrize(("model", "counts"), [("fanuc.xml", False), ("haas.xml", True)])
def test_lines_by_the_ids_and_names_of_a_model(model: str, counts: bool) -> None:
    pairs = [f"{item.get('name') or item['id']}|{value}" for item, value in values(data_items(model))]
    [reading] = decoder("shdr")("m/acme/mill/shdr", f"{AT}|{'|'.join(pairs)}".encode(), Context(NOW))
    assert STATES[reading.state].value == "PRODUCING"
    assert reading.counter == (17 if counts else -(2**63))


@pytest.mark.parametrize("topic", ["m/acme/MTConnect/Sample/x", "m/acme/MTConnect/Current/x"])
@pytest.mark.parametrize(("model", "counts"), [("fanuc.xml", False), ("haas.xml", True), ("SimpleDevlce.xml", True)])
def test_documents_by_the_types_of_a_model(model: str, counts: bool, topic: str) -> None:
    events: dict[str, list[Any]] = {}
    for item, value in values(data_items(model)):
        name = item["type"].title().replace("_", "")
        observation = {"dataItemId": item["id"], "timestamp": AT, "value": value, "subType": item.get("subType", "ALL")}
        events.setdefault(name, []).append(observation)
    stream = {"name": "mill", "uuid": "x", "ComponentStream": [{"component": "Device", "Events": events}]}
    document = {
        "MTConnectStreams": {"Header": {"creationTime": AT}, "Streams": {"DeviceStream": [stream]}, "jsonVersion": 2}
    }
    [reading] = decoder("mtconnect")(topic, json.dumps(document).encode(), Context(NOW))
    assert STATES[reading.state].value == "PRODUCING"
    assert reading.counter == (17 if counts else -(2**63))
