"""OPC UA PubSub in JSON: a frame of data values, item state and operation mode of OPC UA for Machinery."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample
from simulators.formats.mtconnect import stamp

_ITEM_STATE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PRODUCING": "Executing", "SETUP": "NotExecuting", "STANDBY": "NotExecuting", "OFF": "NotExecuting",
        "FAULT": "OutOfService", "MAINTENANCE": "OutOfService", "UNKNOWN": "NotAvailable",
    }
)  # fmt: skip
_MODE: Final[Mapping[str, str]] = MappingProxyType({"SETUP": "Setup", "MAINTENANCE": "Maintenance", "OFF": "None"})
_HEARD_AS: Final = MappingProxyType({"OFF": "STANDBY"})


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/opcua/json/data/{machine}/line", format="opcua-pubsub")


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:  # noqa: ARG001 - one signature for all
    at = stamp(sample.at_ms)
    values: dict[str, str | float] = {
        "MachineryItemState": _ITEM_STATE[sample.state],
        "MachineryOperationMode": _MODE.get(sample.state, "Processing"),
        "Power": round(sample.power_w / feed.scale_w, 4),
        "EnergyWh": round(sample.energy_wh, 1),
        "PartCount": sample.counter,
    }
    data_set = {
        "DataSetWriterId": 1,
        "MessageType": "ua-deltaframe",
        "Timestamp": at,
        "Payload": {name: {"Value": value, "SourceTimestamp": at} for name, value in values.items()},
    }
    document = {
        "MessageId": str(sample.at_ms),
        "MessageType": "ua-data",
        "PublisherId": feed.topic.split("/")[-2],
        "Messages": [data_set],
    }
    return [(feed.topic, json.dumps(document, separators=(",", ":")).encode())]


OPCUA = Format(
    "opcua-pubsub",
    tells_state=True,
    tells_count=True,
    tells_energy=True,
    dated=True,
    feed=_feed,
    encode=_encode,
    heard_as=_HEARD_AS,
)
