"""Encoders of formats that the simulated network does not speak, for the round trip alone: gateways and meters."""

import json
from typing import Final
from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample


def _tags_feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/kepware", format="tags", channel=f"Hall.{machine}")


def _tags(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:
    """As Kepware's standard template, beside the tags of another machine."""
    tags = {"Power": sample.power_w / feed.scale_w, "State": sample.state, "PartCount": sample.counter}
    mine = [{"id": f"{feed.channel}.{name}", "v": value, "q": True, "t": sample.at_ms} for name, value in tags.items()]
    others = {"id": "Hall.another.Power", "v": 1, "q": True, "t": sample.at_ms}
    return [(feed.topic, json.dumps({"timestamp": sample.at_ms + 7, "values": [*mine, others]}).encode())]


def _victron_feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/N/d41243b4f71d/acload/{len(machine)}/#", format="victron")


def _victron(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:
    values = {"Ac/Power": sample.power_w / feed.scale_w, "Ac/Energy/Forward": sample.energy_wh / 1000, "Ac/L1/Power": 7}
    stem = feed.topic.removesuffix("/#")
    return [(f"{stem}/{path}", json.dumps({"value": value}).encode()) for path, value in values.items()]


def _emoncms_feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/emon/{machine}/#", format="emoncms", channel="power2")


def _emoncms(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:
    values = {"power1": 7.0, "power2": sample.power_w / feed.scale_w, "vrms": 240.34}
    stem = feed.topic.removesuffix("/#")
    return [(f"{stem}/{name}", f"{value:.4f}".encode()) for name, value in values.items()]


OTHER_FORMATS: Final[dict[str, Format]] = {
    each.name: each
    for each in (
        Format(
            "tags", tells_state=True, tells_count=True, tells_energy=False, dated=True, feed=_tags_feed, encode=_tags
        ),
        Format(
            "victron", tells_state=False, tells_count=False, tells_energy=True, dated=False, feed=_victron_feed,
            encode=_victron,
        ),
        Format(
            "emoncms", tells_state=False, tells_count=False, tells_energy=False, dated=False, feed=_emoncms_feed,
            encode=_emoncms,
        ),
    )
}  # fmt: skip
