"""Files of hours: what they hold, and the parts of whole members in which they are read; ``hours_read`` reads one."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from fleet.records import HOUR_SECONDS
from fleet.states import FAULT, MAINTENANCE, PRODUCING, SETUP, UNKNOWN
from store.columns import SECONDS

STATES: Final = (PRODUCING, SETUP, FAULT, MAINTENANCE, UNKNOWN)
"""What is read; the rest of an hour is free."""
READ: Final = tuple(SECONDS[state] for state in STATES)
"""Their columns."""
NAMES: Final = ("member", "machine")
KEYS: Final = (*NAMES, "hour")
_FOOTERS: Final = 64  # files whose footers are kept: a year's by week
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class HoursUnreadable(ValueError):
    """A person must look at the file: what is wrong, and where."""


class Part(NamedTuple):
    """Members from ``low`` on, without those from ``high`` on (None: to the last), and the row groups they are in.

    Attributes:
        groups: each by its file and its number there; they may hold other members, too.
        rows: of these groups together.
    """

    low: str
    high: str | None
    groups: tuple[tuple[str, int], ...]
    rows: int


class Plan(NamedTuple):
    """What a file or folder holds: epoch seconds of its first hour and of the end of its last, rows, its parts."""

    start: int
    end: int
    rows: int
    parts: tuple[Part, ...]


class _Group(NamedTuple):
    """A row group, and what its statistics tell."""

    place: tuple[str, int]
    rows: int
    low: str
    high: str
    start: int
    end: int


def plan(path: Path, rows_at_once: int) -> Plan:
    """Parts of whole members, of about so many rows where members are no larger.

    Args:
        path: a file, or a folder of files ``*.parquet``.

    Raises:
        HoursUnreadable: it is no Parquet, or lacks a column or statistics.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    groups = sorted((group for file in files for group in _groups(file)), key=lambda group: (group.low, group.place))
    if not groups:
        raise HoursUnreadable(f"{path}: holds no hours")
    start, end = min(group.start for group in groups), max(group.end for group in groups)
    return Plan(start, end + HOUR_SECONDS, sum(group.rows for group in groups), tuple(_parts(groups, rows_at_once)))


def _parts(groups: Sequence[_Group], rows_at_once: int) -> Iterator[Part]:
    """Whole members; a group that holds members of several parts is in each of them."""
    cuts, waiting = [groups[0].low], 0
    for group in groups:
        if waiting >= rows_at_once and group.low > cuts[-1]:
            cuts.append(group.low)
            waiting = 0
        waiting += group.rows
    lows, reached = [group.low for group in groups], list(accumulate((group.high for group in groups), max))
    for low, high in zip(cuts, [*cuts[1:], None], strict=True):
        near = groups[bisect_left(reached, low) : None if high is None else bisect_left(lows, high)]
        holding = [group for group in near if group.high >= low]
        yield Part(low, high, tuple(group.place for group in holding), sum(group.rows for group in holding))


def opened(file: Path) -> pq.ParquetFile:
    """The file, to read row groups of.

    Raises:
        HoursUnreadable: it is no Parquet.
    """
    try:
        status = file.stat()
        footer = _footer((file, status.st_mtime_ns, status.st_size))
        return pq.ParquetFile(file, metadata=footer, read_dictionary=list(NAMES), memory_map=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise HoursUnreadable(f"{file}: cannot be read as Parquet: {error}") from None


@lru_cache(maxsize=_FOOTERS)
def _footer(version: tuple[Path, int, int]) -> pq.FileMetaData:
    """Of a file of that time of change and size: read once, for it grows with the file, and every part needs it.

    Parts of a folder visit its files in a circle, so fewer footers than files would never be found again.
    """
    return pq.read_metadata(version[0], memory_map=True)


def _groups(file: Path) -> Iterator[_Group]:
    with opened(file) as source:
        schema, metadata = source.schema_arrow, source.metadata
        missing = [name for name in (*KEYS, *READ) if name not in schema.names]
        if missing:
            raise HoursUnreadable(
                f"{file}: has no column {', '.join(missing)}; `resilian export --hours` writes such files"
            )
        places = places_in(metadata)
        scale = per_second(schema.field("hour").type, file)
        for number in range(source.num_row_groups):
            group = metadata.row_group(number)
            names, hours = (group.column(places[name]).statistics for name in ("member", "hour"))
            if names is None or hours is None or not (names.has_min_max and hours.has_min_max):
                raise HoursUnreadable(f"{file}: row group {number} has no statistics of member and hour")
            first, last = int(hours.min_raw) // scale, int(hours.max_raw) // scale
            yield _Group((str(file), number), group.num_rows, names.min, names.max, first, last)


def per_second(kind: pa.DataType, file: Path | str) -> int:
    """Parts of a second that the hour is told in."""
    if pa.types.is_timestamp(kind):
        return _PER_SECOND[kind.unit]
    if pa.types.is_integer(kind):
        return 1
    raise HoursUnreadable(f"{file}: column hour is {kind}: a timestamp, or epoch seconds")


def places_in(metadata: pq.FileMetaData) -> dict[str, int]:
    """Place of each column by its name."""
    return {metadata.schema.column(index).path: index for index in range(metadata.num_columns)}
