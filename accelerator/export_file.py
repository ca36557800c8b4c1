"""``resilian export``: readings of some machines as one file, a day of a machine at a time; or their hours."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from accelerator.problems import Missing
from fleet.batch import MachineKey, ReadingBatch
from store import Store, files

_DAY_MS = 86_400_000


async def write(
    store: Store, keys: Sequence[MachineKey], start: datetime | None, end: datetime, path: Path, file_format: str
) -> dict[str, Any]:
    """Write the readings of [start, end) to ``path``, complete or not at all; ``{"rows", "machines", "path"}``.

    Raises:
        Missing: the file cannot be written.
    """
    batches = _days(store, keys, start, end)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".resilian-export-") as folder:
            draft, lines = Path(folder) / path.name, Path(folder) / "lines"
            if file_format == "csv":
                rows = await files.write_csv(draft, batches)
            else:
                rows = await files.write_json_lines(lines, batches)
                _parquet(lines, draft)
            draft.replace(path)
    except OSError as error:
        raise Missing(f"{path}: cannot be written: {error.strerror}") from None
    return {"rows": rows, "machines": len(keys), "path": str(path)}


async def write_hours(
    store: Store, keys: Sequence[MachineKey], start: datetime | None, end: datetime, path: Path
) -> dict[str, Any]:
    """Write the hours that begin in [start, end) to ``path``, likewise.

    Raises:
        Missing: the file cannot be written.
    """
    from store.hours_file import hours_writer  # as above

    first = 0 if start is None else int(start.timestamp())
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".resilian-export-") as folder:
            draft = Path(folder) / path.name
            with hours_writer(draft) as writer:
                for key in sorted(keys):
                    buckets = await store.read_hours([key], first, int(end.timestamp()))
                    await asyncio.to_thread(writer.append, buckets)
            draft.replace(path)
    except OSError as error:
        raise Missing(f"{path}: cannot be written: {error.strerror}") from None
    return {"rows": writer.rows, "machines": len(keys), "path": str(path)}


def _parquet(lines: Path, target: Path) -> None:
    from store.duck_file import parquet_of  # DuckDB takes a moment to load, and few commands need it

    parquet_of(lines, target)


async def _days(
    store: Store, keys: Sequence[MachineKey], start: datetime | None, end: datetime
) -> AsyncIterator[ReadingBatch]:
    """Batches by machine, then day; days without a reading are passed over from the newest reading backwards."""
    first_ms = -(2**62) // 1_000_000 if start is None else round(start.timestamp() * 1000)
    end_ms = round(end.timestamp() * 1000)
    for key in keys:
        spans = []
        until = end_ms
        while len(last := await store.last_reading(key, until)):
            newest = int(last.rows["at_ns"][0]) // 1_000_000
            if newest < first_ms:
                break
            day = newest // _DAY_MS * _DAY_MS
            spans.append((max(day, first_ms), until))
            until = day
        for low, high in reversed(spans):
            yield await store.read_readings([key], low, high)
