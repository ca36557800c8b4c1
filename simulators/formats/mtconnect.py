"""MTConnect agent: a Sample document (JSON version 2) of availability, execution, part count and wattage."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample

EXECUTION: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PRODUCING": "ACTIVE", "SETUP": "PROGRAM_STOPPED", "STANDBY": "READY", "OFF": "STOPPED", "FAULT": "INTERRUPTED",
        "MAINTENANCE": "WAIT", "UNKNOWN": "UNAVAILABLE",
    }
)  # fmt: skip
"""What a control says of its execution; it has no word for why it does not run."""
HEARD_AS: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("SETUP", "OFF", "FAULT", "MAINTENANCE"), "STANDBY"),
)


def stamp(at_ms: int) -> str:
    """A time as MTConnect writes it, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/MTConnect/+/{machine}", format="mtconnect")


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:  # noqa: ARG001 - one signature for all
    device = feed.topic.rpartition("/")[2]
    at = stamp(sample.at_ms)

    def told(item: str, value: str | float) -> list[dict[str, Any]]:
        return [{"dataItemId": item, "timestamp": at, "value": value}]

    path = {
        "component": "Path",
        "componentId": "path",
        "Events": {"Execution": told("exec", EXECUTION[sample.state]), "PartCount": told("pc", sample.counter)},
    }
    electric = {
        "component": "Electric",
        "componentId": "elec",
        "Samples": {"Wattage": told("watt", round(sample.power_w / feed.scale_w, 4))},
    }
    document = {
        "MTConnectStreams": {
            "jsonVersion": 2,
            "schemaVersion": "2.2",
            "Header": {"creationTime": at, "sender": "agent", "instanceId": 1},
            "Streams": {"DeviceStream": [{"name": device, "uuid": device, "ComponentStream": [path, electric]}]},
        }
    }
    topic = feed.topic.replace("/+/", "/Sample/")
    return [(topic, json.dumps(document, separators=(",", ":")).encode())]


MTCONNECT = Format(
    "mtconnect",
    tells_state=True,
    tells_count=True,
    tells_energy=False,
    dated=True,
    feed=_feed,
    encode=_encode,
    heard_as=HEARD_AS,
)
