"""Canonical JSON: one reading, or an array of readings.

``{"at": RFC 3339 with offset or epoch ms, "state"?, "utilisation"?: 0..1, "power_w"?: >= 0, "energy_wh"?: >= 0,
"count"?: >= 0, "seq"?, "boot"?, "metrics"?: {name: number}}``. At least one quantity. Without ``at`` the reading is
stamped on arrival. Numbers are numbers: text, true, NaN and infinities are refused. Power is consumption: a negative
one is refused, since it means a clamp turned round, or generation. A wrong field is refused by name and the other
quantities of the reading are kept; a wrong ``at`` refuses the whole reading. Unknown fields are ignored and counted;
``member`` and ``machine`` never win over the topic.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import ConfigDict, FailFast, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails, from_json
from typing_extensions import TypedDict

from fleet.batch import NO_INT, Reading
from fleet.states import NO_STATE
from ingest.decoders import canonical_quick
from ingest.decoders.base import (
    MAX_ELEMENTS,
    MAX_METRICS,
    MAX_NAME,
    MAX_PAYLOAD,
    Context,
    DecodeError,
    Fault,
    metrics_json,
    refuse_unreadable,
    show,
)
from ingest.decoders.states import STATE_NAMES, state_code
from ingest.decoders.times import EARLIEST_MS, FUTURE_MS, device_ms

MAX_FAULTY: Final = 500
"""Reading a wrong element carefully takes 17 µs: one array must not hold up the other members' messages."""
_FINITE: Final = {"strict": True, "allow_inf_nan": False}
_LARGEST: Final = 2**63 - 1
_Count = Annotated[int, Field(strict=True, ge=0, le=_LARGEST)]
_Amount = Annotated[float, Field(**_FINITE, ge=0, le=1e12)]
_Metric = Annotated[float, Field(**_FINITE, gt=-(2.0**63), lt=2.0**63)]


@with_config(ConfigDict(extra="allow"))
class _Element(TypedDict, total=False):
    at: Any
    state: Annotated[str, Field(strict=True)]
    utilisation: Annotated[float, Field(**_FINITE, ge=0, le=1)]
    power_w: _Amount
    energy_wh: _Amount
    count: _Count
    seq: _Count
    boot: _Count
    metrics: Annotated[dict[Annotated[str, Field(max_length=MAX_NAME)], _Metric], Field(max_length=MAX_METRICS)]


_one: Final = TypeAdapter(_Element)
_many: Final = TypeAdapter(Annotated[list[_Element], FailFast(), Field(max_length=MAX_ELEMENTS)])
_read_one: Final = _one.validator.validate_json
_read_many: Final = _many.validator.validate_json
_KNOWN: Final = frozenset(_Element.__annotations__)
_QUANTITIES: Final = _KNOWN - {"at", "seq", "boot"}
_EMPTY: Final = "at least one of state, utilisation, power_w, energy_wh, count, metrics"
_NAN: Final = math.nan
_tuple: Final = tuple.__new__


def decode(topic: str, payload: bytes, context: Context) -> list[Reading]:  # noqa: ARG001 - every decoder has the topic
    """The readings of one message.

    Raises:
        DecodeError: by field and, in an array, by index; it carries the good readings.
    """
    if len(payload) <= MAX_PAYLOAD:
        readings = canonical_quick.read(payload, context)
        if readings is not None:
            return readings
        try:
            if payload[:1] == b"{":
                return [_reading(_read_one(payload), context)]
            if payload[:1] == b"[":
                return [_reading(element, context) for element in _read_many(payload)]
        except (ValidationError, DecodeError):
            context.notes.clear()  # the careful reading below counts again
    return _carefully(payload, context)


def _reading(found: Mapping[str, Any], context: Context) -> Reading:
    get = found.get
    at = get("at")
    if type(at) is not int or not EARLIEST_MS <= at <= context.arrived_ms + FUTURE_MS:
        at = None if at is None and "at" not in found else device_ms(at, "at", context.arrived_ms)
    name = get("state")
    state = NO_STATE if name is None else STATE_NAMES.get(name)
    if state is None:
        state = state_code(name, "state")
    power = get("power_w", _NAN)
    if context.scale_w != 1.0:
        power *= context.scale_w
    if not _KNOWN.issuperset(found):
        _note_unknown(found, context)
    metrics = get("metrics")
    if _QUANTITIES.isdisjoint(found):
        raise DecodeError("empty", "", "", _EMPTY)
    return _tuple(  # a third of what Reading(...) costs, on the hottest path there is
        Reading,
        (
            at, state, get("utilisation", _NAN), power, get("energy_wh", _NAN), get("count", NO_INT),
            get("seq", NO_INT), get("boot", NO_INT), metrics_json(metrics) if metrics else "",
        ),
    )  # fmt: skip


