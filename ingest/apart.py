"""Which batches of the spool wait apart from the others, in the lane of a loud member: its table."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

TABLE: Final = """
CREATE TABLE IF NOT EXISTS apart (batch_id INTEGER PRIMARY KEY, member TEXT NOT NULL, readings INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS apart_lane ON apart (member, batch_id);
"""
OTHERS: Final = (
    "SELECT id, data, readings FROM batch"
    " WHERE stored_ms IS NULL AND id > ? AND id <= ? AND id NOT IN (SELECT batch_id FROM apart) ORDER BY id"
)
"""Waiting batches after one id and up to another that are in no lane."""
LANE: Final = (
    "SELECT id, data, batch.readings FROM apart CROSS JOIN batch ON id = batch_id"
    " WHERE stored_ms IS NULL AND batch_id > ? AND batch_id <= ? AND member = ? ORDER BY batch_id"
)
"""The same of one lane; a cross join keeps SQLite from reading the lane as a whole first."""
OLDEST: Final = (
    "SELECT made_ms FROM batch WHERE stored_ms IS NULL AND id NOT IN (SELECT batch_id FROM apart) ORDER BY id LIMIT 1"
)


class Lane(NamedTuple):
    """What waits in a lane."""

    readings: int
    newest: int


def remember(db: sqlite3.Connection, batch_id: int | None, member: str, readings: int) -> None:
    """That batch waits apart; in the transaction that makes it durable."""
    db.execute("INSERT INTO apart VALUES (?, ?, ?)", (batch_id, member, readings))


def forget(db: sqlite3.Connection, ids: Sequence[int]) -> Counter[str]:
    """Those batches wait no more; how many readings of which lane that were."""
    found: Counter[str] = Counter()
    for batch_id in ids:
        row = db.execute("DELETE FROM apart WHERE batch_id = ? RETURNING member, readings", (batch_id,)).fetchone()
        if row is not None:
            found[row[0]] += row[1]
    return found


def lanes(db: sqlite3.Connection) -> dict[str, Lane]:
    """Every lane in which something waits."""
    rows = db.execute(
        "SELECT member, sum(readings), max(batch_id) FROM apart"
        " WHERE batch_id IN (SELECT id FROM batch WHERE stored_ms IS NULL) GROUP BY member"
    )
    return {member: Lane(readings, newest) for member, readings, newest in rows}
