"""SHDR: the line that an MTConnect adapter writes when something changes."""

from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample
from simulators.formats.mtconnect import EXECUTION, HEARD_AS, stamp


def _feed(member: str, machine: str) -> Feed:
    return Feed(topic=f"m/{member}/{machine}/shdr", format="shdr")


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:  # noqa: ARG001 - one signature for all
    power = f"{sample.power_w / feed.scale_w:.4f}"
    fields = (
        stamp(sample.at_ms), "execution", EXECUTION[sample.state], "PartCount", str(sample.counter), "power", power,
    )  # fmt: skip
    return [(feed.topic, "|".join(fields).encode())]


SHDR = Format(
    "shdr",
    tells_state=True,
    tells_count=True,
    tells_energy=False,
    dated=True,
    feed=_feed,
    encode=_encode,
    heard_as=HEARD_AS,
)
