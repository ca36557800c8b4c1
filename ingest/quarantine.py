"""Batches that are lost to damage: those whose bytes cannot be read, and those that the file holds no more.

They stay here until a person has seen them: the number of readings is known although the readings are not.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fleet.batch import BatchCorrupt
from ingest import packed
from ingest.inventory import Waiting

GONE = "the file was damaged and holds it no more"


class Figures(NamedTuple):
    """What is in quarantine."""

    batches: int = 0
    readings: int = 0


NOTHING = Figures()


def put_aside(db: sqlite3.Connection, batch_id: int, reason: str) -> None:
    """A batch cannot be read: out of the way of the others, its bytes kept."""
    db.execute(
        "INSERT OR REPLACE INTO quarantine (id, data, readings, made_ms, reason)"
        " SELECT id, data, readings, made_ms, ? FROM batch WHERE id = ?",
        (reason, batch_id),
    )
    db.execute("DELETE FROM batch WHERE id = ?", (batch_id,))


def compared(db: sqlite3.Connection, known: Sequence[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
    """Those of the batches that are neither in the spool nor in quarantine; and those whose row says something else.

    Damage may have altered a row beside its batch; one that was stored a moment before the program was killed is among
    the latter, too.
    """
    missing, altered = [], []
    for batch in known:
        row = db.execute("SELECT readings, made_ms, stored_ms FROM batch WHERE id = ?", (batch.id,)).fetchone()
        if row is None:
            if not db.execute("SELECT 1 FROM quarantine WHERE id = ?", (batch.id,)).fetchone():
                missing.append(batch)
        elif row != (batch.readings, batch.made_ms, None):
            altered.append(batch)
    return missing, altered


def put_right(db: sqlite3.Connection, batches: Iterable[Waiting]) -> None:
    """What is known to wait, waits; the store has it once, too, when it was stored before."""
    db.executemany(
        "UPDATE batch SET readings = ?, made_ms = ?, stored_ms = NULL, bytes = length(data) WHERE id = ?",
        [(batch.readings, batch.made_ms, batch.id) for batch in batches],
    )


def add_gone(db: sqlite3.Connection, batches: Sequence[Waiting]) -> None:
    """These (one or more) are in the file no more; new batches take other ids."""
    rows = [(batch.id, batch.readings, batch.made_ms, GONE) for batch in batches]
    db.executemany("INSERT INTO quarantine (id, data, readings, made_ms, reason) VALUES (?, x'', ?, ?, ?)", rows)
    last = max(number for number, *_ in rows)
    if not db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'batch'", (last,)).rowcount:
        db.execute("INSERT INTO sqlite_sequence VALUES ('batch', ?)", (last,))


def known(db: sqlite3.Connection) -> list[Waiting]:
    """Every batch that waits for the store or is in quarantine: what the inventory shall name."""
    query = (
        "SELECT id, readings, made_ms FROM batch WHERE stored_ms IS NULL"
        " UNION ALL SELECT id, readings, made_ms FROM quarantine"
    )
    return [Waiting(*row) for row in db.execute(query)]


def figures(db: sqlite3.Connection) -> Figures:
    """How much there is."""
    return Figures(*db.execute("SELECT count(*), ifnull(sum(readings), 0) FROM quarantine").fetchone())


def listed(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Each batch, oldest first: ``{"id", "at", "readings", "bytes", "reason"}``; ``at`` is when it was committed."""
    rows = db.execute("SELECT id, made_ms, readings, length(data), reason FROM quarantine ORDER BY id")
    return [dict(zip(("id", "at", "readings", "bytes", "reason"), row, strict=True)) for row in rows]


def retry(db: sqlite3.Connection) -> int:
    """Let the batches wait for the store again that can be read now; how many."""
    again = []
    for batch_id, data in db.execute("SELECT id, data FROM quarantine WHERE data != x''"):
        try:
            packed.batch_of(data)
        except (BatchCorrupt, ValueError, TypeError):
            continue
        again.append((batch_id,))
    db.executemany(
        "INSERT INTO batch (id, data, bytes, readings, made_ms)"
        " SELECT id, data, length(data), readings, made_ms FROM quarantine WHERE id = ?",
        again,
    )
    db.executemany("DELETE FROM quarantine WHERE id = ?", again)
    return len(again)


def dismiss(db: sqlite3.Connection) -> int:
    """A person has seen the loss: forget every batch in quarantine; how many readings there were."""
    readings = figures(db).readings
    db.execute("DELETE FROM quarantine")
    return readings
