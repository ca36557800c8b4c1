"""Device times: what is taken for a time, and why the rest is refused. Everything becomes epoch milliseconds UTC."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final

from ingest.decoders.base import DecodeError

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01: a device that says less has no clock yet."""
FUTURE_MS: Final = 300_000
"""A device may be this much ahead of the collector."""

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?", re.ASCII)
_MS_RULE: Final = "RFC 3339 with an offset, or epoch milliseconds"
# Seconds of the years 2000 to 2128, in each unit that is taken for milliseconds by mistake.
_UNITS: Final = (("seconds", 1.0), ("microseconds", 1e6), ("nanoseconds", 1e9))


def device_ms(value: object, field: str, arrived_ms: int) -> int:
    """Epoch ms of a canonical ``at``: RFC 3339 with an offset, or whole epoch milliseconds.

    Raises:
        DecodeError: no time, a time in another unit, before 2000, or more than five minutes after ``arrived_ms``.
    """
    if isinstance(value, str):
        return checked(_rfc3339_ms(value, field), field, value, arrived_ms)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError("time", field, value, _MS_RULE)
    if isinstance(value, int) and abs(value) >= 2**63:
        raise DecodeError("time", field, value, _MS_RULE)
    _refuse_other_unit(value, field)
    if isinstance(value, float):
        raise DecodeError("time", field, value, "whole epoch milliseconds")
    return checked(value, field, value, arrived_ms)


def checked(at_ms: int, field: str, value: object, arrived_ms: int) -> int:
    """``at_ms`` when it lies between 2000 and five minutes from now.

    Raises:
        DecodeError: ``time`` before 2000, ``future`` beyond.
    """
    if at_ms < EARLIEST_MS:
        raise DecodeError("time", field, value, "not before 2000: the device's clock is not set")
    if at_ms > arrived_ms + FUTURE_MS:
        ahead_s = (at_ms - arrived_ms) // 1000
        raise DecodeError(
            "future", field, value, f"at most 5 minutes in the future: the device's clock is {ahead_s} s ahead"
        )
    return at_ms


def _rfc3339_ms(text: str, field: str) -> int:
    if not _RFC3339.fullmatch(text):
        rule = "RFC 3339 needs an offset, such as Z or +01:00" if _LOCAL.fullmatch(text) else _MS_RULE
        raise DecodeError("time", field, text, rule)
    try:
        return round(datetime.fromisoformat(text.upper()).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise DecodeError("time", field, text, "a date and time that exist") from None


def _refuse_other_unit(value: float, field: str) -> None:
    for unit, per_second in _UNITS:
        if 946_684_800 <= value / per_second < 5_000_000_000 and not EARLIEST_MS <= value < 5_000_000_000_000:
            raise DecodeError("time", field, value, f"epoch milliseconds; this looks like {unit}")


def profile_ms(value: object, form: str, field: str, zone: tzinfo, arrived_ms: int) -> int:
    """Epoch ms of a device's time in the form its profile declares.

    Forms: ``rfc3339``; ``local`` (an offset counts when there is one, otherwise the time is of ``zone``); ``epoch_s``
    (fractions allowed); ``epoch_ms``; ``auto`` (text as ``local``, numbers by magnitude).

    Raises:
        DecodeError: as for :func:`device_ms`.
    """
    if isinstance(value, str) and form in ("local", "auto") and _LOCAL.fullmatch(value):
        return checked(_local_ms(value, field, zone, arrived_ms), field, value, arrived_ms)
    if isinstance(value, str) and form in ("rfc3339", "local", "auto"):
        return checked(_rfc3339_ms(value, field), field, value, arrived_ms)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise DecodeError("time", field, value, f"a time in the form {form}")
    seconds = form == "epoch_s" or (form == "auto" and value < 1e11)
    if form in ("rfc3339", "local"):
        raise DecodeError("time", field, value, f"a time in the form {form}")
    return checked(round(value * 1000) if seconds else round(value), field, value, arrived_ms)


def _local_ms(text: str, field: str, zone: tzinfo, arrived_ms: int) -> int:
    """Of the two instants of an hour that the change to winter time repeats, the latest that has already come."""
    try:
        naive = datetime.fromisoformat(text.upper())
        both = [naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0)]
    except (ValueError, OverflowError):
        raise DecodeError("time", field, text, "a date and time that exist") from None
    if both[0].astimezone(zone).replace(tzinfo=None) != naive:
        raise DecodeError("time", field, text, f"a time that exists in {zone}: there the clock was put forward over it")
    later, earlier = (round(instant.timestamp() * 1000) for instant in both)
    return later if later <= arrived_ms + FUTURE_MS else earlier


def sane(at_ms: int, arrived_ms: int) -> int:
    """A device time that can be one; otherwise 0."""
    try:
        return checked(at_ms, "", at_ms, arrived_ms)
    except DecodeError:
        return 0
