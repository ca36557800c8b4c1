"""Tasmota ``tele/SENSOR`` of an energy meter: local time without an offset, whole watts, totals in kWh.

A feed with a channel is of a device that measures several: values come in lists, the other channels draw nothing.
"""

import json
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample

_VOLTS: Final = 400
_FACTOR: Final = 0.87  # power factor of a motor load


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/{machine}/tele/SENSOR", format="tasmota")


def _listed(channel: str | None, value: float) -> float | list[float]:
    if channel is None:
        return value
    place = int(channel) - 1
    return [value if index == place else 0 for index in range(max(2, place + 1))]


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:
    local = datetime.fromtimestamp(sample.at_ms // 1000, zone)
    power = round(sample.power_w / feed.scale_w)
    apparent = round(power / _FACTOR)
    document = {
        "Time": local.strftime("%Y-%m-%dT%H:%M:%S"),
        "ENERGY": {
            "TotalStartTime": "2024-01-08T07:30:00",
            "Total": _listed(feed.channel, round(sample.energy_wh / 1000, 3)),
            "Yesterday": 0.0,
            "Today": 0.0,
            "Period": 0,
            "Power": _listed(feed.channel, power),
            "ApparentPower": _listed(feed.channel, apparent),
            "ReactivePower": _listed(feed.channel, round((apparent**2 - power**2) ** 0.5)),
            "Factor": _listed(feed.channel, _FACTOR if power else 0.0),
            "Voltage": _VOLTS,
            "Current": _listed(feed.channel, round(apparent / (_VOLTS * 3**0.5), 3)),
        },
    }
    return [(feed.topic, json.dumps(document, separators=(",", ":")).encode())]


TASMOTA = Format(
    "tasmota", tells_state=False, tells_count=False, tells_energy=True, dated=True, feed=_feed, encode=_encode
)
