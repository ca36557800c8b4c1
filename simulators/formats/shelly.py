"""Shelly of the second generation: ``NotifyStatus`` of a three-phase meter, or the status of a single-phase one.

Channel ``em:0`` is a Pro 3EM, whose notifications carry the time; any other channel is published as the component's
status, which carries none.
"""

import json
from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

from fleet.network import Feed
from simulators.formats.base import Format, Message, Sample
from simulators.noise import key_of

_THREE_PHASE: Final = "em:0"
_VOLTS: Final = 230.5
_PHASES: Final = "abc"


def serial(member: str, machine: str) -> str:
    """Twelve hexadecimal digits that a device of this machine has for life."""
    return f"{key_of(member, machine, 'serial') & 0xFFFFFFFFFFFF:012x}"


def _feed(member: str, machine: str) -> Feed:
    device = f"shellypro3em-{serial(member, machine)}"
    return Feed(topic=f"m/{member}/{device}/#", format="shelly-gen2", channel=_THREE_PHASE)


def _encode(feed: Feed, sample: Sample, zone: ZoneInfo) -> list[Message]:  # noqa: ARG001 - one signature for all
    prefix = feed.topic.removesuffix("/#")
    power = round(sample.power_w / feed.scale_w, 1)
    if feed.channel not in (None, _THREE_PHASE):
        return [(f"{prefix}/status/{feed.channel}", _dump(_single(feed.channel or "", power, sample)))]
    document = {
        "src": prefix.rsplit("/", 1)[-1],
        "dst": f"{prefix}/events",
        "method": "NotifyStatus",
        "params": {
            "ts": sample.at_ms / 1000,
            "em:0": _three_phases(power),
            "emdata:0": {"id": 0, "total_act": round(sample.energy_wh, 2), "total_act_ret": 0.0},
        },
    }
    return [(f"{prefix}/events/rpc", _dump(document))]


def _three_phases(power: float) -> dict[str, float]:
    current = round(power / 3 / _VOLTS, 3)
    found: dict[str, float] = {"id": 0}
    for phase in _PHASES:
        found |= {f"{phase}_current": current, f"{phase}_voltage": _VOLTS, f"{phase}_act_power": round(power / 3, 1)}
    return found | {"total_current": round(3 * current, 3), "total_act_power": power}


def _single(channel: str, power: float, sample: Sample) -> dict[str, object]:
    return {
        "id": int(channel.rpartition(":")[2]),
        "source": "init",
        "output": True,
        "apower": power,
        "voltage": _VOLTS,
        "current": round(power / _VOLTS, 3),
        "aenergy": {"total": round(sample.energy_wh, 3), "by_minute": [0.0, 0.0, 0.0]},
        "temperature": {"tC": 41.3, "tF": 106.3},
    }


def _dump(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


SHELLY = Format(
    "shelly-gen2", tells_state=False, tells_count=False, tells_energy=True, dated=True, feed=_feed, encode=_encode
)
