"""Numbers out of parsed payloads, by the rules of a profile."""

import math
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ingest.decoders.base import DecodeError
from ingest.decoders.mapping import Message, Quantity

LARGEST: Final = 1e12
_TEXT: Final = re.compile(r"\s*[+-]?\d{1,18}(?:\.\d{1,18})?\s*", re.ASCII)


class Source(NamedTuple):
    """Where numbers are looked for.

    Attributes:
        channel: which entry of a list, from 1, or ``sum``; None when there is only one.
        several: some quantity of the message is a list of more than one channel.
    """

    parts: Sequence[Any]
    channel: str | None
    several: bool


def at_path(path: str, document: Any) -> Any:
    """What stands at a path, or None."""
    for name in path.split("."):
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def find(paths: Sequence[str], parts: Sequence[Any]) -> tuple[str, Any]:
    """The first path that exists in any of the parts, and its value; ("", None) without one."""
    for path in paths:
        for part in parts:
            value = at_path(path, part)
            if value is not None:
                return path, value
    return "", None


def source_of(message: Message, parts: Sequence[Any], channel: str | None) -> Source:
    """Where the numbers of a message come from; components are channels already, so their lists have none."""
    rules = (message.power_w, message.energy_wh, message.count, *message.metrics.values())
    found = (find(rule.path, parts)[1] for rule in rules if rule)
    several = any(isinstance(value, list) and len(value) > 1 for value in found)
    return Source(parts, None if message.component else channel, several)


def amount(rule: Quantity, source: Source, factor: float = 1.0, top: float = LARGEST) -> float | None:
    """A quantity that is at least 0, in its unit; None when it is not there.

    Raises:
        DecodeError: not a number, negative beyond the profile's noise, too large, or the channel is not chosen.
    """
    field, value = _number(rule, source)
    if value is None:
        return None
    scaled = round(value * rule.scale * factor, 6)
    if -rule.noise <= scaled < 0:
        return 0.0
    if not 0 <= scaled <= top:
        raise DecodeError("range", field, value, f"between 0 and {top:g}; a clamp turned round counts backwards")
    return scaled


def count(rule: Quantity, source: Source) -> int | None:
    """A whole number that is at least 0; None when it is not there.

    Raises:
        DecodeError: as for :func:`amount`, or not whole.
    """
    field, value = _number(rule, source)
    if value is None:
        return None
    scaled = value * rule.scale
    if not 0 <= scaled < 2**63 or scaled != int(scaled):
        raise DecodeError("range", field, value, "a whole number, at least 0, of 64 bits")
    return int(scaled)


def metric(rule: Quantity, source: Source) -> float | None:
    """A further number; None when it is not there.

    Raises:
        DecodeError: not a number, or the channel is not chosen.
    """
    _, value = _number(rule, source)
    return None if value is None else round(value * rule.scale, 6)


def _number(rule: Quantity, source: Source) -> tuple[str, float | int | None]:
    field, value = find(rule.path, source.parts)
    if isinstance(value, list):
        return field, _of_channel(rule, field, value, source.channel)
    if value is None:
        return field, None
    if source.several and not rule.shared and source.channel != "sum":
        return field, None  # one value for all channels cannot be told apart
    if not source.several and not rule.shared and source.channel not in (None, "sum", "1"):
        raise DecodeError("channel", field, value, f"the feed says channel {source.channel}; the payload has one")
    return field, _plain(rule, field, value)


def _of_channel(rule: Quantity, field: str, values: list[Any], channel: str | None) -> float | int:
    if channel == "sum" or (len(values) == 1 and channel in (None, "1")):
        return sum(_plain(rule, field, value) for value in values)
    if channel is None or not channel.isdecimal():
        raise DecodeError("channel", field, values, f"the feed says a channel of 1 to {len(values)}, or sum")
    if not 1 <= int(channel) <= len(values):
        raise DecodeError("channel", field, values, f"the feed says channel {channel}; the payload has {len(values)}")
    return _plain(rule, field, values[int(channel) - 1])


def _plain(rule: Quantity, field: str, value: Any) -> float | int:
    if rule.strings and isinstance(value, str) and _TEXT.fullmatch(value):
        value = float(value) if "." in value else int(value)
    if rule.boolean and isinstance(value, bool):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError("type", field, value, "a number" + (" or text of digits" if rule.strings else ", not text"))
    if isinstance(value, float) and not math.isfinite(value):
        raise DecodeError("number", field, value, "finite: NaN and Infinity are no readings")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise DecodeError("number", field, value, "within 64 bits")
    return value
