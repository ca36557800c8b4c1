"""Hours as Parquet, one row an hour of a machine: how they are written. ``hours_read`` reads them.

Rows are sorted by member, machine, hour, and a row group holds whole members where they are not too large, so that who
reads may take members in parts. Seconds in each state are single precision, which holds a millisecond of an hour. How
columns are encoded was measured (``docs/decisions``): plain seconds, hours as differences, names by dictionary, LZ4.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS, HourBucket
from fleet.states import UNKNOWN
from store.columns import SECONDS, hour_columns

GROUP_ROWS: Final = 200_000
"""Rows of a row group, at least, where members are no larger: what is read of them, 7 MB, stays in the caches."""
MOST_ROWS: Final = 4_000_000
"""Rows at which a group ends in the midst of a member: it is in memory while it is written or read."""
_NAME: Final = pa.dictionary(pa.int32(), pa.string())
_KEYS: Final = [
    pa.field("member", _NAME, nullable=False),
    pa.field("machine", _NAME, nullable=False),
    pa.field("hour", pa.timestamp("ms", "UTC"), nullable=False),
]
_STATES: Final = [pa.field(name, pa.float32(), nullable=False) for name in SECONDS]
_BESIDE: Final = [
    pa.field("energy_wh", pa.float64()),
    pa.field("pieces", pa.int64()),
    pa.field("readings", pa.int64()),
    pa.field("conflicts", pa.int64()),
    pa.field("resets", pa.int64()),
    pa.field("power_max_w", pa.float64()),
    pa.field("basis", _NAME),
    pa.field("model", _NAME),
]
KEPT: Final = pa.schema([*_KEYS, *_STATES])
"""What figures are computed from."""
WHOLE: Final = pa.schema([*_KEYS, *_STATES, *_BESIDE])
"""All of an hour that means anything outside the store."""


class HoursWriter:
    """Appends hours to a file, by machine, then hour; a row group ends with a member or at :data:`MOST_ROWS`."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self.rows = 0
        self._writer, self._schema = writer, schema
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._member = ""

    def append(self, buckets: Sequence[HourBucket]) -> None:
        """Hours of one machine, in order; what is still to come of the newest is UNKNOWN."""
        if not buckets:
            return
        columns = hour_columns(buckets)
        starts, passed = columns["hour"], sum(columns[name] for name in SECONDS)
        columns[SECONDS[UNKNOWN]] = columns[SECONDS[UNKNOWN]] + np.maximum(0.0, HOUR_SECONDS - passed)
        self.append_columns([buckets[0].key], starts, {name: columns[name][None] for name in self._schema.names[3:]})

    def append_columns(
        self, machines: Sequence[MachineKey], starts: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]
    ) -> None:
        """The same hours (epoch seconds, shape (n,)) of several machines of one member, columns (machines, n)."""
        if machines[0].member != self._member and self._waiting_rows >= GROUP_ROWS:
            self._flush()
        self._member = machines[0].member
        table = _table(machines, starts, columns, self._schema)
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self.rows += table.num_rows
        if self._waiting_rows >= MOST_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting).unify_dictionaries()  # else names are written out row by row
            self._writer.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._waiting_rows = [], 0


@contextmanager
def hours_writer(path: Path, schema: pa.Schema = WHOLE) -> Iterator[HoursWriter]:
    """A new file; what was appended is in it when the block ends.

    Raises:
        OSError: it cannot be written.
    """
    names = [field.name for field in schema if field not in _STATES and field.name != "hour"]
    encoding = {"hour": "DELTA_BINARY_PACKED"}
    with pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=names, column_encoding=encoding) as writer:
        hours = HoursWriter(writer, schema)
        yield hours
        hours._flush()


def _table(
    machines: Sequence[MachineKey], starts: NDArray[np.int64], columns: Mapping[str, NDArray[Any]], schema: pa.Schema
) -> pa.Table:
    count = len(starts)
    names = {
        "member": _names([machine.member for machine in machines], count),
        "machine": _names([machine.machine for machine in machines], count),
        "hour": pa.array(np.tile(starts * 1000, len(machines)), pa.timestamp("ms", "UTC")),
    }
    others = {name: _column(columns[name].reshape(-1), schema.field(name)) for name in schema.names[3:]}
    return pa.table({**names, **others}, schema=schema)


def _names(values: Sequence[str], count: int) -> pa.Array:
    indices = np.repeat(np.arange(len(values), dtype=np.int32), count)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))


def _column(values: NDArray[Any], field: pa.Field) -> pa.Array:
    if field in _STATES:
        return pa.array(values.astype(np.float32, copy=False))
    if field.type == _NAME:
        return pa.array(values, pa.string()).dictionary_encode()
    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    return pa.array(np.ma.getdata(values), field.type, mask=mask)
