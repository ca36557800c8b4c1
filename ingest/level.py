"""How much the spool may hold, and how much it holds."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from ingest.quarantine import NOTHING, Figures, figures

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the spool may hold.

    Attributes:
        quota_bytes: of batches that wait for the store; beyond it nothing more is taken. One batch always fits.
        min_free_bytes: free space that must remain on the disk.
        grace_ms: how long a stored batch stays; less when waiting batches need the quota.
    """

    quota_bytes: int = 8 * 2**30
    min_free_bytes: int = 256 * 2**20
    grace_ms: int = DAY_MS


@dataclass(slots=True)
class Level:
    """How full the spool is; ``stored_bytes`` apart, of the waiting batches alone. ``oldest_ms`` is 0 without one."""

    batches: int = 0
    bytes: int = 0
    readings: int = 0
    stored_bytes: int = 0
    oldest_ms: int = 0
    quarantine: Figures = NOTHING


def measured(db: sqlite3.Connection) -> Level:
    """The level as the file has it."""
    row = db.execute(
        "SELECT count(*) FILTER (WHERE stored_ms IS NULL), total(bytes) FILTER (WHERE stored_ms IS NULL),"
        " total(readings) FILTER (WHERE stored_ms IS NULL), total(bytes) FILTER (WHERE stored_ms IS NOT NULL)"
        " FROM batch"
    ).fetchone()
    batches, held, readings, stored = map(int, row)
    return Level(batches, held, readings, stored, oldest_ms(db), figures(db))


def oldest_ms(db: sqlite3.Connection) -> int:
    """When the oldest waiting batch was made; 0 without one."""
    row = db.execute("SELECT made_ms FROM batch WHERE stored_ms IS NULL ORDER BY id LIMIT 1").fetchone()
    return int(row[0]) if row else 0
