"""One plain value a topic, as small gateways and flows send it: power, state and pieces, without a time."""

from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/values/{machine}/#", format="plain-value")


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:  # noqa: ARG001 - one signature for all
    values = {
        "power": f"{sample.power_w / feed.scale_w:.4f}",
        "state": sample.state.lower(),
        "part_count": str(sample.counter),
    }
    return [(f"{feed.topic.removesuffix('/#')}/{name}", value.encode()) for name, value in values.items()]


PLAIN = Format(
    "plain-value", tells_state=True, tells_count=True, tells_energy=False, dated=False, feed=_feed, encode=_encode
)
