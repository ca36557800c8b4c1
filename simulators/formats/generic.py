"""Plain JSON with usual names, as a controller's own program sends it."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/plc/{machine}", format="generic")


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:
    at = datetime.fromtimestamp(sample.at_ms / 1000, zone)
    document: dict[str, str | float] = {
        "timestamp": at.isoformat(timespec="milliseconds"),
        "machine_state": sample.state,
        "active_power": round(sample.power_w / feed.scale_w, 4),
        "part_count": sample.counter,
    }
    if sample.seq is not None and sample.boot is not None:
        document |= {"seq": sample.seq, "boot": sample.boot}
    return [(feed.topic, json.dumps(document).encode())]


GENERIC = Format(
    "generic", tells_state=True, tells_count=True, tells_energy=False, dated=True, numbered=True, feed=_feed,
    encode=_encode,
)  # fmt: skip
