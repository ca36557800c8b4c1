"""Canonical JSON on ``m/<member>/<machine>/reading``."""

import json
from zoneinfo import ZoneInfo

from fleet.network import Feed
from fleet.topics import reading_topic
from simulators.formats.base import Format, Message, Sample


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=reading_topic(member, machine), format="canonical")


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:  # noqa: ARG001 - one signature for all
    document: dict[str, str | float] = {
        "at": sample.at_ms,
        "state": sample.state,
        "power_w": round(sample.power_w / feed.scale_w, 4),
        "count": sample.counter,
    }
    if sample.seq is not None and sample.boot is not None:
        document |= {"seq": sample.seq, "boot": sample.boot}
    return [(feed.topic, json.dumps(document, separators=(",", ":")).encode())]


CANONICAL = Format(
    "canonical", tells_state=True, tells_count=True, tells_energy=False, dated=True, numbered=True, feed=_feed,
    encode=_encode,
)  # fmt: skip
