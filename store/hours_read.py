"""Hours from Parquet, some members at a time, as columns of seconds by machine and hour.

Any file will do that has the columns ``member``, ``machine``, ``hour`` (a timestamp, or epoch seconds) and
``seconds_<state>``; sorted ones are read once, others slowly. An hour that is not in the file is UNKNOWN.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS
from fleet.states import UNKNOWN
from store.hours_plan import KEYS, NAMES, READ, STATES, HoursUnreadable, Part, opened, per_second, places_in

_MOST_BITS: Final = np.float32(HOUR_SECONDS + 0.001).view(np.uint32)
_NAMED: Final = 3  # files that an error names
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]


class Grid(NamedTuple):
    """Machines by member, then name, and their seconds in :data:`STATES`, each of shape (machines, hours)."""

    machines: tuple[MachineKey, ...]
    seconds: tuple[Singles, ...]


class _Rows(NamedTuple):
    """Rows as runs of one machine; ``hour`` in so many parts of a second since the epoch."""

    keys: list[MachineKey]
    lengths: Ints
    hour: Ints
    per_second: int
    seconds: tuple[Singles, ...]


def read(parts: Iterable[Part], start: int, count: int) -> Iterator[Grid]:
    """The machines of each part over ``count`` hours from ``start`` (epoch seconds), one part at a time.

    Raises:
        HoursUnreadable: a value is missing or impossible, or an hour stands twice.
    """
    with closing(_Source()) as source:
        for part in parts:
            yield _grid(source, part, start, count)


class _Source:
    """The file that is read, open until another one is: a task may lie in thousands."""

    def __init__(self) -> None:
        self._name = ""
        self._file: pq.ParquetFile | None = None

    def of(self, name: str) -> pq.ParquetFile:
        """The file of that name."""
        if self._file is None or name != self._name:
            self.close()
            self._name, self._file = name, opened(Path(name))
        return self._file

    def close(self) -> None:
        """No file is open."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _grid(source: _Source, part: Part, start: int, count: int) -> Grid:
    found = [_filtered(_rows(source.of(file), group, file), part) for file, group in part.groups]
    rows = found[0] if len(found) == 1 else _joined(found)
    whole = _as_it_is(rows, start, count)
    if whole is not None:
        return whole
    for one, (file, _) in zip(found, part.groups, strict=True):
        if ((one.hour - start * one.per_second) % (HOUR_SECONDS * one.per_second)).any():
            raise HoursUnreadable(f"{file}: column hour holds times that are not whole hours")
    return _scattered(rows, start, count, part)


def _rows(source: pq.ParquetFile, group: int, file: str) -> _Rows:
    alone = _alone(source.metadata, group)
    table = source.read_row_group(group, [*(key for key in KEYS if key not in alone), *READ], use_threads=False)
    empty = [name for name in table.column_names if table.column(name).null_count]
    if empty:
        raise HoursUnreadable(f"{file}: column {empty[0]} has no value in some rows of row group {group}")
    keys, lengths = _machines(table, alone)
    hour = _whole(table.column("hour"))
    seconds = tuple(_single(_whole(table.column(name))) for name in READ)
    _check(seconds, file)
    return _Rows(keys, lengths, hour.view(pa.int64()).to_numpy(), per_second(hour.type, file), seconds)


def _alone(metadata: pq.FileMetaData, group: int) -> dict[str, str]:
    """Names of which the row group has no other, by column, from its statistics: they need not be read row by row."""
    places, alone = places_in(metadata), {}
    for name in NAMES:
        told = metadata.row_group(group).column(places[name]).statistics
        if told is not None and told.has_min_max and told.min == told.max and told.null_count == 0:
            alone[name] = str(told.min)
    return alone


def _machines(table: pa.Table, alone: Mapping[str, str]) -> tuple[list[MachineKey], Ints]:
    """The machine of each run of rows, and how long the runs are."""
    columns = {name: _whole(table.column(name).unify_dictionaries()) for name in NAMES if name not in alone}
    codes = {name: column.indices.to_numpy() for name, column in columns.items()}
    new = np.zeros(max(0, table.num_rows - 1), dtype=np.bool_)
    for code in codes.values():
        new |= code[1:] != code[:-1]
    firsts = np.append(0, np.flatnonzero(new) + 1) if table.num_rows else np.zeros(0, np.int64)
    told = []
    for name in NAMES:
        names = columns[name].dictionary.to_pylist() if name in columns else [alone[name]]
        told.append([names[code] for code in (codes[name][firsts].tolist() if name in columns else [0] * len(firsts))])
    return list(map(MachineKey, *told)), np.diff(np.append(firsts, table.num_rows))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """In one piece; as it lies, not copied, where it is in one."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


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


def _check(seconds: Sequence[Singles], file: str) -> None:
    for name, column in zip(READ, seconds, strict=True):
        if len(column) and not _are_seconds(column):
            raise HoursUnreadable(f"{file}: column {name} holds values that are not seconds of an hour")


def _are_seconds(column: Singles) -> bool:
    """Read as whole numbers, floats keep their order, but negative ones and NaN are above all: one look instead of two.

    Only -0.0, which is a second like others, needs the second.
    """
    if column.view(np.uint32).max() <= _MOST_BITS:
        return True
    return bool(column.min() >= 0.0 and column.max() <= HOUR_SECONDS + 0.001)


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


def _files(part: Part) -> str:
    """The files it lies in, the first few by name."""
    names = list(dict.fromkeys(file for file, _ in part.groups))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _scattered(rows: _Rows, start: int, count: int, part: Part) -> Grid:
    machines = tuple(sorted(set(rows.keys)))
    rank = {key: place for place, key in enumerate(machines)}
    machine = np.repeat(np.array([rank[key] for key in rows.keys], dtype=np.int64), rows.lengths)
    hour = (rows.hour // rows.per_second - start) // HOUR_SECONDS
    inside = (hour >= 0) & (hour < count)
    place = machine[inside] * count + hour[inside]
    if len(np.unique(place)) != len(place):
        raise HoursUnreadable(f"{_files(part)}: an hour of a machine stands twice")
    seconds = []
    for state, column in zip(STATES, rows.seconds, strict=True):
        grid = np.full(len(machines) * count, HOUR_SECONDS if state == UNKNOWN else 0, dtype=np.float32)
        grid[place] = column[inside]
        seconds.append(grid.reshape(-1, count))
    return Grid(machines, tuple(seconds))
