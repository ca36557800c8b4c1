"""What every store shares: which rows none can keep, hours as columns, the newest of several documents."""

import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fleet.batch import NO_INT, MachineKey, ReadingBatch, Rows
from fleet.records import Document, HourBucket
from fleet.states import NO_STATE, STATES

FLOATS: Final = ("utilisation", "power_w", "energy_wh")
INTEGERS: Final = ("counter", "seq", "boot")
SECONDS: Final = tuple(f"seconds_{state.value.lower()}" for state in STATES)
"""Names of the columns that hold ``HourBucket.seconds``, in the order of the states."""
ENERGIES: Final = tuple(f"energy_{state.value.lower()}_wh" for state in STATES)
"""Names of the columns that hold ``HourBucket.energy_by_state``; none of them is there, or all."""
HOUR_FIELDS: Final = (*SECONDS, "energy_wh", "pieces", "readings", "conflicts", "resets", "power_max_w", "basis",
                      "segments", "carry", "model", *ENERGIES, "metered_s")  # fmt: skip
"""Every column of an hour but its machine and its start."""
_AFTER_SECONDS: Final = ("energy_wh", "pieces", "readings", "conflicts", "resets", "power_max_w", "basis")

_LAST_MS: Final = (2**63 - 1) // 1_000_000
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\\]+")
Objects = NDArray[np.object_]


