"""What every decoder is given and what it may say is wrong; the contract of ``decode``.

``decode(topic, payload, context) -> list[Reading]`` is a pure function: no clock, no store, no environment. An empty
list says "well formed, and nothing here that is a reading". It raises :class:`DecodeError` and nothing else for what is
wrong with a payload; the good readings of the same payload travel with the error.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple, Protocol

from fleet.batch import Reading

MAX_PAYLOAD: Final = 1_048_576  # bytes; senders keep arrays below 16 kB
MAX_ELEMENTS: Final = 20_000  # readings in one array
MAX_METRICS: Final = 256  # further numbers of one reading
MAX_NAME: Final = 128  # characters of the name of one
SHOWN: Final = 100  # characters of a wrong value that are kept
RULE_SHOWN: Final = 400


class Fault(NamedTuple):
    """One thing that is wrong: which field, its value, the rule it breaks.

    Attributes:
        reason: one word, for counting: ``json``, ``shape``, ``type``, ``number``, ``range``, ``time``, ``future``,
            ``state``, ``channel``, ``empty``, ``too_large``, ``topic``, ``format``.
        field: dotted path inside the payload or element, "" for the whole; at most ``SHOWN`` characters.
        value: what stood there, at most ``SHOWN`` characters.
        rule: what should have stood there.
        element: position in the array, None when the payload is no array.
    """

    reason: str
    field: str
    value: str
    rule: str
    element: int | None = None


class DecodeError(ValueError):
    """The payload, or a part of it, cannot be read.

    Attributes:
        faults: what is wrong, in the payload's order; at least one.
        readings: the good readings of the same payload, to be kept.
        numbers: (boot, seq) of readings that were refused: they came, and are not missing.
    """

    def __init__(self, reason: str, field: str = "", value: object = "", rule: str = "") -> None:
        self.faults: tuple[Fault, ...] = (Fault(reason, field[:SHOWN], show(value), rule[:RULE_SHOWN]),)
        self.readings: list[Reading] = []
        self.numbers: list[tuple[int, int]] = []
        super().__init__(str(self))

    @classmethod
    def of(cls, faults: Sequence[Fault], readings: Sequence[Reading] = ()) -> "DecodeError":
        """An error of several faults, beside the readings that are good."""
        first = faults[0]
        error = cls(first.reason, first.field, first.value, first.rule)
        # A device chooses the names of its fields: what is kept and published of them is bounded.
        error.faults = tuple(
            fault._replace(field=fault.field[:SHOWN], rule=fault.rule[:RULE_SHOWN])
            if len(fault.field) > SHOWN or len(fault.rule) > RULE_SHOWN
            else fault
            for fault in faults
        )
        error.readings = list(readings)
        return error

    def __str__(self) -> str:
        reason, name, value, rule, element = self.faults[0]
        where = ("" if element is None else f"element {element}: ") + (f"{name}: " if name else "")
        return f"{where}{value or reason}: {rule}" + (f" (and {len(self.faults) - 1} more)" if self.faults[1:] else "")


@dataclass(frozen=True, slots=True)
class Context:
    """What a decoder knows beside topic and payload.

    Attributes:
        arrived_ms: when the message arrived, epoch ms; only to judge device times by.
        timezone: of device times without an offset.
        channel: which part of a payload with several channels; None for the whole or the only one.
        scale_w: factor from the sent power to watts.
        notes: filled by the decoder: ``ignored_fields``, ``quiet`` (counts), ``claims`` (names found in the payload
            of a member or machine, as (kind, name): the topic wins, the caller compares).
    """

    arrived_ms: int
    timezone: tzinfo = UTC
    channel: str | None = None
    scale_w: float = 1.0
    notes: dict[str, Any] = field(default_factory=dict)

    def note(self, name: str, count: int = 1) -> None:
        """Count something that is no error."""
        self.notes[name] = self.notes.get(name, 0) + count


class Decode(Protocol):
    """A decoder.

    Raises:
        DecodeError: what is wrong with the payload.
    """

    def __call__(self, topic: str, payload: bytes, context: Context) -> list[Reading]: ...


def show(value: object) -> str:
    """A value as it is kept beside a fault: JSON words for what came from JSON, cut to ``SHOWN`` characters."""
    if isinstance(value, bytes):
        value = value[:SHOWN].decode("utf-8", "replace")
    elif value is True or value is False or value is None:
        value = {True: "true", False: "false", None: "null"}[value]
    elif isinstance(value, int) and abs(value) >= 10**SHOWN:
        value = "an integer of more than 100 digits"
    elif isinstance(value, float) and not math.isfinite(value):
        value = "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
    text = value if isinstance(value, str) else json.dumps(value, default=repr, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def refuse_unreadable(payload: bytes) -> None:
    """Raise for payloads that no decoder of JSON should touch: too large, or compressed."""
    if len(payload) > MAX_PAYLOAD:
        raise DecodeError("too_large", "", f"{len(payload)} bytes", f"at most {MAX_PAYLOAD} bytes")
    if payload[:2] == b"\x1f\x8b":
        raise DecodeError("json", "", "gzip", "plain JSON; compressed payloads are not unpacked")


def metrics_json(metrics: Mapping[str, float]) -> str:
    """Further numbers as they are kept: a JSON object with sorted keys."""
    return json.dumps(metrics, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
