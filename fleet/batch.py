"""Readings as columns: what decoders make, the spool keeps, a store writes and the ledger folds.

A reading's key is (member, machine, ``at_ns``). ``at_ns`` is the device's time in milliseconds times 10^6 plus a hash
of the topic and of the element's content modulo 10^6: the same reading has the same key however often it arrives, and
two different readings of one millisecond have different keys. Arrival time is outside equality.
"""

import io
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


class MachineKey(NamedTuple):
    """Which machine: the slugs of its member and of itself. Ordered; used as a key everywhere."""

    member: str
    machine: str


NO_INT: Final = -(2**63)
"""Stands for "not in this reading" in integer columns; NaN does in float columns, ``NO_STATE`` in ``state``."""

READING: Final = np.dtype(
    [
        ("machine", "<u4"),  # index into ReadingBatch.machines
        ("at_ns", "<i8"),  # the key: device time in ms * 10^6 + content hash
        ("arrived_ms", "<i8"),  # epoch ms at the collector
        ("state", "u1"),  # code of fleet.states, or NO_STATE
        ("utilisation", "<f8"),  # 0..1
        ("power_w", "<f8"),  # active power, watts
        ("energy_wh", "<f8"),  # monotone energy counter, watt-hours
        ("counter", "<i8"),  # monotone counter of pieces or cycles
        ("seq", "<i8"),  # the device's own sequence number
        ("boot", "<i8"),  # which life of the device `seq` counts in
    ]
)
Rows = NDArray[np.void]
"""A structured array of dtype :data:`READING`, shape (n,)."""

QUANTITIES: Final = ("state", "utilisation", "power_w", "energy_wh", "counter")


_HOURS_BIAS: Final = 1 << 24  # hours before 1970 are negative; times of int64 nanoseconds stay within 2^22 hours
_FNV_OFFSET: Final = np.uint64(0xCBF29CE484222325)
_FNV_PRIME: Final = np.uint64(0x100000001B3)


class BatchCorrupt(ValueError):
    """The bytes are not a batch: torn, altered, or of a version this program does not know."""


class Reading(NamedTuple):
    """One decoded reading of the machine that its topic belongs to; what every decoder returns.

    ``at_ms`` is the device's time, epoch ms, or None when the payload carries none (it is stamped on arrival).
    ``metrics`` is a JSON object of further numbers with sorted keys, or "".
    """

    at_ms: int | None
    state: int = 255
    utilisation: float = math.nan
    power_w: float = math.nan
    energy_wh: float = math.nan
    counter: int = NO_INT
    seq: int = NO_INT
    boot: int = NO_INT
    metrics: str = ""


def key_ns(
    rows: Rows, at_ms: NDArray[np.int64], topic_crc: NDArray[np.uint32], metrics: Mapping[int, str]
) -> NDArray[np.int64]:
    """Key times, shape (n,), nanoseconds: ``at_ms`` * 10^6 + hash(topic, content) mod 10^6.

    The content is the row's quantities, ``seq``, ``boot`` and metrics as parsed, so one reading has one key whether it
    came alone or in an array. The hash folds the 64-bit pattern of each column by FNV-1a's xor and multiply, word-wise.
    """
    mixed = topic_crc.astype(np.uint64) ^ _FNV_OFFSET
    for name in (*QUANTITIES, "seq", "boot"):
        column = rows[name]
        if column.dtype.kind == "f":
            column = np.where(np.isnan(column), np.nan, column + 0.0)  # one bit pattern for NaN, one for zero
        elif column.dtype != np.int64:
            column = column.astype(np.int64)
        mixed = (mixed ^ column.view(np.uint64)) * _FNV_PRIME
        mixed ^= mixed >> np.uint64(29)
    if metrics:
        texts = np.zeros(len(rows), dtype=np.uint64)
        texts[list(metrics)] = [zlib.crc32(text.encode()) + 1 for text in metrics.values()]
        mixed = np.where(texts > 0, (mixed ^ texts) * _FNV_PRIME, mixed)
    key: NDArray[np.int64] = at_ms * 1_000_000 + (mixed % np.uint64(1_000_000)).astype(np.int64)
    return key


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Readings of any number of machines, in order of arrival.

    Attributes:
        machines: the machines that ``rows["machine"]`` indexes; no machine twice.
        rows: structured array of dtype ``READING``, shape (n,).
        metrics: row index -> JSON object of further numbers, for the rows that have any.
    """

    machines: tuple[MachineKey, ...]
    rows: Rows
    metrics: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: Sequence[int] | NDArray[np.intp]) -> "ReadingBatch":
        """The given rows, in the given order, with the same table of machines."""
        picked = np.asarray(indices, dtype=np.intp)
        metrics = {}
        if self.metrics:
            metrics = {new: self.metrics[old] for new, old in enumerate(picked.tolist()) if old in self.metrics}
        return ReadingBatch(self.machines, self.rows[picked], metrics)

    def part(self, start: int, end: int) -> "ReadingBatch":
        """Rows ``start`` to ``end`` - 1 with the same table of machines, not copied."""
        metrics = {row - start: text for row, text in self.metrics.items() if start <= row < end}
        return ReadingBatch(self.machines, self.rows[start:end], metrics)

    def dirty_hours(self) -> list[tuple[MachineKey, int]]:
        """Each (machine, start of the hour in epoch seconds UTC) touched, once, sorted."""
        hours = self.rows["at_ns"] // 3_600_000_000_000
        packed = np.unique((self.rows["machine"].astype(np.int64) << 32) + hours + _HOURS_BIAS)
        machines, hours = packed >> 32, (packed & 0xFFFFFFFF) - _HOURS_BIAS
        return [(self.machines[m], h * 3600) for m, h in zip(machines.tolist(), hours.tolist(), strict=True)]

    def to_bytes(self) -> bytes:
        """Self-describing form: one line of JSON, then the rows as .npy; its checksum leads."""
        head = {"v": 1, "machines": self.machines, "metrics": {str(row): text for row, text in self.metrics.items()}}
        body = io.BytesIO()
        body.write(json.dumps(head, separators=(",", ":")).encode() + b"\n")
        np.save(body, self.rows, allow_pickle=False)
        data = body.getvalue()
        return b"%08x" % zlib.crc32(data) + data

    @classmethod
    def from_bytes(cls, data: bytes) -> "ReadingBatch":
        """The inverse of :meth:`to_bytes`.

        Raises:
            BatchCorrupt: the checksum, the version or the layout is wrong.
        """
        if data[:8] != b"%08x" % zlib.crc32(data[8:]):
            raise BatchCorrupt("the checksum of the batch does not match its content")
        line, _, rest = data[8:].partition(b"\n")
        head: dict[str, Any] = json.loads(line)
        if head.get("v") != 1:
            raise BatchCorrupt(f"the batch is of version {head.get('v')!r}; this program reads version 1")
        rows = np.load(io.BytesIO(rest), allow_pickle=False)
        if rows.dtype != READING:
            raise BatchCorrupt("the columns of the batch are not those of version 1")
        machines = tuple(MachineKey(member, machine) for member, machine in head["machines"])
        return cls(machines, rows, {int(row): text for row, text in head["metrics"].items()})


def empty_rows(count: int) -> Rows:
    """``count`` rows in which every quantity is missing and key, machine and arrival are 0."""
    rows = np.zeros(count, dtype=READING)
    rows["state"] = 255
    for name in ("utilisation", "power_w", "energy_wh"):
        rows[name] = np.nan
    for name in ("counter", "seq", "boot"):
        rows[name] = NO_INT
    return rows
