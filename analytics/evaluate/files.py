"""Readers of the files that users bring: intervals, observed, readings; CSV with a header, UTF-8, commas.

Times are ISO 8601; one without an offset is local time of the timezone given. Other columns are ignored. Every error
names the file, the line, the field, the value and the rule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.evaluate.rows import FileProblem, counter, instant, name_of, number, rows_of, state_of, zone_of
from analytics.spans import Spans, both, nothing, total, united, without
from fleet.batch import NO_INT
from fleet.records import HOUR_SECONDS
from fleet.states import BUSY, NO_STATE, UNKNOWN, USED

ALL_MACHINES: Final = "*"
QUIET_DAYS: Final = 7.0
"""Days without any interval of any machine that a person is told of: a closure, or a gap in the recording."""
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Intervals:
    """An intervals or observed file.

    Attributes:
        path: where it was read.
        spans: machine -> state code -> united spans; an observed file has everything under state 0.
        rows: lines of data read.
        empty: of them, intervals of no length, ignored.
        overlapping: of them, intervals that another one of the machine and state overlaps, united.
    """

    path: Path
    spans: dict[str, dict[int, Spans]]
    rows: int
    empty: int
    overlapping: int

    @property
    def machines(self) -> list[str]:
        """Names of the machines, sorted; never ``*``."""
        return sorted(name for name in self.spans if name != ALL_MACHINES)

    def of(self, machine: str, codes: frozenset[int] | None = None) -> Spans:
        """The machine's spans in any of the states (None: in any), those of ``*`` included."""
        found = [nothing()]
        for name in (machine, ALL_MACHINES):
            states = self.spans.get(name, {})
            found += [spans for code, spans in states.items() if codes is None or code in codes]
        return united(np.concatenate(found))

    def extent(self) -> tuple[float, float]:
        """First start and last end of the file, epoch seconds."""
        edges = np.concatenate([spans.ravel() for states in self.spans.values() for spans in states.values()])
        return float(edges.min()), float(edges.max())

    def notes(self) -> list[str]:
        """What a person should know of how the file was read."""
        notes = []
        if self.empty:
            notes.append(f"{self.path.name}: {self.empty} of {self.rows} intervals are empty; they were ignored")
        if self.overlapping:
            notes.append(f"{self.path.name}: {self.overlapping} of {self.rows} intervals overlap; they were united")
        return notes


class Timeline(NamedTuple):
    """One machine of a recording, epoch seconds: busy and used lie inside observed."""

    busy: Spans
    used: Spans
    observed: Spans


def timelines(intervals: Intervals, observed: Intervals | None) -> dict[str, Timeline]:
    """Busy, used and observed time of every machine of both files, sorted by name.

    Without an observed file the whole extent of the intervals counts as observed; time in UNKNOWN never does.
    """
    names = sorted({*intervals.machines, *(observed.machines if observed else ())})
    whole = united([intervals.extent()])
    lines = {}
    for name in names:
        alive = without(observed.of(name) if observed else whole, intervals.of(name, frozenset({UNKNOWN})))
        lines[name] = Timeline(both(intervals.of(name, BUSY), alive), both(intervals.of(name, USED), alive), alive)
    return lines


def silence_notes(intervals: Intervals, observed: Intervals | None) -> list[str]:
    """What a person should know of how unobserved time was taken."""
    return _taken_as_idle(intervals) if observed is None else _left_out(intervals, observed)


def _taken_as_idle(intervals: Intervals) -> list[str]:
    notes = ["no --observed file: silence was taken as idle, which flatters every figure"]
    every = united(np.concatenate([intervals.of(name) for name in intervals.machines] or [intervals.of(ALL_MACHINES)]))
    gaps = without(united([intervals.extent()]), every)
    lengths = np.diff(gaps, axis=1).ravel() / _DAY_S
    for place in np.flatnonzero(lengths >= QUIET_DAYS).tolist():
        first, last = (datetime.fromtimestamp(float(at), UTC).date() for at in gaps[place])
        notes.append(
            f"{intervals.path.name}: no machine has an interval from {first} to {last} ({lengths[place]:.0f} days); it"
            " counts as idle, so if nothing was recorded then, tell so with --observed"
        )
    return notes


def _left_out(intervals: Intervals, observed: Intervals) -> list[str]:
    notes = []
    unseen = [name for name in intervals.machines if not len(observed.of(name))]
    if unseen:
        names = ", ".join(unseen[:5]) + (", ..." if len(unseen) > 5 else "")
        notes.append(f"{observed.path.name}: never observed, so nothing is said of {len(unseen)} machines: {names}")
    outside = sum(total(without(intervals.of(name), observed.of(name))) for name in intervals.machines)
    if outside >= 1.0:
        told = f"{outside / HOUR_SECONDS:.1f} h of intervals"
        notes.append(f"{intervals.path.name}: {told} lie outside the observed time; they were left out")
    return notes


