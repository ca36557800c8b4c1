"""What is kept in a spool's file, for commands; also while a collector runs."""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from ingest.rejects import Kind, text

_FIELDS = (
    "id, kind, member, machine, topic, at_ms, reason, field, value, rule, indices, sha256, prefix, payload IS NOT NULL"
)


def listed(path: Path, *, kind: Kind | None = None, member: str | None = None) -> list[dict[str, Any]]:
    """Kept messages, oldest first: ``{"id", "kind", "member", "machine", "topic", "at", "reason", "field", "value",
    "rule", "indices", "sha256", "prefix", "whole"}``.

    Args:
        path: the spool, ``<data_dir>/spool.sqlite``.
        kind: rejects or unclaimed alone.
        member: those below this member's name alone.

    Raises:
        FileNotFoundError: there is no spool.
        sqlite3.DatabaseError: it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no spool {path}")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA query_only = 1")
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
        }
        for row in rows
    ]
