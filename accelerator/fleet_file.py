"""What ``resilian evaluate fleet`` writes with ``--out``: one row a machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analytics.sweep import Question
from analytics.sweep_file import Answer
from analytics.verdicts import SAID

_TIME: Final = pa.timestamp("s", "UTC")
_SCHEMA: Final = pa.schema(
    {
        "member": pa.string(),
        "machine": pa.string(),
        "said": pa.string(),
        "level": pa.float64(),
        "certainty": pa.float64(),
        "coverage": pa.float64(),
        "free_from": _TIME,
        "window_hours": pa.int32(),
        "free": pa.list_(pa.float32()),
    }
)


class MachinesWriter:
    """Appends answers."""

    def __init__(self, writer: pq.ParquetWriter, asked: Question) -> None:
        self._writer, self._asked = writer, asked

    def append(self, answer: Answer) -> None:
        """Rows of the machines of one part; ``free`` is by start, an hour each from ``free_from`` on."""
        found, count = answer.found, len(answer.machines)
        edges = np.arange(count + 1, dtype=np.int32) * found.free.shape[1]
        columns = {
            "member": [machine.member for machine in answer.machines],
            "machine": [machine.machine for machine in answer.machines],
            "said": [SAID[code] for code in found.said.tolist()],
            "level": found.level,
            "certainty": found.certainty,
            "coverage": found.coverage,
            "free_from": pa.array(np.full(count, self._asked.now), _TIME),
            "window_hours": np.full(count, self._asked.window, dtype=np.int32),
            "free": pa.ListArray.from_arrays(edges, found.free.ravel()),
        }
        self._writer.write_table(pa.table(columns, schema=_SCHEMA))


@contextmanager
def machines_writer(path: Path | None, asked: Question) -> Iterator[MachinesWriter | None]:
    """A new file, or None where none is wanted.

    Raises:
        OSError: it cannot be written.
    """
    if path is None:
        yield None
        return
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        yield MachinesWriter(writer, asked)
