"""From readings, one after the other, to a batch of columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleet.batch import READING, MachineKey, Reading, ReadingBatch, key_ns
from fleet.registry import Route
from ingest.decoders import Decode
from ingest.decoders.ahead import corrected
from ingest.keys import set_apart

_COLUMNS: Final = tuple(Reading._field_defaults.items())[:-1]  # name and "missing" of each number; metrics apart
_PER_MS: Final = 1_000_000  # key times are nanoseconds


class Target:
    """A machine that a topic feeds, and how its payloads are read.

    Attributes:
        machine: index of ``key`` among the machines of the gathering.
        options: time zone, channel and scale of the decoder's context; ``spec`` names them, with a hash that is cached.
    """

    __slots__ = ("crc", "decode", "key", "machine", "options", "spec")

    def __init__(self, route: Route, machine: int, crc: int, decode: Decode) -> None:
        self.key = route.key
        self.machine = machine
        self.crc = crc
        self.decode = corrected(decode, round(route.clock_ahead_s * 1000)) if route.clock_ahead_s else decode
        self.options = (route.timezone, route.channel, route.scale_w)
        self.spec = repr(self.options)


class Runs(NamedTuple):
    """Rows put in order by an integer column: a run for each value.

    Attributes:
        values: each once, ascending, shape (k,).
        order: indices of the rows, by value and then as they stand, shape (n,).
        starts, ends: of the runs in ``order``, shape (k,).
    """

    values: NDArray[np.intp]
    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]

    @classmethod
    def of(cls, column: NDArray[np.integer[Any]]) -> "Runs":
        """The runs of a column, which has one value at least."""
        order = np.argsort(column, kind="stable")
        ordered = column[order].astype(np.intp, copy=False)
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        return cls(ordered[starts], order, starts, np.append(starts[1:], len(order)))


class Stamps:
    """Keys of readings without a time of their own: the millisecond of arrival, and a count instead of a hash.

    A device's backlog comes in a few milliseconds. By a hash of the content two in a thousand readings of a machine
    that arrive in one millisecond would share a key, and one of them be taken for the other; a count also keeps order.
    """

    def __init__(self) -> None:
        self._next = 0

    def keys(self, arrived_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Key times of readings that arrived at these times, epoch ms, in this order; shape (n,), nanoseconds."""
        if self._next + len(arrived_ms) > _PER_MS:
            self._next = 0
        counts = np.arange(self._next, self._next + len(arrived_ms)) % _PER_MS
        self._next += len(arrived_ms)
        return arrived_ms * _PER_MS + counts


@dataclass(slots=True)
class Columns:
    """Readings gathered row by row: the reading, its machine, its topic's checksum; and for runs of rows (the count of
    rows so far) their arrival, epoch ms. A reading without a time is stamped on arrival.
    """

    stamps: Stamps
    readings: list[Reading] = field(default_factory=list)
    machine: list[int] = field(default_factory=list)
    crc: list[int] = field(default_factory=list)
    arrived: list[tuple[int, int]] = field(default_factory=list)

    def extend(self, readings: Sequence[Reading], target: Target) -> None:
        """Add readings of one message."""
        self.readings += readings
        self.machine += [target.machine] * len(readings)
        self.crc += [target.crc] * len(readings)

    def arrive(self, arrived_ms: int) -> None:
        """All readings since the last call arrived at that time."""
        self.arrived.append((len(self.readings), arrived_ms))

    def batch(self, machines: Sequence[MachineKey]) -> tuple[ReadingBatch, NDArray[np.intp]] | None:
        """Everything gathered as a batch, keyed, and the indices of its machines; None of nothing."""
        if not self.readings:
            return None
        at, *columns, texts = zip(*self.readings, strict=True)
        rows = np.empty(len(at), dtype=READING)
        for (name, missing), column in zip(_COLUMNS, columns, strict=True):
            # Most columns of a burst are wholly missing; counting identical objects costs less than converting them.
            rows[name] = missing if column.count(missing) == len(at) else column
        ends, times = zip(*self.arrived, strict=True)
        rows["arrived_ms"] = np.repeat(np.array(times, dtype=np.int64), np.diff(ends, prepend=0))
        runs = Runs.of(np.array(self.machine, dtype=np.intp))
        rows["machine"][runs.order] = np.repeat(np.arange(len(runs.values)), runs.ends - runs.starts)
        metrics = {row: text for row, text in enumerate(texts) if text} if any(texts) else {}
        stamped = [row for row, time in enumerate(at) if time is None] if None in at else []
        known = [time or 0 for time in at] if stamped else at
        crc = np.array(self.crc, dtype=np.uint32)
        rows["at_ns"] = key_ns(rows, np.array(known, dtype=np.int64), crc, metrics)
        if stamped:
            rows["at_ns"][stamped] = self.stamps.keys(rows["arrived_ms"][stamped])
        set_apart(rows, crc, metrics)
        return ReadingBatch(tuple([machines[index] for index in runs.values.tolist()]), rows, metrics), runs.values
