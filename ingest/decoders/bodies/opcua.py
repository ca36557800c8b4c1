"""OPC UA PubSub in JSON (OPC 10000-14, 7.2.5): NetworkMessages, DataSetMessages, or fields without any header.

A field is a plain value (RawData), a Variant (``{"Type", "Body"}``; from 1.05 on ``{"UaType", "Value"}``) or a
DataValue with ``SourceTimestamp`` and ``StatusCode``. A localised text is its text; an enumeration's ``Executing_3`` is
its name. A Bad status makes the value ``UNAVAILABLE``; an Uncertain one is kept and counted as ``uncertain``. Fields of
one timestamp are one object: their own, else the message's. In a key frame everything holds at the message's time,
however long ago it changed. Meta data, keep-alives and events carry no value. The feed's channel names the writer by id
or name.
"""

import re
from typing import Any, Final

from ingest.decoders.base import Context, DecodeError
from ingest.decoders.bodies.base import TIME, UNAVAILABLE, Documents, bounded, parsed

_DATA: Final = ("ua-data", "ua-keyframe", "ua-deltaframe")
_NETWORK: Final = ("MessageId", "PublisherId", "Messages", "MessageType")
_ENUMERATED: Final = re.compile(r"([A-Za-z]{1,64})_\d{1,9}", re.ASCII)
_STATUS: Final = ("StatusCode", "Status")
_RULE: Final = "a NetworkMessage with Messages, a DataSetMessage with a Payload, or fields with a type or a status"
_SEVERITY_BIT: Final = 30  # the two highest bits of a status code


def documents(topic: str, payload: bytes, context: Context) -> Documents:  # noqa: ARG001 - one signature for all
    """One object a DataSetMessage and timestamp."""
    document = parsed(payload)
    sets: list[dict[str, Any]] = []
    for one in document if isinstance(document, list) else [document]:
        if not isinstance(one, dict):
            raise DecodeError("shape", "", one, _RULE)
        sets += _data_sets(one)
    found: list[Any] = []
    for message in _of_writer(sets, context.channel):
        try:
            found += _by_time(message, context)
        except DecodeError as error:
            found.append(error)
        bounded(len(found), "readings")
    return Documents(found, many=len(sets) > 1 or len(found) > 1)


def _data_sets(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The DataSetMessages that carry data."""
    if message.get("MessageType", "ua-data") not in _DATA:
        return []
    if "Messages" in message:
        held = message["Messages"]
        inner = held if isinstance(held, list) else [held]
        bounded(len(inner), "messages")
        return [
            one if "Payload" in one else {"Payload": one}
            for one in inner
            if isinstance(one, dict)
            and one.get("MessageType", "ua-data") in _DATA
            and ("Payload" in one or "DataSetWriterId" not in one)
        ]
    if "Payload" in message:
        return [message]
    if any(name in message for name in _NETWORK) or "DataSetWriterId" in message:
        return []
    if any(isinstance(value, dict) and _is_value(value) for value in message.values()):
        return [{"Payload": message}]
    raise DecodeError("shape", "", message, _RULE)


def _is_value(value: dict[str, Any]) -> bool:
    return (
        ("Type" in value and "Body" in value)
        or "UaType" in value
        or "SourceTimestamp" in value
        or ("Value" in value and any(name in value for name in _STATUS))
    )


def _of_writer(sets: list[dict[str, Any]], channel: str | None) -> list[dict[str, Any]]:
    if channel is not None:
        return [one for one in sets if channel in (str(one.get("DataSetWriterId")), one.get("DataSetWriterName"))]
    writers = {str(one.get("DataSetWriterId", one.get("DataSetWriterName"))) for one in sets}
    if len(writers) > 1:
        shown = ", ".join(sorted(writers)[:9])
        raise DecodeError("channel", "DataSetWriterId", shown, "the feed's channel says which writer the machine is")
    return sets


def _by_time(message: dict[str, Any], context: Context) -> list[dict[str, Any]]:
    fields = message["Payload"]
    if not isinstance(fields, dict):
        raise DecodeError("shape", "Payload", fields, "an object of fields")
    own, snapshot = message.get("Timestamp"), message.get("MessageType") == "ua-keyframe"
    broken = _is_bad("Status", message.get("Status"), context)
    found: dict[str, dict[str, Any]] = {}
    for name, field in fields.items():
        value, time, bad = _value(name, field, context)
        time = own if time is None or (snapshot and own is not None) else time
        if value is not None or bad or broken:
            held = found.setdefault(repr(time), {} if time is None else {TIME: time})
            held[name] = UNAVAILABLE if bad or broken else value
    return list(found.values())


def _value(name: str, field: Any, context: Context) -> tuple[Any, Any, bool]:
    """Value, source timestamp and whether its status is Bad; the value is None where there is none that we know."""
    time, bad = None, False
    for _ in range(3):  # a DataValue holds a Variant, which holds a text
        if not isinstance(field, dict):
            break
        for status in _STATUS:
            bad = bad or _is_bad(f"{name}.{status}", field.get(status), context)
        time = field.get("SourceTimestamp", time)
        field = next((field[key] for key in ("Value", "Body", "Text") if key in field), None)
    if isinstance(field, str) and (enumerated := _ENUMERATED.fullmatch(field)):
        field = enumerated[1]
    return (None if isinstance(field, dict | list) else field), time, bad


def _is_bad(field: str, status: Any, context: Context) -> bool:
    code = status.get("Code", status.get("Symbol", 0)) if isinstance(status, dict) else status
    if code is None:
        return False
    if isinstance(code, str):
        severity = 2 if code.startswith("Bad") else int(code.startswith("Uncertain"))
    elif isinstance(code, int) and not isinstance(code, bool) and 0 <= code < 2**32:
        severity = code >> _SEVERITY_BIT
    else:
        raise DecodeError("type", field, status, "a status code of 32 bits, or its name")
    if severity == 1:
        context.note("uncertain")
    return severity >= 2
