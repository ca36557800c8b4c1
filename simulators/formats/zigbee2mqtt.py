"""Zigbee2MQTT with ``last_seen`` in ISO 8601 local form: whole watts, energy in kWh, the relay's state."""

import json
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample

_VOLTS: Final = 231


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/z2m/{machine}", format="zigbee2mqtt-plug")


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:
    power = round(sample.power_w / feed.scale_w)
    document = {
        "current": round(power / _VOLTS, 2),
        "energy": round(sample.energy_wh / 1000, 2),
        "last_seen": datetime.fromtimestamp(sample.at_ms // 1000, zone).isoformat(),
        "linkquality": 98,
        "power": power,
        "state": "ON",
        "voltage": _VOLTS,
    }
    return [(feed.topic, json.dumps(document, separators=(",", ":")).encode())]


ZIGBEE2MQTT = Format(
    "zigbee2mqtt-plug", tells_state=False, tells_count=False, tells_energy=True, dated=True, feed=_feed, encode=_encode
)