class ArrivalClock:
    """Epoch ms that never steps back, so that a watermark never passes a dirty hour that is stamped later."""

    def __init__(self) -> None:
        self._newest = 0

    def stamp(self, at_least: int = 0) -> int:
        """Now, or the newest stamp given so far when the system's clock is behind it."""
        self._newest = max(self._newest, at_least, time.time_ns() // 1_000_000)
        return self._newest


def refused_rows(batch: ReadingBatch) -> dict[int, str]:
    """Row index -> reason, for rows that no store can keep: of impossible machines, infinite, of unknown states."""
    rows, refused = batch.rows, dict[int, str]()
    for index, key in enumerate(batch.machines):
        if not all(map(_NAME.fullmatch, key)):
            reason = f"machine {key}: names have a character or more, none of them a control character or backslash"
            refused |= {int(row): reason for row in np.flatnonzero(rows["machine"] == index)}
    for name in FLOATS:
        for row in np.flatnonzero(np.isinf(rows[name])):
            refused.setdefault(int(row), f"{name} is {rows[name][row]}: not a finite number")
    unknown = (rows["state"] >= len(STATES)) & (rows["state"] != NO_STATE)
    for row in np.flatnonzero(unknown):
        refused.setdefault(int(row), f"state is {rows['state'][row]}: the codes are 0 to {len(STATES) - 1}")
    return refused


def without_rows(batch: ReadingBatch, refused: Iterable[int]) -> tuple[ReadingBatch, NDArray[np.intp]]:
    """The batch without those rows, and the index in the whole batch of each row that is left."""
    left = np.setdiff1d(np.arange(len(batch), dtype=np.intp), np.fromiter(refused, dtype=np.intp))
    return batch.take(left), left


def machine_hours(rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each (machine index, hour's start in epoch seconds) touched, once, as two arrays sorted by machine, then hour."""
    hour = rows["at_ns"] // 3_600_000_000_000
    first = int(hour.min())
    span = int(hour.max()) - first + 1
    pairs = np.unique(rows["machine"].astype(np.int64) * span + (hour - first))
    return pairs // span, (pairs % span + first) * 3600


def key_range(start_ms: int, end_ms: int) -> tuple[int, int]:
    """``at_ns`` of the first key in, and of the first key after, the range of device times in epoch ms."""
    start, end = (min(max(ms, -_LAST_MS), _LAST_MS) for ms in (start_ms, end_ms))
    return start * 1_000_000, end * 1_000_000


def newest(documents: Iterable[Document]) -> dict[tuple[str, str, str], Document]:
    """One document a (member, machine, kind): that with the largest ``at``, the last of equals."""
    kept: dict[tuple[str, str, str], Document] = {}
    for document in documents:
        key = (document.member, document.machine, document.kind)
        if key not in kept or kept[key].at <= document.at:
            kept[key] = document
    return kept


def distinct_hours(hours: Iterable[HourBucket]) -> list[HourBucket]:
    """One bucket a (member, machine, hour): the last given."""
    return list({(bucket.member, bucket.machine, bucket.hour): bucket for bucket in hours}.values())


def segments_text(segments: Sequence[tuple[int, int]]) -> str:
    """``0:2,1200:0`` for a run of state 2 from the start and of state 0 from second 1,200."""
    return ",".join(f"{offset}:{state}" for offset, state in segments)


class SegmentTexts(dict[str, tuple[tuple[int, int], ...]]):
    """Parses texts of :func:`segments_text`, each once: most hours of a machine read alike."""

    def __missing__(self, text: str) -> tuple[tuple[int, int], ...]:
        pairs = (part.split(":") for part in text.split(",")) if text else ()
        parsed = tuple((int(offset), int(state)) for offset, state in pairs)
        self[text] = parsed
        return parsed


def hour_columns(hours: Sequence[HourBucket]) -> dict[str, Any]:
    """Every field but member and machine as a numpy column, shape (n,); what is None is masked."""
    seconds = np.array([bucket.seconds for bucket in hours], dtype=np.float64).reshape(len(hours), len(SECONDS))
    columns: dict[str, Any] = {name: np.ascontiguousarray(seconds[:, state]) for state, name in enumerate(SECONDS)}
    for name in ("hour", "readings", "conflicts", "resets"):
        columns[name] = np.array([getattr(bucket, name) for bucket in hours], dtype=np.int64)
    for name in ("energy_wh", "power_max_w"):
        values = [getattr(bucket, name) for bucket in hours]
        floats = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
        columns[name] = masked(floats, np.isnan(floats))
    pieces = np.array([NO_INT if bucket.pieces is None else bucket.pieces for bucket in hours], dtype=np.int64)
    columns["pieces"] = masked(pieces, pieces == NO_INT)
    columns |= _energies(hours)
    columns["segments"] = texts([segments_text(bucket.segments) for bucket in hours])
    for name in ("basis", "carry", "model"):
        columns[name] = texts([getattr(bucket, name) for bucket in hours])
    return columns


def _energies(hours: Sequence[HourBucket]) -> dict[str, Any]:
    nothing = (math.nan,) * len(ENERGIES)
    rows = [nothing if bucket.energy_by_state is None else bucket.energy_by_state for bucket in hours]
    energies = np.array(rows, dtype=np.float64).reshape(len(hours), len(ENERGIES))
    missing = np.isnan(energies[:, 0])
    columns = {name: masked(np.ascontiguousarray(energies[:, state]), missing) for state, name in enumerate(ENERGIES)}
    return columns | {"metered_s": np.array([bucket.metered_s for bucket in hours], dtype=np.float64)}


def texts(values: Sequence[str | None]) -> Objects:
    """A column of texts, shape (n,)."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def hour_buckets(
    machines: Sequence[MachineKey], index: NDArray[np.integer], columns: Mapping[str, Any]
) -> list[HourBucket]:
    """The inverse of :func:`hour_columns` for hours of ``machines[index]``, sorted by machine, then hour."""
    rank = {key: position for position, key in enumerate(sorted(machines))}
    order = np.lexsort((columns["hour"], np.array([rank[key] for key in machines], dtype=np.intp)[index]))
    picked = index[order].tolist()
    listed = {name: column[order].tolist() for name, column in columns.items()}
    parse = SegmentTexts()
    return list(
        map(
            HourBucket,
            [machines[machine].member for machine in picked],
            [machines[machine].machine for machine in picked],
            listed["hour"],
            zip(*(listed[name] for name in SECONDS), strict=True),
            *(listed[name] for name in _AFTER_SECONDS),
            [parse[text] for text in listed["segments"]],
            listed["carry"],
            listed["model"],
            [None if row[0] is None else row for row in zip(*(listed[name] for name in ENERGIES), strict=True)],
            [seconds or 0.0 for seconds in listed["metered_s"]],
        )
    )


def masked(column: NDArray[Any], missing: NDArray[np.bool_]) -> Any:
    """The column, what is missing masked; as it is when nothing is."""
    return np.ma.masked_array(column, missing) if missing.any() else column
