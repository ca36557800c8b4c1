"""Canonical JSON as nearly every device sends it, read and checked in one go: a third of what the whole decoder costs.

Known fields alone, a state by its exact name, ``at`` as plausible epoch milliseconds or not at all. What this reads it
reads as :mod:`ingest.decoders.canonical` would; everything else it leaves to that one, which says what is wrong.
"""

import math
from typing import Annotated, Final

from msgspec import UNSET, Meta, MsgspecError, Struct, UnsetType
from msgspec.json import Decoder

from fleet.batch import NO_INT, Reading
from fleet.states import NO_STATE
from ingest.decoders.base import MAX_ELEMENTS, MAX_METRICS, MAX_NAME, Context, metrics_json
from ingest.decoders.states import STATE_NAMES
from ingest.decoders.times import EARLIEST_MS, FUTURE_MS

_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Amount = Annotated[float, Meta(ge=0, le=1e12)]
_Name = Annotated[str, Meta(max_length=MAX_NAME)]
_Metric = Annotated[float, Meta(gt=-(2.0**63), lt=2.0**63)]


class _Element(Struct, gc=False, forbid_unknown_fields=True):
    at: int | UnsetType = UNSET
    state: str | UnsetType = UNSET
    utilisation: Annotated[float, Meta(ge=0, le=1)] = math.nan
    power_w: _Amount = math.nan
    energy_wh: _Amount = math.nan
    count: _Count = NO_INT
    seq: _Count = NO_INT
    boot: _Count = NO_INT
    metrics: Annotated[dict[_Name, _Metric], Meta(max_length=MAX_METRICS)] | UnsetType = UNSET


_read_one: Final = Decoder(_Element).decode
_read_many: Final = Decoder(Annotated[list[_Element], Meta(max_length=MAX_ELEMENTS)]).decode
_CODES: Final = STATE_NAMES | {UNSET: NO_STATE}
_tuple: Final = tuple.__new__


_WRONG: Final = (MsgspecError, UnicodeDecodeError)


def read(payload: bytes, context: Context) -> list[Reading] | None:
    """The readings of a payload; None when one is not so plain, or wrong."""
    try:
        reading = _reading(_read_one(payload), context)
    except _WRONG:
        return _several(payload, context) if payload[:1] == b"[" else None
    return None if reading is None else [reading]


def _several(payload: bytes, context: Context) -> list[Reading] | None:
    try:
        elements = _read_many(payload)
    except _WRONG:
        return None
    readings = [reading for element in elements if (reading := _reading(element, context)) is not None]
    return readings if len(readings) == len(elements) else None


def _reading(found: _Element, context: Context) -> Reading | None:
    at, state, power, metrics = found.at, _CODES.get(found.state), found.power_w, found.metrics
    if state is None or (power != power and _is_empty(found)):
        return None
    if at is not UNSET and not EARLIEST_MS <= at <= context.arrived_ms + FUTURE_MS:
        return None
    if context.scale_w != 1.0:
        power *= context.scale_w
    return _tuple(  # a third of what Reading(...) costs, on the hottest path there is
        Reading,
        (
            None if at is UNSET else at, state, found.utilisation, power, found.energy_wh,
            found.count, found.seq, found.boot, metrics_json(metrics) if metrics else "",
        ),
    )  # fmt: skip


def _is_empty(found: _Element) -> bool:
    """Whether a reading without power has no other quantity either."""
    without_floats = math.isnan(found.utilisation) and math.isnan(found.energy_wh)
    return without_floats and found.state is UNSET and found.count == NO_INT and found.metrics is UNSET
