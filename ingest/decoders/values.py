"""Numbers out of parsed payloads, by the rules of a profile."""

import math
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ingest.decoders.base import DecodeError
from ingest.decoders.bodies.base import Several
from ingest.decoders.mapping import Message, Quantity

LARGEST: Final = 1e12
_TEXT: Final = re.compile(r"\s*[+-]?\d{1,18}(?:\.\d{1,18})?\s*", re.ASCII)
_WITH_UNIT: Final = re.compile(r"\s{0,9}([+-]?[\d.]{1,40})\s{0,9}([^\s\d+.-]\S{0,15})\s{0,9}", re.ASCII)


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
    if isinstance(document, dict) and path in document:
        return document[path]
    for name in path.split("."):
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def find(paths: Sequence[str], parts: Sequence[Any]) -> tuple[str, Any]:
    """The first path that exists in any of the parts, and its value; ("", None) without one.

    Raises:
        DecodeError: values of several sources stand there.
    """
    for path in paths:
        for part in parts:
            value = at_path(path, part)
            if isinstance(value, Several):
                raise DecodeError("channel", path, list(value), "one source; a profile of your own names it by its id")
            if value is not None:
                return path, value
    return "", None


def source_of(message: Message, parts: Sequence[Any], channel: str | None) -> Source:
    """Where the numbers of a message come from; what the channel has picked already has no lists of channels."""
    rules = (message.power_w, message.energy_wh, message.count, *message.metrics.values())
    found = (find(rule.path, parts)[1] for rule in rules if rule)
    several = any(isinstance(value, list) and len(value) > 1 for value in found)
    return Source(parts, channel if message.lists_are_channels else None, several)


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
    scaled = value if rule.scale == 1.0 else value * rule.scale  # 64 bits are more than a float holds
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


def plain_number(value: Any) -> float | None:
    """A finite number of usual size, alone or as text of digits; None for anything else."""
    if isinstance(value, str) and _TEXT.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        return None
    return float(value)


def _number(rule: Quantity, source: Source) -> tuple[str, float | int | None]:
    field, value = find(rule.path, source.parts)
    if isinstance(value, list):
        return field, _of_channel(rule, field, value, source.channel)
    if value is None or (isinstance(value, str) and value in rule.absent):
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
    if isinstance(value, str):
        value = _number_in(rule, value)
    if rule.boolean and isinstance(value, bool):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError("type", field, value, "a number" + _text_allowed(rule))
    if isinstance(value, float) and not math.isfinite(value):
        raise DecodeError("number", field, value, "finite: NaN and Infinity are no readings")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise DecodeError("number", field, value, "within 64 bits")
    return value


def _number_in(rule: Quantity, text: str) -> float | int | str:
    """The number that a text of digits is, its unit applied; the text itself when the rule allows none of it."""
    factor = 1.0
    digits = text
    if rule.units and (found := _WITH_UNIT.fullmatch(text)) and found[2] in rule.units:
        digits, factor = found[1], rule.units[found[2]]
    elif not rule.strings:
        return text
    if not _TEXT.fullmatch(digits):
        return text
    number = float(digits) if "." in digits else int(digits)
    return number if factor == 1.0 else number * factor


def _text_allowed(rule: Quantity) -> str:
    if rule.units:
        return f" with one of {', '.join(rule.units)}" + (", or alone" if rule.strings else "")
    return " or text of digits" if rule.strings else ", not text"
