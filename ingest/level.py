"""How much the spool may hold, and how much it holds."""

import shutil
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ingest import apart
from ingest.quarantine import NOTHING, Figures, figures

DAY_MS: Final = 86_400_000
_PAGES: Final = 16 * 16_384
"""For indexes and half-filled pages."""
_UNUSED: Final = "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size"


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
    """How full the spool is; ``stored_bytes`` excepted, of the waiting batches alone.

    Attributes:
        oldest_ms: epoch ms of the oldest one that is in no lane, 0 without one.
        apart: readings that wait in the lane of a loud member.
    """

    batches: int = 0
    bytes: int = 0
    readings: int = 0
    stored_bytes: int = 0
    oldest_ms: int = 0
    quarantine: Figures = NOTHING
    apart: Counter[str] = field(default_factory=Counter)


def measured(db: sqlite3.Connection) -> Level:
    """The level as the file has it."""
    row = db.execute(
        "SELECT count(*) FILTER (WHERE stored_ms IS NULL), total(bytes) FILTER (WHERE stored_ms IS NULL),"
        " total(readings) FILTER (WHERE stored_ms IS NULL), total(bytes) FILTER (WHERE stored_ms IS NOT NULL)"
        " FROM batch"
    ).fetchone()
    batches, held, readings, stored = map(int, row)
    lanes = Counter({member: lane.readings for member, lane in apart.lanes(db).items()})
    return Level(batches, held, readings, stored, oldest_ms(db), figures(db), lanes)


def oldest_ms(db: sqlite3.Connection) -> int:
    """When the oldest waiting batch that is in no lane was made; 0 without one."""
    row = db.execute(apart.OLDEST).fetchone()
    return int(row[0]) if row else 0


def room(level: Level, limits: Limits, free_bytes: int) -> int:
    """Bytes that may wait besides what does, by the quota or by what is free on the disk: what is stored gives way."""
    return min(limits.quota_bytes - level.bytes, free_bytes - limits.min_free_bytes + level.stored_bytes)


def is_short(db: sqlite3.Connection, path: Path, size: int, limits: Limits) -> int:
    """0 when ``size`` bytes of batches may be written; else how much has to be free inside the file before.

    Where the disk has no room, the pages of what was deleted are written again, and the file does not grow.
    """
    if shutil.disk_usage(path.parent).free - size >= limits.min_free_bytes:
        return 0
    need = size + size // 8 + _PAGES
    unused: int = db.execute(_UNUSED).fetchone()[0]
    return 0 if unused >= need else need
