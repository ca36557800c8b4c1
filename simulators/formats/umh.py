"""United Manufacturing Hub: one tag a topic, ``{"timestamp_ms", "value"}``."""

import json
from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/umh/v1/{member}/{machine}/_raw/#", format="umh")


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:  # noqa: ARG001 - one signature for all
    tags: dict[str, str | float] = {
        "power": round(sample.power_w / feed.scale_w, 4),
        "energy_wh": round(sample.energy_wh, 1),
        "state": sample.state,
        "count": sample.counter,
    }
    return [
        (
            f"{feed.topic.removesuffix('/#')}/{name}",
            json.dumps({"timestamp_ms": sample.at_ms, "value": value}, separators=(",", ":")).encode(),
        )
        for name, value in tags.items()
    ]


UMH = Format("umh", tells_state=True, tells_count=True, tells_energy=True, dated=True, feed=_feed, encode=_encode)
