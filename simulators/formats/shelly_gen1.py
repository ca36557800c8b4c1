"""Shelly EM of the first generation: a plain value a topic, without a time; the energy kept in watt-hours."""

from typing import Final
from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample
from simulators.formats.shelly import serial

_VOLTS: Final = 230.5


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/shellyem-{serial(member, machine)[:6].upper()}/#", format="shelly-gen1", channel="0")


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:  # noqa: ARG001 - one signature for all
    meter = f"{feed.topic.removesuffix('/#')}/emeter/{feed.channel}"
    values = {"power": sample.power_w / feed.scale_w, "total": sample.energy_wh, "voltage": _VOLTS}
    return [(f"{meter}/{name}", f"{value:.2f}".encode()) for name, value in values.items()]


SHELLY_GEN1 = Format(
    "shelly-gen1", tells_state=False, tells_count=False, tells_energy=True, dated=False, feed=_feed, encode=_encode
)
