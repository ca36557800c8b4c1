"""The state of :class:`ingest.gaps.numbers.Numbers` in the spool's file, with the batch up to which it holds."""

import contextlib
import sqlite3
from typing import Final

from fleet.batch import BatchCorrupt
from ingest import packed
from ingest.gaps.numbers import Numbers

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS numbering (id INTEGER PRIMARY KEY CHECK (id = 1), batch INTEGER NOT NULL,"
    " body TEXT NOT NULL)"
)
_NEWEST: Final = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'batch'"


def remember(db: sqlite3.Connection, body: str | None) -> None:
    """Write a state that holds the transaction's own batch and all before; nothing for None."""
    if body is None:
        return
    db.execute(_TABLE)  # a file that replaced a damaged one has none
    db.execute(f"INSERT OR REPLACE INTO numbering SELECT 1, ({_NEWEST}), ?", (body,))


def load(db: sqlite3.Connection) -> Numbers:
    """The state after the newest batch: what was written, and the batches since; without it, all begins with the next.

    A batch that cannot be read is passed over: its readings are missing, and are told to be.
    """
    db.execute(_TABLE)
    row = db.execute("SELECT batch, body FROM numbering").fetchone()
    if row is None:
        return Numbers()
    numbers = Numbers.of(row[1])
    for (data,) in db.execute("SELECT data FROM batch WHERE id > ? ORDER BY id", (row[0],)):
        with contextlib.suppress(BatchCorrupt, ValueError, TypeError):
            numbers.follow(packed.batch_of(data))
    return numbers
