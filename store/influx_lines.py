"""InfluxDB line protocol, written from columns and read back from the columns of InfluxQL's CSV. Pure.

The escaped beginning of its lines is made once a machine, and one format per pattern of present fields: what is left
for a line is half a microsecond. A missing quantity is an absent field.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleet.batch import NO_INT, MachineKey, ReadingBatch, empty_rows
from fleet.records import Document, HourBucket
from fleet.states import NO_STATE, STATES
from store import columns as shared
from store.base import DirtyHour

READING_FIELDS: Final = ("arrived", "state", *shared.FLOATS, *shared.INTEGERS, "metrics")
HOUR_FIELDS: Final = (*shared.HOUR_FIELDS, "absent")
"""``absent`` names the fields that are None: a left-out field would keep the value of an earlier write of the hour."""

_ALONE: Final = np.array([state.value for state in STATES], dtype=object)
_HOUR_FORMAT: Final = "%s" + ",".join(
    [f"{name}=%r" for name in (*shared.SECONDS, *shared.ENERGIES, "metered_s", "energy_wh")]
    + [f"{name}=%di" for name in ("pieces", "readings", "conflicts", "resets")]
    + ["power_max_w=%r"]
    + [f'{name}="%s"' for name in ("basis", "segments", "carry", "model", "absent")]
) + " %d"  # fmt: skip
_NO_ENERGY: Final = (0.0,) * len(shared.ENERGIES)
_TAG_ESCAPES: Final = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_FIELD_ESCAPES: Final = str.maketrans({'"': r"\"", "\\": r"\\"})
_MINUTE_MS: Final = 60_000


def tags(key: MachineKey, kind: str = "") -> str:
    """The escaped tag set, as lines carry it and InfluxQL's CSV gives it back; empty ones are left out."""
    pairs = (("kind", kind), ("machine", key.machine), ("member", key.member))
    return ",".join(f"{name}={value.translate(_TAG_ESCAPES)}" for name, value in pairs if value)


def parse_tags(text: str) -> dict[str, str]:
    """The inverse of :func:`tags`."""
    pairs = (re.split(r"(?<!\\)=", pair, maxsplit=1) for pair in re.split(r"(?<!\\),", text) if pair)
    return {name: re.sub(r"\\([,= ])", r"\1", value) for name, value in pairs}


@lru_cache(maxsize=100_000)
def machine_of(text: str) -> MachineKey:
    """The machine of a tag set."""
    found = parse_tags(text)
    return MachineKey(found.get("member", ""), found.get("machine", ""))


class Block(NamedTuple):
    """Lines of measurement ``readings`` of one member, joined by newlines, none of which is inside a line.

    ``rows`` are the rows of the batch that the lines are, in their order.
    """

    member: str
    text: str
    rows: NDArray[np.intp]


def reading_lines(batch: ReadingBatch, at_once: int) -> list[Block]:
    """Every row as a line, in blocks of at most ``at_once`` of them.

    One ``%`` makes a whole run of lines with the same fields: a third faster than one a line.
    """
    pattern, columns = _present(batch)
    prefixes = _prefixes("readings", batch.machines)
    blocks = []
    for member, part in _by_member(batch):
        for first in range(0, len(part), at_once):
            rows = part[first : first + at_once]
            runs = [rows[pattern[rows] == bits] for bits in np.unique(pattern[rows])]
            texts = [_run(batch, run, int(pattern[run[0]]), columns, prefixes) for run in runs]
            blocks.append(Block(member, "\n".join(texts), np.concatenate(runs)))
    return blocks


def _run(
    batch: ReadingBatch,
    chosen: NDArray[np.intp],
    bits: int,
    columns: Sequence[tuple[str, NDArray[Any]]],
    prefixes: NDArray[np.object_],
) -> str:
    """The lines of rows that have the same fields."""
    rows = batch.rows
    fields = [column for bit, column in enumerate(columns) if bits & (1 << bit)]
    layout = "%sarrived=%di" + "".join(form for form, _ in fields) + " %d"
    values = [rows["arrived_ms"], *(values for _, values in fields), rows["at_ns"]]
    every = zip(prefixes[rows["machine"][chosen]], *(column[chosen].tolist() for column in values), strict=True)
    return "\n".join([layout] * len(chosen)) % tuple(chain.from_iterable(every))


