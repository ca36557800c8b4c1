"""What a device without a machine is likely to be: format, channel, kind of machine, each with the reason. Pure.

The format is the one that reads most of what was sent. The trade is guessed from words in the topic and from the power:
words say much, power little (half of the trades draw 8 to 25 kW), so power alone seldom gives a trade.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fleet.network import Trade
from fleet.topics import canonical_machine, slugify
from fleet.trades import TRADES
from ingest.decoders import DECODERS, Context, DecodeError, decoder, formats
from ingest.decoders.base import Fault
from ingest.decoders.profile import profiles
from ingest.unclaimed import LENIENT_MS, score

WORDS: Final[dict[Trade, tuple[str, ...]]] = {
    Trade.PAINT: ("booth", "cabine", "paint", "peint", "laque", "lack", "spray"),
    Trade.MACHINING: ("cnc", "mill", "frais", "fräs", "usinage", "machining", "vmc"),
    Trade.TURNING: ("lathe", "tour", "dreh", "turning"),
    Trade.LASER: ("laser",),
    Trade.PRESS: ("press", "plieuse", "bending"),
    Trade.FURNACE: ("furnace", "four", "ofen", "oven", "etuve"),
    Trade.TEST: ("banc", "bench", "testbench", "pruef", "prüf"),
    Trade.WELDING: ("weld", "soud", "schweiss", "schweiß"),
    Trade.EDM: ("edm", "erosion", "electroerosion", "erodier", "fil"),
    Trade.WASHING: ("wash", "lavage", "laveuse", "reinig"),
    Trade.INJECTION: ("inject", "spritz", "mould", "mold"),
    Trade.GRINDING: ("grind", "rectif", "schleif"),
    Trade.UTILITY: ("compress", "kompress", "chiller", "pump"),
}
"""How the levels of a topic begin that tell the trade, in the three languages of the pages."""

SURE: Final = 0.5
"""A trade of a lower score is not taken: the machine is of trade ``other`` until its owner says."""
_WORD, _FAR, _NONE_OF_THEM = 60.0, 0.3, 2.0
_SPREAD: Final = 0.7  # of power within one trade, as a standard deviation of its logarithm
_TELLING_W: Final = 50.0
_SAYS_WHAT: Final = frozenset(
    {"power", "power_w", "energy", "energy_wh", "count", "state", "reading", "sensor", "value"}
)
"""Last levels that name what is sent, not who sends it."""
_EVERY: Final = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_DEFAULT_EVERY: Final = 300


@dataclass(frozen=True)
class Speaking:
    """A topic that belongs to no machine.

    Attributes:
        first_ms, last_ms: of its messages, epoch ms.
        samples: (arrival in epoch ms, payload or its first bytes), oldest first; at least one.
        format: what the collector takes it for, or None.
    """

    topic: str
    first_ms: int
    last_ms: int
    messages: int
    samples: tuple[tuple[int, bytes], ...]
    format: str | None = None


@dataclass(frozen=True)
class Proposal:
    """What ``machine add --from-unclaimed`` would write.

    Attributes:
        topic: of the feed, a filter where several topics of the device carry readings.
        score, reason: of format and channel, 0 to 1.
        trade_score, trade_reason: of the trade.
        every: longest normal distance of two readings, seconds.
        power_w: highest power that was read, or None.
    """

    topic: str
    format: str
    channel: str | None
    score: float
    reason: str
    name: str
    trade: Trade
    trade_score: float
    trade_reason: str
    every: int
    power_w: float | None


def propose(device: Speaking) -> Proposal | None:
    """The likeliest machine behind a topic; None when no format reads anything of its newest message."""
    at_ms, payload = device.samples[-1]
    found = max(_readings(device.topic, payload, at_ms), key=lambda one: one["score"], default=None)
    if found is None and device.format is None:
        return None
    form, channel = (found["format"], found["channel"]) if found else (device.format or "", None)
    powers = list(_powers(device, form, channel))
    power = max(powers, default=None)
    trade, trade_score, trade_reason = guess_trade(device.topic, power)
    reason = found["reason"] if found else "the collector read it; what is kept of the message is cut"
    return Proposal(
        feed_topic(device.topic, form), form, channel, found["score"] if found else 0.3, reason,
        device_name(device.topic, form), trade, trade_score, trade_reason, _every(device), power,
    )  # fmt: skip


def _readings(topic: str, payload: bytes, at_ms: int) -> Iterator[dict[str, Any]]:
    """What each format makes of a payload; of one with several channels, each channel."""
    for name in formats():
        channels = _channels(name, topic, payload, at_ms)
        for channel in channels or (None,):
            found = score(name, topic, payload, Context(at_ms + LENIENT_MS, channel=channel))
            if found is None:
                continue
            if len(channels) > 1:
                found["reason"] += f"; channel {channel} of {', '.join(channels)}"
                found["score"] = round(found["score"] - 0.1 * (channel != channels[0]), 2)
            yield {**found, "channel": channel}


def _channels(name: str, topic: str, payload: bytes, at_ms: int) -> tuple[str, ...]:
    """The channels a payload has, the likeliest first; empty when it has one: ``sum`` of a list, else as named."""
    try:
        decoder(name)(topic, payload, Context(at_ms + LENIENT_MS))
    except DecodeError as error:
        fault = next((fault for fault in error.faults if fault.reason == "channel"), None)
        return _named(fault) if fault else ()
    return ()


def _named(fault: Fault) -> tuple[str, ...]:
    if not fault.field:
        return tuple(fault.value.split(", "))
    return ("sum", *(str(number) for number in range(1, fault.value.count(",") + 2)))


def _powers(device: Speaking, form: str, channel: str | None) -> Iterator[float]:
    for at_ms, payload in device.samples:
        try:
            readings = decoder(form)(device.topic, payload, Context(at_ms + LENIENT_MS, channel=channel))
        except DecodeError as error:
            readings = error.readings
        except KeyError:  # a format of a newer collector
            return
        yield from (reading.power_w for reading in readings if not math.isnan(reading.power_w))


def guess_trade(topic: str, power_w: float | None) -> tuple[Trade, float, str]:
    """The likeliest trade, its score (0 to 1) and the reason; ``other`` below :data:`SURE`."""
    words = [word for level in topic.split("/")[2:] for word in re.split(r"[^a-zà-ÿ]+", level.lower()) if word]
    said = {trade: word for trade, stems in WORDS.items() for word in words if word.startswith(stems)}
    telling = power_w if power_w is not None and power_w >= _TELLING_W else None
    weights = {trade: _closeness(trade, telling) * (_WORD if trade in said else 1.0) for trade in WORDS}
    best = max(weights, key=weights.__getitem__)
    sure = round(weights[best] / (sum(weights.values()) + _NONE_OF_THEM), 2)
    drawn = "no power yet" if power_w is None else f"{power_w:g} W at most so far"
    word = f"the topic says {said[best]!r}" if best in said else "no word in the topic"
    if sure >= SURE:
        return best, sure, f"{word}; {drawn}, {TRADES[best].working_w:g} W are usual"
    hint = f"; nearest is {best.value}" if telling else ""
    return Trade.OTHER, sure, f"{word}; {drawn}, which fits several trades{hint}"


def _closeness(trade: Trade, power_w: float | None) -> float:
    """1 at the trade's usual power; a machine may stand by for as long as we have heard it, so never below ``_FAR``."""
    if power_w is None:
        return _FAR
    distance = math.log(power_w / TRADES[trade].working_w) / _SPREAD
    return max(_FAR if distance < 0 else 0.02, math.exp(-0.5 * distance**2))


def feed_topic(topic: str, form: str) -> str:
    """The filter of a device's readings: its topic, or all below it when several kinds of message carry readings."""
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


def _every(device: Speaking) -> int:
    """The next usual interval above one and a half times the mean distance of its messages."""
    if device.messages < 3:
        return _DEFAULT_EVERY
    mean_s = (device.last_ms - device.first_ms) / 1000 / (device.messages - 1)
    return next((every for every in _EVERY if every >= 1.5 * mean_s), _EVERY[-1])


def machine_id(name: str, taken: Sequence[str]) -> str:
    """A free id for a machine of this name.

    Raises:
        ValueError: nothing of the name can stand in an id.
    """
    wanted = slugify(name)
    numbered = (f"{wanted[:60]}-{number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(one for one in numbered if one not in taken)
