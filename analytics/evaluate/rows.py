"""Rows of the files that users bring: CSV with a header, UTF-8, commas; errors name file, line, field and rule."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Self, TextIO, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from fleet.states import STATES, state_code

YEARS: Final = (1970, 2200)
"""Of every time in a file: what lies outside is a typing error, or another calendar's epoch."""
_LONGEST_NAME: Final = 200
_MOST_COMMAS: Final = 1_000
_TOO_MANY: Final = "{} values for {} columns; a comma inside a value needs quotes around the value"
_NAMES: Final = "; the first line names the columns"
_SEPARATORS: Final = {
    ";": "; columns are separated by commas, not by semicolons",
    "\t": "; columns are separated by commas, not by tabs",
}
_KINDS: Final = {
    b"\x1f\x8b": "; it is compressed (gzip): unpack it first",
    b"PK": "; it is a ZIP archive or a spreadsheet: save it as CSV",
    b"\xff\xfe": "; it is UTF-16: save it as UTF-8",
    b"\xfe\xff": "; it is UTF-16: save it as UTF-8",
}
_T = TypeVar("_T")


class FileProblem(ValueError):
    """A file that cannot be used; the message says which line, field and rule."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by the names of the header."""

    path: Path
    line: int
    values: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """The value, trimmed; empty when it is missing."""
        return self.values.get(name, "")

    def need(self, name: str, convert: Callable[[str], _T]) -> _T:
        """The value, converted.

        Raises:
            FileProblem: it is missing, or the converter refuses it.
        """
        text = self.get(name)
        if not text:
            raise self.problem(f"{name} is empty")
        try:
            return convert(text)
        except (ValueError, KeyError, OverflowError) as error:
            raise self.problem(f"{name} {text[:60]!r}: {error}") from None

    def problem(self, text: str) -> FileProblem:
        """The error that names this row."""
        return FileProblem(f"{self.path}, line {self.line}: {text}")


class _Lines:
    """Lines of a file, of which no row may have so many values that they take all memory."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self.path, self.file, self.line, self.commas = path, file, 0, 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        text = next(self.file)
        self.line += 1
        self.commas += text.count(",")
        if self.commas > _MOST_COMMAS:
            raise FileProblem(f"{self.path}, line {self.line}: more than {_MOST_COMMAS:,} commas in one row")
        return text

    def rows(self) -> Iterator[list[str]]:
        """The values of each row, trimmed."""
        for values in csv.reader(self, strict=True):
            self.commas = 0  # a row with line breaks inside its quotes has several lines
            yield list(map(str.strip, values))


def rows_of(path: Path, needed: tuple[str, ...]) -> Iterator[Row]:
    """The rows that are not empty.

    Raises:
        FileProblem: it cannot be read, is no UTF-8 or CSV, a row has more than 1,000 commas, or its header lacks a
            needed column or has one twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _Lines(path, file)
            rows = lines.rows()
            header = [name.lower() for name in next(rows, [])]
            _check(header, needed, path)
            for values in rows:
                if any(values):
                    row = Row(path, lines.line, dict(zip(header, values, strict=False)))
                    if any(values[len(header) :]):
                        raise row.problem(_TOO_MANY.format(len(values), len(header)))
                    yield row
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FileProblem(f"{path}: not UTF-8 text (byte {error.start}){_kind_of(path)}") from error
    except csv.Error as error:
        raise FileProblem(f"{path}, line {lines.line}: not CSV: {error}") from error


def _kind_of(path: Path) -> str:
    """What a file that is no UTF-8 seems to be, by its first bytes."""
    with path.open("rb") as file:
        begin = file.read(2)
    return _KINDS.get(begin, "; save it as UTF-8")


def _check(header: list[str], needed: tuple[str, ...], path: Path) -> None:
    missing = tuple(name for name in needed if name not in header)
    if missing:
        if not any(header):
            raise FileProblem(f"{path}, line 1: no column {', '.join(missing)}: the line, or the file, is empty")
        hint = next(
            (said for sign, said in _SEPARATORS.items() if sign in header[0]), _NAMES if missing == needed else ""
        )
        raise FileProblem(f"{path}, line 1: no column {', '.join(missing)}; found {', '.join(header)[:120]!r}{hint}")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise FileProblem(f"{path}, line 1: column {twice[0]!r} stands twice; which one counts?")


def name_of(text: str) -> str:
    """A machine's name.

    Raises:
        ValueError: it cannot be printed, or is longer than 200 characters.
    """
    if not text.isprintable():
        raise ValueError("a machine's name has no control characters")
    if len(text) > _LONGEST_NAME:
        raise ValueError(f"a machine's name has at most {_LONGEST_NAME} characters")
    return text


def instant(text: str, zone: ZoneInfo) -> float:
    """Epoch seconds of an ISO 8601 time, local to ``zone`` when it carries no offset.

    Raises:
        ValueError: it is not an ISO 8601 time with a date and a time of day, its year is outside :data:`YEARS`, or it
            is a local time that the clocks skip.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not an ISO 8601 time such as 2026-03-02T06:30:00+01:00") from None
    if len(text) < 11:
        raise ValueError("not an ISO 8601 time: a date without a time of day")
    if not YEARS[0] < at.year < YEARS[1]:
        raise ValueError(f"not between the years {YEARS[0]} and {YEARS[1]}")
    if at.tzinfo:
        return at.timestamp()
    seconds = at.replace(tzinfo=zone).timestamp()
    if datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0) != at:
        raise ValueError(f"the clocks of {zone.key} skip this local time; give an offset or another --timezone")
    return seconds


def zone_of(timezone: str) -> ZoneInfo:
    """The timezone by its name.

    Raises:
        FileProblem: there is none of that name.
    """
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FileProblem(f"timezone {timezone!r}: not in the IANA database, such as Europe/Paris") from None


def number(text: str) -> float:
    """A finite number.

    Raises:
        ValueError: it is none.
    """
    value = float(text)
    if not np.isfinite(value):
        raise ValueError("not a finite number")
    return value


def counter(text: str) -> int:
    """A whole number of 64 bits.

    Raises:
        ValueError: it is none.
    """
    value = number(text)
    if value != int(value) or abs(value) >= 2**63:
        raise ValueError("a counter is a whole number of 64 bits")
    return int(value)


def state_of(text: str) -> int:
    """The code of a state's name.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return state_code(text)
    except KeyError:
        raise ValueError(f"not a state; one of {', '.join(STATES)}") from None
