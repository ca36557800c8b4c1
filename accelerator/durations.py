"""Durations as people type them: ``30s``, ``5min``, ``8h``, ``2d``."""

import re

from accelerator.problems import Usage

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(text: str, *, option: str) -> float:
    """A duration in seconds.

    Raises:
        Usage: names the option, the text and the rule.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", text.strip())
    if match is None:
        raise Usage(f"{option} {text}: a number and a unit, such as 30s, 5min, 8h or 2d")
    return float(match[1]) * _UNITS[match[2]]


def whole_hours(text: str, *, option: str) -> int:
    """A duration in hours.

    Raises:
        Usage: likewise; or it is not a whole number of them, at least one.
    """
    hours, rest = divmod(seconds(text, option=option), 3600)
    if rest or not hours:
        raise Usage(f"{option} {text}: whole hours, such as 8h")
    return int(hours)
