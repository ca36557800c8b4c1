"""Recordings as files: intervals and readings, read row by row; each row is used, united, empty or refused.

Intervals: ``machine,start,end[,state]``; readings: ``machine,at[,power_w][,count][,state][,label]``. Other columns are
passed over, but a ``member`` column names each row's member, and may stand before the machine's name
(``member/machine``), as the ground truth of the simulators has it. A time without an offset is of the given zone.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from fleet.states import PRODUCING, STATE_CODE
from fleet.topics import SLUG

REASONS_KEPT: Final = 20
_LARGEST_COUNT: Final = 2**63 - 1


class RecordingError(Exception):
    """The file cannot be replayed; the message names the file and what it lacks."""


class Interval(NamedTuple):
    """One interval as read: epoch ms and a state code."""

    start_ms: int
    end_ms: int
    state: int


class Measured(NamedTuple):
    """One reading as read; None where a row says nothing."""

    at_ms: int
    power_w: float | None
    counter: int | None
    state: str | None


class Name(NamedTuple):
    """A machine as the file names it; ``member`` is "" without a column of members."""

    member: str
    machine: str


@dataclass
class Recording:
    """A file in memory; exactly one of ``intervals`` and ``readings`` is filled.

    Attributes:
        rows: read, without the heading.
        empty: intervals that end where they begin.
        refused: rows that break a rule; ``reasons`` are the first of them in words.
    """

    rows: int = 0
    empty: int = 0
    refused: int = 0
    reasons: list[str] = field(default_factory=list)
    intervals: dict[Name, list[Interval]] = field(default_factory=dict)
    readings: dict[Name, list[Measured]] = field(default_factory=dict)

    @property
    def names(self) -> list[Name]:
        """The machines, in the order in which the file first names them."""
        return list(self.intervals or self.readings)


class _Refused(ValueError):
    """This row breaks a rule."""

    def __init__(self, column: str, value: str, rule: str) -> None:
        super().__init__(f"{column} = {value[:40]!r}: {rule}")


def read(path: Path, timezone: str = "UTC") -> Recording:
    """The recording in a CSV file (UTF-8).

    Raises:
        RecordingError: not readable, no heading that is one of the two kinds, or no usable row.
    """
    zone = ZoneInfo(timezone)
    recording = Recording()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            take = _taker(path, table.fieldnames or (), recording, zone)
            for row in table:
                recording.rows += 1
                try:
                    take(row)
                except _Refused as error:
                    recording.refused += 1
                    if len(recording.reasons) < REASONS_KEPT:
                        recording.reasons.append(f"{path.name}:{table.line_num}: {error}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path}: {error}") from error
    if not any(True for _ in spans(recording)):
        why = recording.reasons[0] if recording.reasons else "there is none"
        raise RecordingError(f"{path}: no row can be used: {why}")
    return recording


Row = Mapping[str, str | None]


def _taker(path: Path, columns: object, recording: Recording, zone: ZoneInfo) -> Callable[[Row], None]:
    found = set(columns) if isinstance(columns, list | tuple) else set()
    if {"machine", "start", "end"} <= found:
        return lambda row: _take_interval(row, recording, zone)
    if {"machine", "at"} <= found:
        return lambda row: _take_reading(row, recording, zone)
    rule = "neither machine,start,end (intervals) nor machine,at (readings)"
    raise RecordingError(f"{path}: its heading has {', '.join(sorted(found)) or 'nothing'}: {rule}")


def _take_interval(row: Row, recording: Recording, zone: ZoneInfo) -> None:
    name = _name(row)
    start, end = _time(row, "start", zone), _time(row, "end", zone)
    state = _state(row)
    if end < start:
        raise _Refused("end", row.get("end") or "", "not before start")
    intervals = recording.intervals.setdefault(name, [])
    if end == start:
        recording.empty += 1
        return
    intervals.append(Interval(start, end, PRODUCING if state is None else STATE_CODE[state]))


def _take_reading(row: Row, recording: Recording, zone: ZoneInfo) -> None:
    name = _name(row)
    measured = Measured(_time(row, "at", zone), _power(row), _count(row), _state(row))
    if measured[1:] == (None, None, None):
        raise _Refused("power_w", "", "at least one of power_w, count, state")
    recording.readings.setdefault(name, []).append(measured)


def _text(row: Row, column: str) -> str:
    return (row.get(column) or "").strip()


def _name(row: Row) -> Name:
    member, machine = _text(row, "member"), _text(row, "machine")
    if member:
        machine = machine.removeprefix(f"{member}/")
        if not SLUG.fullmatch(member):
            raise _Refused("member", member, "a slug: a-z, 0-9 and hyphens inside")
    if not machine:
        raise _Refused("machine", machine, "the name of a machine")
    return Name(member, machine)


def _time(row: Row, column: str, zone: ZoneInfo) -> int:
    text = _text(row, column)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _Refused(column, text, "ISO 8601, such as 2026-03-02T07:15:00+01:00") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return round(at.timestamp() * 1000)


def _state(row: Row) -> str | None:
    text = _text(row, "state").upper()
    if not text:
        return None
    if text not in STATE_CODE:
        raise _Refused("state", text, f"one of {', '.join(STATE_CODE)}")
    return text


def _power(row: Row) -> float | None:
    value = _number(row, "power_w")
    if value is not None and value < 0:
        raise _Refused("power_w", _text(row, "power_w"), "at least 0 watts")
    return value


def _count(row: Row) -> int | None:
    value = _number(row, "count")
    if value is not None and not (value.is_integer() and 0 <= value <= _LARGEST_COUNT):
        raise _Refused("count", _text(row, "count"), "a whole number of at least 0")
    return None if value is None else int(value)


def _number(row: Row, column: str) -> float | None:
    text = _text(row, column)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _Refused(column, text, "a finite number")
    return value


def spans(recording: Recording) -> Iterator[tuple[int, int]]:
    """First and last instant of each machine, epoch ms."""
    for intervals in recording.intervals.values():
        if intervals:
            yield min(interval.start_ms for interval in intervals), max(interval.end_ms for interval in intervals)
    for readings in recording.readings.values():
        yield min(reading.at_ms for reading in readings), max(reading.at_ms for reading in readings)
