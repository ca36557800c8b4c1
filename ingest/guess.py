"""What a payload of a topic without a machine is likely to be: format, channel, feed, each with the reason. Pure.

The format is the one that reads most of it. A payload whose shape one format knows, and whose values it refuses, is
guessed to be of it too, with the least score: so the device's owner is told which value is wrong.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple

from fleet.batch import NO_INT, Reading
from fleet.states import NO_STATE
from fleet.topics import canonical_machine
from ingest.decoders import DECODERS, Context, Decode, DecodeError, decoder, formats
from ingest.decoders.base import Fault
from ingest.decoders.profile import profiles
from ingest.rejects import clean

LENIENT_MS: Final = 129_600_000
"""A guess looks at form alone: local times of any zone, and of a clock a day ahead, are times (36 hours)."""
_FIT_MUCH: Final = frozenset({"generic", "plain-value"})  # a device's own profile reads the same and knows more
_VALUES: Final = frozenset({"type", "number", "range", "time", "future", "state"})
"""Reasons of a fault that say: the field is known, its value is wrong."""
_REFUSED_SCORE: Final = 0.05
_SAYS_WHAT: Final = frozenset(
    {"power", "power_w", "energy", "energy_wh", "count", "state", "reading", "sensor", "value"}
)
"""Last levels that name what is sent, not who sends it."""


class Hint(NamedTuple):
    """What is known of the member whose device it is: its time zone, and formats of the fleet's own."""

    zone: tzinfo = UTC
    own: Mapping[str, Decode] = {}


@dataclass(frozen=True)
class Guess:
    """What a device is taken for.

    Attributes:
        score: 0 to 1: 0.1 for being read at all, 0.2 for each quantity (three count) and 0.2 for a device time; 0.05
            goes off for the mappings that fit much, 0.3 when something was refused, 0.1 for a channel that is not the
            likeliest one.
        reads: names of the quantities that were read.
        channels: the channels of the payload, the likeliest first; empty when it has one.
        topic: of a feed: the topic, or a filter where several topics of the device carry readings.
        name: the topic level that names the device.
        power_w: highest power read, watts.
        behind_s: arrival less device time of the newest reading, seconds; None without a device time.
        fault: what was refused: reason, field, value, rule.
    """

    format: str
    score: float
    reads: tuple[str, ...]
    topic: str
    name: str
    channel: str | None = None
    channels: tuple[str, ...] = ()
    power_w: float | None = None
    behind_s: float | None = None
    fault: Fault | None = None

    @property
    def reason(self) -> str:
        """Why, in one line."""
        refused = self.fault is not None and not self.reads
        read = "knows its shape" if refused else f"reads {', '.join(self.reads) or 'metrics'}"
        text = f"{read}{' and the time' if self.behind_s is not None else '; no time'}"
        if self.fault is not None:
            field = f"{self.fault.field}: " if self.fault.field else ""
            text += f"; refused {field}{self.fault.value or self.fault.reason}: {self.fault.rule}"
        return text + (f"; channel {self.channel} of {', '.join(self.channels)}" if self.channels else "")

    def body(self) -> dict[str, Any]:
        """As ``net/v1/unclaimed`` carries it: text that any JSON reader takes, whatever a device wrote."""
        said = {**asdict(self), "fault": self.fault and self.fault._asdict(), "reason": self.reason}
        fault = said["fault"] and {name: _clean(value) for name, value in said["fault"].items()}
        channels = tuple(_clean(name) for name in self.channels)
        return {**{name: _clean(value) for name, value in said.items()}, "fault": fault, "channels": channels}


def guess(topic: str, payload: bytes, arrived_ms: int, hint: Hint = Hint()) -> Guess | None:  # noqa: B008 - immutable
    """The likeliest; None when no format reads anything, and none knows what it refuses."""
    found = (one for name in _names(hint) for one in _of_format(name, topic, payload, arrived_ms, hint))
    return max(found, key=lambda one: one.score, default=None)


def look_again(before: Guess | None, topic: str, payload: bytes, arrived_ms: int, hint: Hint) -> Guess | None:
    """The guess after one more message: the same format as long as it reads everything of it, else the likeliest.

    Highest powers add up; a message of a kind that carries no reading changes nothing.
    """
    same = [] if before is None else list(_of_format(before.format, topic, payload, arrived_ms, hint))
    found = max(same, key=lambda one: one.score, default=None)
    if found is None or found.fault is not None or before is None or found.channel != before.channel:
        found = guess(topic, payload, arrived_ms, hint)
    if found is None or before is None or found.format != before.format:
        return found or before
    powers = [power for power in (before.power_w, found.power_w) if power is not None]
    return Guess(**{**vars(found), "power_w": max(powers, default=None)})


def restored(body: Mapping[str, Any] | None) -> Guess | None:
    """The inverse of :meth:`Guess.body`; None for what another version wrote."""
    if not body or not {"format", "score", "reads", "topic", "name"} <= body.keys():
        return None
    fields = {name: body[name] for name in Guess.__dataclass_fields__ if name in body}
    fields |= {name: tuple(fields[name]) for name in ("reads", "channels") if name in fields}
    return Guess(**{**fields, "fault": Fault(**fields["fault"]) if fields.get("fault") else None})


def powers(name: str, channel: str | None, topic: str, payload: bytes, arrived_ms: int) -> list[float]:
    """Every power that a format reads in a payload, watts.

    Raises:
        KeyError: no such format.
    """
    context = Context(arrived_ms + LENIENT_MS, channel=channel)
    readings, _ = _decoded(decoder(name), topic, payload, context)
    return [reading.power_w for reading in readings if not math.isnan(reading.power_w)]