def _note_unknown(found: Mapping[str, Any], context: Context) -> None:
    for field in found.keys() - _KNOWN:
        if field in ("member", "machine"):
            context.notes.setdefault("claims", []).append((field, show(found[field])))
        else:
            context.note("ignored_fields")


def _carefully(payload: bytes, context: Context) -> list[Reading]:
    """The slow way, taken only when something is wrong: every element by itself, every field by itself."""
    refuse_unreadable(payload)
    try:
        document = from_json(payload)
    except ValueError as error:
        raise DecodeError("json", "", payload, f"JSON in UTF-8: {error}") from None
    single = not isinstance(document, list)
    elements = [document] if single else document
    if len(elements) > MAX_ELEMENTS:
        raise DecodeError("too_large", "", f"{len(elements)} elements", f"at most {MAX_ELEMENTS} readings in an array")
    readings: list[Reading] = []
    faults: list[Fault] = []
    refused: list[object] = []
    faulty = 0
    for index, element in enumerate(elements):
        reading, wrong = _element(element, context)
        if reading is not None:
            readings.append(reading)
        else:
            refused.append(element)
        faults += wrong if single else [fault._replace(element=index) for fault in wrong]
        faulty += bool(wrong)
        if faulty == MAX_FAULTY and index + 1 < len(elements):
            rest = f"the rest of an array of which {MAX_FAULTY} elements are refused is refused unread"
            faults += [Fault("too_many", "", "", rest, left) for left in range(index + 1, len(elements))]
            refused += elements[index + 1 :]
            break
    if faults:
        refusal = DecodeError.of(faults, readings)
        refusal.numbers = [number for element in refused for number in _numbers(element)]
        raise refusal
    return readings


def _numbers(raw: object) -> list[tuple[int, int]]:
    """(boot, seq) of an element, if it has a number."""
    seq, boot = (raw.get("seq"), raw.get("boot", NO_INT)) if isinstance(raw, dict) else (None, None)
    if type(seq) is not int or type(boot) is not int or not 0 <= seq <= _LARGEST or boot > _LARGEST:
        return []
    return [(boot, seq)]


def _element(raw: object, context: Context) -> tuple[Reading | None, list[Fault]]:
    if not isinstance(raw, dict):
        return None, [Fault("shape", "", show(raw), "an object, or an array of objects")]
    faults = []
    try:
        _one.validate_python(raw)
    except ValidationError as error:
        faults = [_fault(details) for details in error.errors(include_url=False, include_context=True)]
    clean = _without(raw, {fault.field for fault in faults})
    for field, check in (("state", _check_state), ("at", _check_at)):
        if field in clean:
            try:
                check(clean[field], context)
            except DecodeError as error:
                faults += error.faults
                del clean[field]
    if any(fault.field == "at" for fault in faults) or _QUANTITIES.isdisjoint(clean):
        _note_unknown(raw, context)
        return None, faults or [Fault("empty", "", "", _EMPTY)]
    return _reading(_one.validate_python(clean), context), faults


def _check_state(value: Any, context: Context) -> None:  # noqa: ARG001 - one signature for both checks
    state_code(value, "state")


def _check_at(value: Any, context: Context) -> None:
    device_ms(value, "at", context.arrived_ms)


def _without(raw: dict[str, Any], bad: set[str]) -> dict[str, Any]:
    clean = {field: value for field, value in raw.items() if field not in bad}
    if isinstance(metrics := clean.get("metrics"), dict):
        clean["metrics"] = {name: value for name, value in metrics.items() if f"metrics.{name}" not in bad}
        if not clean["metrics"]:
            del clean["metrics"]
    return clean


_RULES: Final = {
    "float_type": ("type", "a number, not text, true or false"),
    "int_type": ("type", "a whole number, not text, true or false"),
    "string_type": ("type", "text"),
    "dict_type": ("type", "an object"),
    "finite_number": ("number", "finite: NaN and Infinity are no readings"),
    "too_long": ("range", f"at most {MAX_METRICS} metrics"),
}


def _fault(details: ErrorDetails) -> Fault:
    field = ".".join(str(part) for part in details["loc"] if part != "[key]")
    if details["loc"][-1] == "[key]":
        return Fault("too_large", field, "", f"a name of at most {MAX_NAME} characters")
    if details["type"] in ("less_than_equal", "less_than") and abs(details["ctx"].get("le", 0)) == _LARGEST:
        return Fault("range", field, show(details["input"]), "at most 64 bits")
    limits = [
        f"{words} {details['ctx'][name]:.15g}" for name, words in _LIMITS.items() if name in details.get("ctx", {})
    ]
    reason, rule = _RULES.get(details["type"], ("range", limits[0] if limits else details["msg"]))
    return Fault(reason, field, show(details["input"]), rule)


_LIMITS: Final = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
