"""Readings as files for others: CSV, or Parquet written by DuckDB. Rows come in batches; memory stays that of one."""

import csv
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from fleet.batch import NO_INT, ReadingBatch
from fleet.states import NO_STATE, STATES

COLUMNS: Final = (
    "member", "machine", "at", "state", "utilisation", "power_w", "energy_wh", "count", "seq", "boot", "metrics",
)  # fmt: skip
FORMATS: Final = ("csv", "parquet")


def rows_of(batch: ReadingBatch) -> list[tuple[Any, ...]]:
    """Readings as tuples of :data:`COLUMNS`; ``at`` in RFC 3339 with milliseconds, UTC; what is missing is None."""
    found = []
    for index, row in enumerate(batch.rows.tolist()):
        machine, at_ns, _, state, utilisation, power, energy, counter, seq, boot = row
        at = datetime.fromtimestamp(at_ns // 1_000_000 / 1000, UTC).isoformat(timespec="milliseconds")
        floats = (None if np.isnan(value) else value for value in (utilisation, power, energy))
        integers = (None if value == NO_INT else value for value in (counter, seq, boot))
        name = None if state == NO_STATE else STATES[state].value
        found.append((*batch.machines[machine], at, name, *floats, *integers, batch.metrics.get(index)))
    return found


async def write_csv(path: Path, batches: AsyncIterator[ReadingBatch]) -> int:
    """Write a CSV file with a header; the number of rows. A text that a spreadsheet would execute is quoted with '."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        async for batch in batches:
            rows = rows_of(batch)
            writer.writerows(tuple(_harmless(value) for value in row) for row in rows)
            count += len(rows)
    return count


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else value


async def write_json_lines(path: Path, batches: AsyncIterator[ReadingBatch]) -> int:
    """Write one JSON object a line, the form that DuckDB turns into Parquet; the number of rows."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        async for batch in batches:
            rows = rows_of(batch)
            file.writelines(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows)
            count += len(rows)
    return count