def _present(batch: ReadingBatch) -> tuple[NDArray[np.int64], list[tuple[str, NDArray[Any]]]]:
    """Which fields each row has, as bits, and by bit the form and the values of the field."""
    rows, columns = batch.rows, list[tuple[str, NDArray[Any]]]()
    pattern = (rows["state"] != NO_STATE).astype(np.int64)
    columns.append((',state="%s"', _ALONE[np.minimum(rows["state"], len(STATES) - 1)]))
    for name in shared.FLOATS:
        pattern |= (~np.isnan(rows[name])).astype(np.int64) << len(columns)
        columns.append((f",{name}=%r", rows[name]))
    for name in shared.INTEGERS:
        pattern |= (rows[name] != NO_INT).astype(np.int64) << len(columns)
        columns.append((f",{name}=%di", rows[name]))
    metrics = np.full(len(rows), "", dtype=object)
    for row, text in batch.metrics.items():
        metrics[row] = text.translate(_FIELD_ESCAPES)
        pattern[row] |= bool(text) << len(columns)
    columns.append((',metrics="%s"', metrics))
    return pattern, columns


def _by_member(batch: ReadingBatch) -> list[tuple[str, NDArray[np.intp]]]:
    """The rows of each member that has some, in order."""
    members = sorted({key.member for key in batch.machines})
    place = {member: index for index, member in enumerate(members)}
    member = np.array([place[key.member] for key in batch.machines], dtype=np.intp)[batch.rows["machine"]]
    order = np.argsort(member, kind="stable")
    bounds = np.searchsorted(member[order], np.arange(len(members) + 1))
    parts = [(name, order[bounds[index] : bounds[index + 1]]) for index, name in enumerate(members)]
    return [(name, part) for name, part in parts if len(part)]


def _prefixes(measurement: str, machines: Sequence[MachineKey]) -> NDArray[np.object_]:
    return shared.texts([f"{measurement},{tags(key)} " for key in machines])


def dirty_lines(batch: ReadingBatch, arrived_ms: int) -> list[str]:
    """Measurement ``dirty``: one point a machine, hour and minute of arrival, which later arrivals of it replace.

    Its time is the minute of arrival plus as many nanoseconds as the hour is hours after 1970, so that the hours of a
    minute do not replace one another, and what arrived since an instant is a range of time.
    """
    machine, hour = shared.machine_hours(batch.rows)
    prefixes = _prefixes("dirty", batch.machines)[machine]
    minute = arrived_ms // _MINUTE_MS * _MINUTE_MS * 1_000_000
    return [
        f"{prefix}arrived={arrived_ms}i,hour={start}i {minute + start // 3600 % (_MINUTE_MS * 1_000_000)}"
        for prefix, start in zip(prefixes, hour.tolist(), strict=True)
    ]


def dirty_since_ns(since_ms: int) -> int:
    """Earliest time of a point of :func:`dirty_lines` that may have arrived at or after ``since_ms``."""
    return max(since_ms, 0) // _MINUTE_MS * _MINUTE_MS * 1_000_000


def hour_lines(hours: Iterable[HourBucket]) -> list[str]:
    """Measurement ``hours``, every field of every bucket."""
    lines = []
    for bucket in hours:
        optional = {name: getattr(bucket, name) for name in ("energy_wh", "pieces", "power_max_w", "energy_by_state")}
        absent = " ".join(name for name, value in optional.items() if value is None)
        texts = (bucket.basis, shared.segments_text(bucket.segments), bucket.carry, bucket.model, absent)
        values = (
            f"hours,{tags(bucket.key)} ", *map(float, (*bucket.seconds, *(bucket.energy_by_state or _NO_ENERGY))),
            float(bucket.metered_s), float(bucket.energy_wh or 0), bucket.pieces or 0, bucket.readings,
            bucket.conflicts, bucket.resets, float(bucket.power_max_w or 0),
            *(text.translate(_FIELD_ESCAPES) for text in texts), bucket.hour * 1_000_000_000,
        )  # fmt: skip
        lines.append(_HOUR_FORMAT % values)
    return lines


def document_tags(document: Document) -> str:
    """The escaped tag set of a document."""
    return tags(MachineKey(document.member, document.machine), document.kind)


def document_line(document: Document) -> str:
    """Measurement ``documents``: one point a (member, machine, kind), always at time 0, so that the newest is all."""
    body = document.body.translate(_FIELD_ESCAPES)
    return f'documents,{document_tags(document)} at={document.at}i,body="{body}" 0'


Columns = Mapping[str, Sequence[str]]
"""Column name -> texts, as InfluxQL's CSV gives them; always has ``tags`` and ``time``."""


