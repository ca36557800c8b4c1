"""Sparkplug B payloads: from named metrics to readings.

What a message needs beside itself (aliases, types that only the birth tells) is kept by :mod:`ingest.sparkplug.host`,
through which everything below ``spBv1.0/`` goes; :func:`decode` alone reads what stands in one payload.
"""

import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from fleet.batch import Reading
from fleet.states import UNKNOWN
from ingest.decoders.base import MAX_PAYLOAD, Context, DecodeError, Fault, metrics_json, show
from ingest.decoders.sparkplug_names import Mapping, Quantity, mapping
from ingest.decoders.states import state_code
from ingest.decoders.times import checked
from ingest.sparkplug.payload import Metric, Payload, parse, type_name, value_of
from ingest.sparkplug.wire import Malformed

BIRTHS: Final = frozenset({"NBIRTH", "DBIRTH"})
DEATHS: Final = frozenset({"NDEATH", "DDEATH"})
COMMANDS: Final = frozenset({"NCMD", "DCMD"})
_LARGEST: Final = 1e12
_UNREADABLE_SHOWN: Final = 20
NO_BIRTH: Final = "a metric that a birth has named: this alias is unknown, a rebirth is asked for"
_Groups = dict[int | None, dict[str, Any]]


class Named(NamedTuple):
    """A metric with what its birth tells: its name ("" when nobody knows it) and its data type (0 likewise)."""

    name: str
    datatype: int
    metric: Metric


def decode(topic: str, payload: bytes, context: Context) -> list[Reading]:
    """As every decoder, without the memory of births: metrics need a name and a type of their own.

    Raises:
        DecodeError: by metric; the other metrics of the message are kept.
    """
    levels = topic.split("/")
    kind = levels[2] if levels[0] == "spBv1.0" and len(levels) > 3 else ""
    if kind in COMMANDS or kind in DEATHS:
        context.note("quiet")
        return []
    parsed = read(payload)
    named = [Named(metric.name, metric.datatype, metric) for metric in parsed.metrics]
    found, faults = readings(named, parsed, context, birth=kind in BIRTHS)
    if faults:
        raise DecodeError.of(faults, found)
    return found


def read(payload: bytes) -> Payload:
    """The payload as metrics.

    Raises:
        DecodeError: ``sparkplug``, no Sparkplug B payload; ``too_large``.
    """
    if len(payload) > MAX_PAYLOAD:
        raise DecodeError("too_large", "", f"{len(payload)} bytes", f"at most {MAX_PAYLOAD} bytes")
    try:
        return parse(payload)
    except Malformed as error:
        raise DecodeError("sparkplug", error.field, error.value, error.rule) from None


def readings(
    metrics: Iterable[Named], payload: Payload, context: Context, *, birth: bool
) -> tuple[list[Reading], list[Fault]]:
    """One reading for each time that the metrics of a machine have, in order of appearance; and what is wrong.

    A birth tells how things are, so its metrics hold at the time of the message; in data, each holds at its own time.
    What ``is_historical`` holds at its own time, too, and is refused without one.

    Raises:
        DecodeError: the channel is no mapping.
    """
    wanted = mapping(context.channel)
    groups: _Groups = {}
    faults: list[Fault] = []
    unreadable: list[Fault] = []
    for named in metrics:
        try:
            _take(named, wanted, payload, context, groups, birth=birth)
        except DecodeError as error:
            faults += error.faults
        if named.datatype >= 16 and len(unreadable) < _UNREADABLE_SHOWN:
            unreadable.append(_no_value(named))
    if birth and not groups and not faults:
        faults = unreadable or [Fault("empty", "", "", wanted.wanted)]
    elif not groups and not faults:
        context.note("quiet")
    return [_reading(at_ms, values) for at_ms, values in groups.items()], faults


def _take(named: Named, wanted: Mapping, payload: Payload, context: Context, groups: _Groups, *, birth: bool) -> None:
    if not named.name:
        raise DecodeError("alias", "", "no name" if named.metric.alias is None else named.metric.alias, NO_BIRTH)
    quantity = wanted.find(named.name)
    if quantity is None:
        return
    try:
        value = value_of(named.metric, named.datatype)
    except Malformed as error:
        raise DecodeError("type" if named.datatype else "alias", named.name, error.value, error.rule) from None
    column, read_as = _value(quantity, value, named.name, context)
    if column:
        groups.setdefault(_time(named, payload, context, birth=birth), {})[column] = read_as


def _value(quantity: Quantity, value: int | float | bool | str | None, name: str, context: Context) -> tuple[str, Any]:
    """Column and value; no column for a quantity that has no value now. A state without a value is UNKNOWN."""
    column = quantity.column
    if column == "state":
        return column, UNKNOWN if value is None else state_code(value, name)
    if value is None:
        return "", None
    if isinstance(value, bool | str):
        raise DecodeError("type", name, value, "a number, not text, true or false")
    if not math.isfinite(value):
        raise DecodeError("number", name, value, "finite: NaN and Infinity are no readings")
    if column.startswith("metrics."):
        return column, float(value)
    if column == "counter":
        if not 0 <= value < 2**63 or value != int(value):
            raise DecodeError("range", name, value, "a whole number, at least 0, of 64 bits")
        return column, int(value)
    scaled = round(value * quantity.scale * (context.scale_w if column == "power_w" else 1.0), 6)
    top = 1.0 if column == "utilisation" else _LARGEST
    if not 0 <= scaled <= top:
        raise DecodeError("range", name, value, f"between 0 and {top / quantity.scale:g}")
    return column, scaled


def _time(named: Named, payload: Payload, context: Context, *, birth: bool) -> int | None:
    metric = named.metric
    if metric.historical:
        at_ms = metric.at_ms
        if at_ms is None:
            raise DecodeError("time", named.name, "", "a timestamp of its own: the metric is historical")
    elif birth:
        at_ms = payload.at_ms or metric.at_ms
    else:
        at_ms = metric.at_ms or payload.at_ms
    return at_ms and checked(at_ms, named.name, at_ms, context.arrived_ms)


def _reading(at_ms: int | None, values: dict[str, Any]) -> Reading:
    further = {name.removeprefix("metrics."): values.pop(name) for name in list(values) if name.startswith("metrics.")}
    return Reading(at_ms, metrics=metrics_json(further) if further else "", **values)


def _no_value(named: Named) -> Fault:
    return Fault("type", show(named.name), type_name(named.datatype), "a number, boolean or text")
