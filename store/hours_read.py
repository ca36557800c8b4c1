"""Hours from Parquet, some members at a time, as columns of seconds by machine and hour.

Any file will do that has the columns ``member``, ``machine``, ``hour`` (a timestamp, or epoch seconds) and
``seconds_<state>``; sorted ones are read once, others slowly. An hour that is not in the file is UNKNOWN.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS
from fleet.states import FAULT, MAINTENANCE, PRODUCING, SETUP, UNKNOWN
from store.columns import SECONDS

STATES: Final = (PRODUCING, SETUP, FAULT, MAINTENANCE, UNKNOWN)
"""What is read; the rest of an hour is free."""
READ: Final = tuple(SECONDS[state] for state in STATES)
"""Their columns."""
KEYS: Final = ("member", "machine", "hour")
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

Ints = NDArray[np.int64]
Singles = NDArray[np.float32]


class HoursUnreadable(ValueError):
    """A person must look at the file: what is wrong, and where."""


class Part(NamedTuple):
    """Members from ``low`` on, without those from ``high`` on (None: to the last), and the row groups they are in."""

    low: str
    high: str | None
    groups: tuple[tuple[str, int], ...]


class Plan(NamedTuple):
    """What a file or folder holds: epoch seconds of its first hour and of the end of its last, rows, its parts."""

    start: int
    end: int
    rows: int
    parts: tuple[Part, ...]


class Grid(NamedTuple):
    """Machines by member, then name, and their seconds in :data:`STATES`, each of shape (machines, hours)."""

    machines: tuple[MachineKey, ...]
    seconds: tuple[Singles, ...]


class _Group(NamedTuple):
    """A row group, and what its statistics tell."""

    place: tuple[str, int]
    rows: int
    low: str
    high: str
    start: int
    end: int


class _Rows(NamedTuple):
    """Rows as runs of one machine; ``hour`` in so many parts of a second since the epoch."""

    keys: list[MachineKey]
    lengths: Ints
    hour: Ints
    per_second: int
    seconds: tuple[Singles, ...]


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
    cuts, waiting = [groups[0].low], 0
    for group in groups:
        if waiting >= rows_at_once and group.low > cuts[-1]:
            cuts.append(group.low)
            waiting = 0
        waiting += group.rows
    parts = [
        Part(low, high, tuple(g.place for g in groups if g.high >= low and (high is None or g.low < high)))
        for low, high in zip(cuts, [*cuts[1:], None], strict=True)
    ]
    start, end = min(group.start for group in groups), max(group.end for group in groups)
    return Plan(start, end + HOUR_SECONDS, sum(group.rows for group in groups), tuple(parts))


def read(part: Part, start: int, count: int) -> Grid:
    """The part's machines over ``count`` hours from ``start`` (epoch seconds).

    Raises:
        HoursUnreadable: a value is missing or impossible, or an hour stands twice.
    """
    found = [_filtered(_rows(Path(file), group), part) for file, group in part.groups]
    rows = found[0] if len(found) == 1 else _joined(found)
    _check(rows, part)
    return _as_it_is(rows, start, count) or _scattered(rows, start, count, part)


def _opened(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, read_dictionary=["member", "machine"], memory_map=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise HoursUnreadable(f"{file}: cannot be read as Parquet: {error}") from None


def _groups(file: Path) -> Iterator[_Group]:
    with _opened(file) as opened:
        schema, metadata = opened.schema_arrow, opened.metadata
        missing = [name for name in (*KEYS, *READ) if name not in schema.names]
        if missing:
            raise HoursUnreadable(
                f"{file}: has no column {', '.join(missing)}; `resilian export --hours` writes such files"
            )
        places = {metadata.schema.column(index).path: index for index in range(metadata.num_columns)}
        scale = _per_second(schema.field("hour").type, file)
        for number in range(opened.num_row_groups):
            group = metadata.row_group(number)
            names, hours = (group.column(places[name]).statistics for name in ("member", "hour"))
            if names is None or hours is None or not (names.has_min_max and hours.has_min_max):
                raise HoursUnreadable(f"{file}: row group {number} has no statistics of member and hour")
            first, last = int(hours.min_raw) // scale, int(hours.max_raw) // scale
            yield _Group((str(file), number), group.num_rows, names.min, names.max, first, last)


def _per_second(kind: pa.DataType, file: Path) -> int:
    if pa.types.is_timestamp(kind):
        return _PER_SECOND[kind.unit]
    if pa.types.is_integer(kind):
        return 1
    raise HoursUnreadable(f"{file}: column hour is {kind}: a timestamp, or epoch seconds")


def _rows(file: Path, group: int) -> _Rows:
    with _opened(file) as opened:
        table = opened.read_row_group(group, columns=[*KEYS, *READ], use_threads=False)
    empty = [name for name in table.column_names if table.column(name).null_count]
    if empty:
        raise HoursUnreadable(f"{file}: column {empty[0]} has no value in some rows of row group {group}")
    codes = [table.column(name).unify_dictionaries().combine_chunks() for name in ("member", "machine")]
    indices, names = [code.indices.to_numpy() for code in codes], [code.dictionary.to_pylist() for code in codes]
    edges = np.flatnonzero(_steps(indices[0]) | _steps(indices[1])) + 1
    firsts = np.concatenate([[0], edges]) if table.num_rows else np.zeros(0, np.int64)
    keys = [
        MachineKey(names[0][a], names[1][b])
        for a, b in zip(*(index[firsts].tolist() for index in indices), strict=True)
    ]
    hour = table.column("hour").combine_chunks()
    seconds = tuple(_single(table.column(name).combine_chunks()) for name in READ)
    lengths = np.diff(np.append(firsts, table.num_rows))
    return _Rows(keys, lengths, hour.view(pa.int64()).to_numpy(), _per_second(hour.type, file), seconds)


def _steps(codes: NDArray[np.integer]) -> NDArray[np.bool_]:
    steps: NDArray[np.bool_] = codes[1:] != codes[:-1]
    return steps


def _single(column: pa.Array) -> Singles:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)


def _filtered(rows: _Rows, part: Part) -> _Rows:
    """Without the members of other parts."""
    wanted = np.array([part.low <= key.member and (part.high is None or key.member < part.high) for key in rows.keys])
    if wanted.all():
        return rows
    kept = np.repeat(wanted, rows.lengths)
    keys = [key for key, keep in zip(rows.keys, wanted, strict=True) if keep]
    seconds = tuple(column[kept] for column in rows.seconds)
    return _Rows(keys, rows.lengths[wanted], rows.hour[kept], rows.per_second, seconds)


def _joined(parts: Sequence[_Rows]) -> _Rows:
    """One after the other; runs of one machine that meet are one."""
    keys = [key for part in parts for key in part.keys]
    lengths = np.concatenate([part.lengths for part in parts])
    new = np.array([not place or key != keys[place - 1] for place, key in enumerate(keys)])
    columns = zip(*(part.seconds for part in parts), strict=True)
    return _Rows(
        [key for key, first in zip(keys, new, strict=True) if first],
        np.add.reduceat(lengths, np.flatnonzero(new)) if len(keys) else lengths,
        np.concatenate([part.hour // part.per_second for part in parts]),
        1,
        tuple(np.concatenate(column) for column in columns),
    )


def _check(rows: _Rows, part: Part) -> None:
    for name, column in zip(READ, rows.seconds, strict=True):
        if len(column) and not (column.min() >= 0.0 and column.max() <= HOUR_SECONDS + 0.001):
            raise HoursUnreadable(f"{part.groups[0][0]}: column {name} holds values that are not seconds of an hour")


def _as_it_is(rows: _Rows, start: int, count: int) -> Grid | None:
    """The rows as they lie, not copied, when they are sorted and every machine has exactly these hours."""
    machines = tuple(rows.keys)
    if len(rows.hour) != len(machines) * count or (rows.lengths != count).any():
        return None
    expected = (start + HOUR_SECONDS * np.arange(count)) * rows.per_second
    in_order = all(one < other for one, other in pairwise(machines))
    if not in_order or not (rows.hour.reshape(-1, count) == expected).all():
        return None
    return Grid(machines, tuple(column.reshape(-1, count) for column in rows.seconds))


def _scattered(rows: _Rows, start: int, count: int, part: Part) -> Grid:
    machines = tuple(sorted(set(rows.keys)))
    rank = {key: place for place, key in enumerate(machines)}
    machine = np.repeat(np.array([rank[key] for key in rows.keys], dtype=np.int64), rows.lengths)
    hour, rest = np.divmod(rows.hour // rows.per_second - start, HOUR_SECONDS)
    if rest.any():
        raise HoursUnreadable(f"{part.groups[0][0]}: column hour holds times that are not whole hours")
    inside = (hour >= 0) & (hour < count)
    place = machine[inside] * count + hour[inside]
    if len(np.unique(place)) != len(place):
        raise HoursUnreadable(f"{part.groups[0][0]}: an hour of a machine stands twice")
    seconds = []
    for state, column in zip(STATES, rows.seconds, strict=True):
        grid = np.full(len(machines) * count, HOUR_SECONDS if state == UNKNOWN else 0, dtype=np.float32)
        grid[place] = column[inside]
        seconds.append(grid.reshape(-1, count))
    return Grid(machines, tuple(seconds))