def readings_of(machines: Sequence[MachineKey], columns: Columns) -> ReadingBatch:
    """Columns of ``READING_FIELDS`` as a batch, ordered by machine as given, then key."""
    rows = empty_rows(len(columns["time"]))
    place = {tags(key): index for index, key in enumerate(machines)}
    rows["machine"] = [place.get(text, len(machines)) for text in columns["tags"]]
    rows["at_ns"] = integers(columns["time"])
    rows["arrived_ms"] = integers(columns["arrived"], 0)
    codes = {state.value: code for code, state in enumerate(STATES)}
    rows["state"] = [codes.get(text, NO_STATE) for text in columns["state"]]
    for name in shared.FLOATS:
        rows[name] = floats(columns[name])
    for name in shared.INTEGERS:
        rows[name] = integers(columns[name])
    order = np.lexsort((rows["at_ns"], rows["machine"]))
    order = order[rows["machine"][order] < len(machines)]
    texts = columns["metrics"]
    metrics = {place: texts[row] for place, row in enumerate(order.tolist()) if texts[row]} if any(texts) else {}
    return ReadingBatch(tuple(machines), rows[order], metrics)


def hours_of(columns: Columns, machines: Iterable[MachineKey] | None = None) -> list[HourBucket]:
    """Columns of ``HOUR_FIELDS`` as buckets of the machines (None: of all), sorted by machine, then hour."""
    keys = {key: index for index, key in enumerate(sorted(set(map(machine_of, columns["tags"]))))}
    number = (*shared.SECONDS, "energy_wh", "power_max_w", *shared.ENERGIES, "metered_s")
    found: dict[str, Any] = {name: floats(columns[name]) for name in number}
    found |= {name: integers(columns[name]) for name in ("pieces", "readings", "conflicts", "resets")}
    found |= {name: shared.texts(columns[name]) for name in ("basis", "segments", "carry", "model")}
    found["hour"] = integers(columns["time"]) // 1_000_000_000
    absent = np.array(columns["absent"], dtype=object)
    for name in ("energy_wh", "pieces", "power_max_w"):
        missing = [name in text.split() for text in absent]
        found[name] = shared.masked(found[name], np.array(missing, dtype=np.bool_))
    split = np.array(["energy_by_state" not in text.split() for text in absent], dtype=np.bool_)
    for name in (*shared.ENERGIES, "metered_s"):  # no field of theirs in hours of earlier programs
        found[name] = shared.masked(found[name], np.isnan(found[name]) | ~split)
    index = np.array([keys[machine_of(text)] for text in columns["tags"]], dtype=np.intp)
    buckets = shared.hour_buckets(list(keys), index, found)
    wanted = keys.keys() if machines is None else set(machines)
    return buckets if keys.keys() <= wanted else [bucket for bucket in buckets if bucket.key in wanted]


def dirty_of(columns: Columns) -> list[DirtyHour]:
    """Columns ``hour`` and ``arrived`` as dirty hours, each once with its newest arrival, oldest first."""
    newest: dict[tuple[str, str], int] = {}
    for text, hour, arrived in zip(columns["tags"], columns["hour"], columns["arrived"], strict=True):
        newest[text, hour] = max(newest.get((text, hour), 0), int(arrived))
    found = [DirtyHour(machine_of(text), int(hour), arrived) for (text, hour), arrived in newest.items()]
    return sorted(found, key=lambda dirty: (dirty.arrived_ms, dirty.machine, dirty.hour))


def documents_of(columns: Columns) -> list[Document]:
    """Columns ``at`` and ``body`` as documents that are not withdrawn, sorted by machine, then kind."""
    found = []
    for text, at, body in zip(columns["tags"], columns["at"], columns["body"], strict=True):
        if body:
            key, kind = machine_of(text), parse_tags(text)["kind"]
            found.append(Document(member=key.member, machine=key.machine, kind=kind, at=int(at), body=body))
    return sorted(found, key=lambda document: (document.member, document.machine, document.kind))


def floats(texts: Sequence[str]) -> NDArray[np.float64]:
    """NaN where there is no text."""
    if not any(texts):
        return np.full(len(texts), np.nan)
    return np.array([text or "nan" for text in texts], dtype=object).astype(np.float64)


def integers(texts: Sequence[str], missing: int = NO_INT) -> NDArray[np.int64]:
    """``missing`` where there is no text."""
    if not any(texts):
        return np.full(len(texts), missing, dtype=np.int64)
    return np.array([int(text) if text else missing for text in texts], dtype=np.int64)
