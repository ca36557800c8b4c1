"""What is kept in a spool's file, for commands; also while a collector runs."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleet.batch import NO_INT, BatchCorrupt, ReadingBatch
from ingest import quarantine
from ingest.rejects import Kind, text

_FIELDS = (
    "id, kind, member, machine, topic, at_ms, reason, field, value, rule, indices, sha256, prefix, payload IS NOT NULL,"
    " CASE WHEN reason = 'store' THEN payload END"
)


def listed(path: Path, *, kind: Kind | None = None, member: str | None = None) -> list[dict[str, Any]]:
    """Kept messages, oldest first: ``{"id", "kind", "member", "machine", "topic", "at", "reason", "field", "value",
    "rule", "indices", "sha256", "prefix", "whole", "readings"}``; ``readings`` of what the store refused:
    ``[{"at", "seq", "boot"}]``, for no payload of a device is left of those.

    Args:
        path: the spool, ``<data_dir>/spool.sqlite``.
        kind: rejects or unclaimed alone.
        member: those below this member's name alone.

    Raises:
        FileNotFoundError: there is no spool.
        sqlite3.DatabaseError: it cannot be read.
    """
    with _reading(path) as db:
        rows = db.execute(
            f"SELECT {_FIELDS} FROM kept WHERE (? IS NULL OR kind = ?) AND (? IS NULL OR member = ?) ORDER BY id",  # noqa: S608 - names of our own
            (kind, kind, member, member),
        ).fetchall()
    names = ("id", "kind", "member", "machine", "topic", "at", "reason", "field", "value", "rule")
    return [
        {
            **dict(zip(names, row, strict=False)),
            "indices": json.loads(row[10]),
            "sha256": row[11],
            "prefix": text(row[12]),
            "whole": bool(row[13]),
            "readings": _readings(row[14]),
        }
        for row in rows
    ]


def quarantined(path: Path) -> list[dict[str, Any]]:
    """Batches lost to damage, as :func:`ingest.quarantine.listed`; errors as :func:`listed`."""
    with _reading(path) as db:
        return quarantine.listed(db)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no spool {path}")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA query_only = 1")
        yield db


def _readings(payload: bytes | None) -> list[dict[str, int | None]]:
    """Which readings the store refused; empty of a message that never became any, and of one that is damaged."""
    if payload is None:
        return []
    try:
        rows = ReadingBatch.from_bytes(payload).rows
    except (BatchCorrupt, ValueError):
        return []
    columns = ((rows["at_ns"] // 1_000_000).tolist(), rows["seq"].tolist(), rows["boot"].tolist())
    return [
        {"at": at, "seq": None if seq == NO_INT else seq, "boot": None if boot == NO_INT else boot}
        for at, seq, boot in zip(*columns, strict=True)
    ]
