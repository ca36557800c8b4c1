"""The Sparkplug B payload: timestamp, metrics, seq. Field numbers and data types are those of the specification,
versions 2.2 and 3.0 (section 6.4), which agree.

``Payload``: 1 timestamp, 2 metrics, 3 seq. ``Metric``: 1 name, 2 alias, 3 timestamp, 4 datatype, 5 is_historical,
7 is_null, 10 int, 11 long, 12 float, 13 double, 14 boolean, 15 string, 16 bytes, 17 DataSet, 18 Template, 19 extension.
Everything else is passed over.
"""

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from ingest.sparkplug.wire import BYTES, FIXED32, FIXED64, VARINT, Malformed, delimited, fields, fixed, varint

MAX_METRICS: Final = 20_000
REBIRTH: Final = "Node Control/Rebirth"
BD_SEQ: Final = "bdSeq"


class DataType(IntEnum):
    """Data types of metrics; those above TEXT hold no single value that a reading could take."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19


_SIGNED: Final = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED: Final = {5: 8, 6: 16, 7: 32, 8: 64, 13: 64}
_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING = range(10, 16)
_KINDS: Final = {
    _INT: VARINT, _LONG: VARINT, _FLOAT: FIXED32, _DOUBLE: FIXED64, _BOOLEAN: VARINT, _STRING: BYTES,
    16: BYTES, 17: BYTES, 18: BYTES, 19: BYTES, 1: BYTES, 2: VARINT, 3: VARINT, 4: VARINT, 5: VARINT, 7: VARINT,
}  # fmt: skip


class Metric(NamedTuple):
    """One metric as sent.

    Attributes:
        name: "" when the metric comes by its alias alone.
        at_ms: epoch ms, None when it has none of its own.
        datatype: 0 when not sent.
        null: said to have no value.
        carrier: number of the field the value came in, 0 without one.
        raw: the value as that field holds it; integers as sent, without sign.
    """

    name: str
    alias: int | None = None
    at_ms: int | None = None
    datatype: int = 0
    historical: bool = False
    null: bool = False
    carrier: int = 0
    raw: int | float | str | bytes = 0


class Payload(NamedTuple):
    """One message; ``seq`` and ``at_ms`` (epoch ms) are None when not sent."""

    at_ms: int | None
    seq: int | None
    metrics: list[Metric]


def parse(data: bytes) -> Payload:
    """The payload in ``data``; time is linear in its size.

    Raises:
        Malformed: no Protocol Buffers, a field of the wrong kind, text that is not UTF-8, or too many metrics.
    """
    at_ms = seq = None
    metrics: list[Metric] = []
    for number, kind, integer, content in fields(data):
        if (number in (1, 3) and kind != VARINT) or (number == 2 and kind != BYTES):
            raise Malformed("", f"field {number} of wire type {kind}", "a Sparkplug B payload")
        if number == 1:
            at_ms = integer or None
        elif number == 3:
            seq = integer
        elif number == 2:
            if len(metrics) == MAX_METRICS:
                raise Malformed("metrics", f"more than {MAX_METRICS}", f"at most {MAX_METRICS} metrics")
            metrics.append(_metric(content))
    if seq is not None and seq > 255:
        raise Malformed("seq", str(seq), "0 to 255")
    return Payload(at_ms, seq, metrics)


def _metric(data: bytes) -> Metric:
    found: dict[int, int | bytes] = {}
    carrier = 0
    for number, kind, integer, content in fields(data):
        if number not in _KINDS:
            continue
        if kind != _KINDS[number]:
            raise Malformed("metrics", f"field {number} of wire type {kind}", "a Sparkplug B metric")
        found[number] = integer if kind == VARINT else content
        if number >= _INT:
            carrier = number
    get = found.get
    name, alias, at_ms, datatype = get(1, b""), get(2), get(3), get(4, 0)
    assert isinstance(name, bytes)  # noqa: S101 - by _KINDS; tells the type checker
    assert not isinstance(alias, bytes) and not isinstance(at_ms, bytes) and isinstance(datatype, int)  # noqa: S101, PT018
    label = _text(name, "metrics.name")
    return Metric(
        label,
        alias,
        at_ms or None,
        datatype,
        bool(get(5)),
        bool(get(7)),
        carrier,
        _raw(carrier, get(carrier, 0), label),
    )


def _raw(carrier: int, value: int | bytes, name: str) -> int | float | str | bytes:
    if isinstance(value, int):
        return value
    if carrier in (_FLOAT, _DOUBLE):
        number: float = struct.unpack("<f" if carrier == _FLOAT else "<d", value)[0]
        return number
    return _text(value, name) if carrier == _STRING else value


def _text(data: bytes, field: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(field, str(data[:50]), f"text in UTF-8: {error.reason}") from None


def value_of(metric: Metric, datatype: int) -> int | float | bool | str | None:
    """The value, by the data type of the metric or of its birth; None is null.

    Integers are masked to the declared width, as senders disagree on how a negative one is sent: -5 as Int16 comes as
    65531 or as 4294967291. A single-precision number is the shortest decimal that stands for it.

    Raises:
        Malformed: no type is known, the type has no single value (DataSet, Template, arrays, bytes), or the value came
            in a field of another type.
    """
    kind, carrier, raw = metric.datatype or datatype, metric.carrier, metric.raw
    if kind not in range(1, 16):
        rule = "a number, boolean or text" if kind else "a birth that tells the type of this metric"
        raise Malformed(metric.name, type_name(kind), rule)
    if metric.null:
        return None
    if isinstance(raw, int) and carrier in (_INT, _LONG):
        if kind in _SIGNED:
            bits = _SIGNED[kind]
            raw &= (1 << bits) - 1
            return raw - (1 << bits) if raw >> (bits - 1) else raw
        if kind in _UNSIGNED:
            return raw & ((1 << _UNSIGNED[kind]) - 1)
    elif carrier == _BOOLEAN and kind == DataType.BOOLEAN:
        return bool(raw)
    elif isinstance(raw, float) and kind in (DataType.FLOAT, DataType.DOUBLE):
        return float(f"{raw:.7g}") if carrier == _FLOAT else raw
    elif isinstance(raw, str) and kind in (DataType.STRING, DataType.TEXT, DataType.UUID):
        return raw
    raise Malformed(metric.name, str(raw)[:50] if carrier else "no value", f"a value of type {type_name(kind)}")


def type_name(datatype: int) -> str:
    """A data type for people."""
    if datatype in range(1, 20):
        return DataType(datatype).name.capitalize().replace("set", "Set")
    return {0: "no type", 20: "PropertySet", 21: "PropertySetList"}.get(
        datatype, "an array" if datatype in range(22, 35) else f"data type {datatype}"
    )


def encode(payload: Payload) -> bytes:
    """The inverse of :func:`parse`."""
    head = b"" if payload.at_ms is None else varint(1, payload.at_ms)
    body = b"".join(delimited(2, _encoded(metric)) for metric in payload.metrics)
    return head + body + (b"" if payload.seq is None else varint(3, payload.seq))


def _encoded(metric: Metric) -> bytes:
    out = delimited(1, metric.name.encode()) if metric.name else b""
    for number, integer in ((2, metric.alias), (3, metric.at_ms), (4, metric.datatype or None)):
        out += b"" if integer is None else varint(number, integer)
    out += (varint(5, 1) if metric.historical else b"") + (varint(7, 1) if metric.null else b"")
    raw, carrier = metric.raw, metric.carrier
    if not carrier:
        return out
    if isinstance(raw, float):
        return out + fixed(carrier, struct.pack("<f" if carrier == _FLOAT else "<d", raw))
    if isinstance(raw, int):
        return out + varint(carrier, raw)
    return out + delimited(carrier, raw.encode() if isinstance(raw, str) else raw)


def rebirth(at_ms: int) -> bytes:
    """The payload of an NCMD that asks an edge node for its births."""
    return encode(Payload(at_ms, None, [Metric(REBIRTH, None, at_ms, DataType.BOOLEAN, carrier=_BOOLEAN, raw=1)]))


def bd_seq(payload: Payload) -> int | None:
    """Which session of its node a birth or death belongs to; None when it does not say."""
    for metric in payload.metrics:
        if metric.name == BD_SEQ:
            try:
                value = value_of(metric, DataType.INT64)
            except Malformed:
                return None
            return value % 2**63 if isinstance(value, int) else None  # what SQLite can keep
    return None
