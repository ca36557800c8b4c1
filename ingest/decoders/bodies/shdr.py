"""SHDR, the lines that MTConnect adapters send: ``timestamp|key|value|key|value...``, one reading a line.

The keys are the data items' ids or names, so a mapping says which of them is what. A key may be led by its device
(``Mill:execution``); the feed's channel then names the device. Lines of a condition (level and four more fields) and
commands (``* ...``) carry no value of a data item. A timestamp is of UTC when it says no offset; an empty one leaves
the time to the arrival; a duration behind ``@`` is dropped. Described in "SHDR 2.0" of the C++ agent's documentation.
"""

import re
from typing import Any, Final

from ingest.decoders.base import Context, DecodeError
from ingest.decoders.bodies.base import TIME, Documents, bounded, text_of

_PIPE: Final = re.compile(r"(?<!\\)\|")
_NO_OFFSET: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}(?:\.\d{1,9})?", re.ASCII)
_LEVELS: Final = frozenset({"NORMAL", "WARNING", "FAULT", "UNAVAILABLE"})
_QUALIFIERS: Final = frozenset({"", "HIGH", "LOW"})
_CONDITION_FIELDS: Final = 7  # timestamp, key, level, native code, native severity, qualifier, text


def documents(topic: str, payload: bytes, context: Context) -> Documents:  # noqa: ARG001 - one signature for all
    """One object a line, without the lines that carry no data item."""
    lines = text_of(payload).split("\n")
    bounded(len(lines), "lines")
    found: list[Any] = []
    for line in lines:
        if (line := line.strip()) and not line.startswith("*"):
            try:
                document = _line(line, context.channel)
            except DecodeError as error:
                found.append(error)
            else:
                found += [document] if document else []
    return Documents(found, many=len(lines) > 1)


def _line(line: str, device: str | None) -> dict[str, str] | None:
    fields = _PIPE.split(line) if "\\" in line else line.split("|")
    if len(fields) < 3:
        raise DecodeError("shape", "", line, "timestamp|key|value, with further keys and values behind")
    if fields[1].startswith("@") or _is_condition(fields):
        return None
    document = {}
    # a message is key, code and text: what has no partner at the end is no pair
    for key, value in zip(fields[1::2], fields[2::2], strict=False):
        name = _of_device(key.strip(), device)
        if name:
            document[name] = value.strip()
    time = fields[0].partition("@")[0].strip()
    if _NO_OFFSET.fullmatch(time):
        time += "Z"
    return {**document, TIME: time} if time and document else document or None


def _is_condition(fields: list[str]) -> bool:
    """Three pairs are as long as a condition, whose qualifier stands where the third key would."""
    return len(fields) == _CONDITION_FIELDS and fields[2].upper() in _LEVELS and fields[5].upper() in _QUALIFIERS


def _of_device(key: str, device: str | None) -> str:
    """The key without its device; "" when it is another device's."""
    owner, colon, name = key.partition(":")
    if not colon:
        return key if device is None else ""
    if device is None:
        raise DecodeError("channel", key, owner, "the feed's channel says which device the machine is")
    return name if owner == device else ""