def _clean(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _decoded(
    decode: Decode, topic: str, payload: bytes, context: Context
) -> tuple[Sequence[Reading], tuple[Fault, ...]]:
    """What a decoder makes of a payload: readings, and what is wrong."""
    try:
        return decode(topic, payload, context), ()
    except DecodeError as error:
        return error.readings, error.faults
    except Exception:  # noqa: BLE001 - a guess is no reason for a collector to stop: this format does not read it
        return (), ()


def _names(hint: Hint) -> list[str]:
    return sorted({*formats(), *hint.own})


def _of_format(name: str, topic: str, payload: bytes, at_ms: int, hint: Hint) -> Iterator[Guess]:
    """What one format makes of a payload; of one with several channels, each channel."""
    decode = hint.own.get(name) or (decoder(name) if name in formats() else None)
    if decode is None:
        return
    channels = _channels(decode, topic, payload, at_ms)
    for channel in channels or (None,):
        context = Context(at_ms + LENIENT_MS, hint.zone, channel)
        found = _scored(name, decode, topic, payload, context)
        if found is not None:
            less = 0.1 * (channel != channels[0]) if channels else 0
            several = channels if len(channels) > 1 else ()
            fields = {"score": round(found.score - less, 2), "channel": channel, "channels": several}
            yield Guess(**{**vars(found), **fields})


def _scored(name: str, decode: Decode, topic: str, payload: bytes, context: Context) -> Guess | None:
    readings, faults = _decoded(decode, topic, payload, context)
    fault = faults[0] if faults else None
    feed, device = feed_topic(topic, name), device_name(topic, name)
    if not readings:
        known = fault is not None and fault.field and fault.value not in ("", "null") and fault.reason in _VALUES
        near = known and name not in _FIT_MUCH
        return Guess(name, _REFUSED_SCORE, (), feed, device, fault=fault) if near else None
    reads = _quantities(readings[0])
    newest = max((reading.at_ms for reading in readings if reading.at_ms is not None), default=None)
    behind = None if newest is None else (context.arrived_ms - LENIENT_MS - newest) / 1000
    sure = 0.1 + 0.2 * min(3, len(reads)) + 0.2 * (readings[0].at_ms is not None)
    sure -= 0.05 * (name in _FIT_MUCH) + 0.3 * (fault is not None)
    drawn = [reading.power_w for reading in readings if not math.isnan(reading.power_w)]
    return Guess(
        name, round(sure, 2), tuple(reads), feed, device,
        power_w=max(drawn, default=None), behind_s=behind, fault=fault,
    )  # fmt: skip


def _quantities(reading: Reading) -> list[str]:
    names = [
        name for name in ("utilisation", "power_w", "energy_wh") if getattr(reading, name) == getattr(reading, name)
    ]
    names += ["count"] if reading.counter != NO_INT else []
    return names + (["state"] if reading.state != NO_STATE else [])


def _channels(decode: Decode, topic: str, payload: bytes, at_ms: int) -> tuple[str, ...]:
    """The channels a payload has, the likeliest first; empty when it has one: ``sum`` of a list, else as named."""
    _, faults = _decoded(decode, topic, payload, Context(at_ms + LENIENT_MS))
    fault = next((fault for fault in faults if fault.reason == "channel"), None)
    return _named(fault) if fault else ()


def _named(fault: Fault) -> tuple[str, ...]:
    if not fault.field:
        return tuple(fault.value.split(", "))
    return ("sum", *(str(number) for number in range(1, fault.value.count(",") + 2)))


def feed_topic(topic: str, form: str) -> str:
    """The filter of a device's readings: its topic, or all below it when several kinds of message carry readings."""
    if form == "sparkplug" and topic.startswith("spBv1.0/"):
        levels = topic.split("/")
        return "/".join([*levels[:2], "+", *levels[3:]])  # its births and its data are one machine's
    base = _device_part(topic, form)
    kinds = [] if form in DECODERS or form not in profiles() else profiles()[form].mapping.message
    return f"{base}/#" if base != topic and sum(not kind.quiet for kind in kinds) > 1 else topic


def device_name(topic: str, form: str) -> str:
    """A name for the machine: the topic level that names the device."""
    if canonical_machine(topic):
        return str(canonical_machine(topic))
    base = _device_part(topic, form)
    levels = base.split("/")[2:]
    if len(levels) > 1 and levels[-1].lower() in _SAYS_WHAT:
        levels.pop()
    return (levels or topic.split("/")[1:])[-1]


def _device_part(topic: str, form: str) -> str:
    """The topic without the levels that the format's messages end with."""
    if form in DECODERS or form not in profiles():
        return topic
    levels = topic.split("/")
    patterns = (p for kind in profiles()[form].mapping.message if not kind.quiet for p in kind.topic if p != "*")
    for pattern in patterns:
        wanted = pattern.split("/")
        ends = levels[-len(wanted) :]
        fits = all(_fits(want, level) for want, level in zip(wanted, ends, strict=False))
        if fits and len(levels) - len(wanted) > 2:
            return "/".join(levels[: -len(wanted)])
    return topic


def _fits(pattern: str, level: str) -> bool:
    start, star, end = pattern.partition("*")
    return level == pattern if not star else level.startswith(start) and level.endswith(end)
