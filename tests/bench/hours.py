"""What it costs to read hours from Parquet, by how columns are encoded and by whom they are read.

usage: python -m tests.bench.hours [--machines 200]

Least of five, CPU nanoseconds an hour of a machine: names, hour and seconds in five states, what a sweep reads.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from accelerator.bench.made_hours import write
from store.columns import SECONDS
from store.hours_plan import KEYS, NAMES, READ, plan
from store.hours_read import read

WAYS: Final[dict[str, dict[str, Any]]] = {
    "all by dictionary, Zstandard": {"compression": "zstd"},
    "all by dictionary, LZ4": {"compression": "lz4"},
    "seconds plain, LZ4": {"compression": "lz4", "use_dictionary": list(KEYS)},
    "seconds plain, hours as differences, Zstandard": {
        "compression": "zstd", "use_dictionary": list(NAMES), "column_encoding": {"hour": "DELTA_BINARY_PACKED"},
    },
    "seconds plain, hours as differences, LZ4 (ours)": {
        "compression": "lz4", "use_dictionary": list(NAMES), "column_encoding": {"hour": "DELTA_BINARY_PACKED"},
    },
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="reading hours from Parquet")
    parser.add_argument("--machines", type=int, default=200)
    machines = parser.parse_args().machines
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder) / "ours.parquet"
        rows = write(ours, machines, 52, 1, lambda done, total, what="": None)
        whole = pq.read_table(ours)
        nullable = whole.cast(pa.schema([field.with_nullable(True) for field in whole.schema]))
        doubles = nullable.cast(
            pa.schema([field.with_type(pa.float64()) if field.name in SECONDS else field for field in nullable.schema])
        )
        tables = {"": whole, ", may be null": nullable, ", may be null, double precision": doubles}
        for name, options in WAYS.items():
            for kind, table in tables.items():
                path = Path(folder) / "other.parquet"
                pq.write_table(table, path, row_group_size=rows, **options)
                _tell(name + kind, path, rows, partial(_by_arrow, path))
        _tell("ours, a member at a time, checked, as a sweep reads it", ours, rows, partial(_by_us, ours))
        _tell("ours, read by DuckDB without the names", ours, rows, partial(_by_duckdb, ours))


def _tell(name: str, path: Path, rows: int, read: Callable[[], object]) -> None:
    spent = []
    for _ in range(5):
        begun = time.process_time()
        read()
        spent.append(time.process_time() - begun)
    figures = {"ns_per_hour": round(1e9 * min(spent) / rows, 1), "bytes_per_hour": round(path.stat().st_size / rows, 2)}
    sys.stdout.write(json.dumps({"how": name, **figures}) + "\n")


def _by_arrow(path: Path) -> object:
    with pq.ParquetFile(path, read_dictionary=list(NAMES), memory_map=True) as file:
        return file.read_row_group(0, columns=[*KEYS, *READ], use_threads=False)


def _by_us(path: Path) -> object:
    planned = plan(path, 1)
    return sum(len(grid.machines) for grid in read(planned.parts, planned.start, (planned.end - planned.start) // 3600))


def _by_duckdb(path: Path) -> object:
    with duckdb.connect(config={"threads": 1}) as connection:
        columns = ", ".join(("hour", *READ))
        return connection.read_parquet(str(path)).project(columns).fetchnumpy()


if __name__ == "__main__":
    main()