def read_intervals(path: Path, timezone: str = "UTC") -> Intervals:
    """Read ``machine,start,end[,state]``; ``state`` defaults to PRODUCING.

    Raises:
        FileProblem: missing, unreadable, without a needed column or any interval, or with a value that breaks a rule.
    """
    return _read_spans(path, timezone, with_state=True)


def read_observed(path: Path, timezone: str = "UTC") -> Intervals:
    """Read ``machine,start,end``: when each machine's feed was alive; ``*`` stands for all machines.

    Raises:
        FileProblem: as :func:`read_intervals`.
    """
    return _read_spans(path, timezone, with_state=False)


@dataclass(frozen=True, slots=True)
class Readings:
    """A readings file as columns of shape (n,), by machine, then time, then line.

    Attributes:
        machines: names that ``machine`` indexes, sorted.
        machine: index of the reading's machine.
        at_ms: epoch milliseconds.
        power_w: watts, NaN where absent.
        count: the monotone counter, ``NO_INT`` where absent.
        state: code of ``fleet.states``, ``NO_STATE`` where absent.
        label: the truth, likewise.
    """

    machines: tuple[str, ...]
    machine: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    power_w: NDArray[np.float64]
    count: NDArray[np.int64]
    state: NDArray[np.uint8]
    label: NDArray[np.uint8]


def read_readings(path: Path, timezone: str = "UTC") -> Readings:
    """Read ``machine,at[,power_w][,count][,state][,label]``: at least one quantity a line.

    Raises:
        FileProblem: as :func:`read_intervals`.
    """
    zone = zone_of(timezone)
    names: list[str] = []
    at: list[int] = []
    values: dict[str, list[float | int]] = {name: [] for name in _QUANTITIES}
    for row in rows_of(path, ("machine", "at")):
        if not any(row.get(name) for name in _QUANTITIES):
            raise row.problem("no quantity: one of power_w, count, state or label is needed")
        names.append(row.need("machine", name_of))
        at.append(round(row.need("at", lambda text: instant(text, zone)) * 1000))
        for name, (convert, absent) in _QUANTITIES.items():
            values[name].append(row.need(name, convert) if row.get(name) else absent)
    if not names:
        raise FileProblem(f"{path}: no reading in it")
    machines = tuple(sorted(set(names)))
    index = {name: number for number, name in enumerate(machines)}
    machine, at_ms = np.array([index[name] for name in names], np.int64), np.array(at, np.int64)
    order = np.lexsort((at_ms, machine))
    return Readings(
        machines, machine[order], at_ms[order], np.array(values["power_w"], np.float64)[order],
        np.array(values["count"], np.int64)[order], np.array(values["state"], np.uint8)[order],
        np.array(values["label"], np.uint8)[order],
    )  # fmt: skip


def _read_spans(path: Path, timezone: str, *, with_state: bool) -> Intervals:
    zone = zone_of(timezone)
    found: dict[str, dict[int, list[tuple[float, float]]]] = {}
    rows = empty = 0
    for row in rows_of(path, ("machine", "start", "end")):
        machine = row.need("machine", name_of)
        start, end = (row.need(name, lambda text: instant(text, zone)) for name in ("start", "end"))
        code = row.need("state", state_of) if with_state and row.get("state") else 0
        if end < start:
            raise row.problem(f"end {row.get('end')} is before start {row.get('start')}")
        rows, empty = rows + 1, empty + (end == start)
        found.setdefault(machine, {}).setdefault(code, []).append((start, end))
    spans = {name: {code: united(pairs) for code, pairs in states.items()} for name, states in found.items()}
    if not any(len(set_) for states in spans.values() for set_ in states.values()):
        raise FileProblem(f"{path}: no interval of any length in it")
    overlapping = sum(_overlapping(pairs) for states in found.values() for pairs in states.values())
    return Intervals(path, spans, rows, empty, overlapping)


def _overlapping(pairs: list[tuple[float, float]]) -> int:
    """Number of intervals that begin before an earlier one has ended."""
    ordered = np.array(sorted(pair for pair in pairs if pair[1] > pair[0]), dtype=np.float64).reshape(-1, 2)
    return int((ordered[1:, 0] < np.maximum.accumulate(ordered[:, 1])[:-1]).sum())


_QUANTITIES: Final[dict[str, tuple[Callable[[str], float | int], float | int]]] = {
    "power_w": (number, np.nan),
    "count": (counter, NO_INT),
    "state": (state_of, NO_STATE),
    "label": (state_of, NO_STATE),
}
"""The columns of a readings file that hold a quantity: how each is read, and what stands for its absence."""
