"""The spool's file: its tables and its version."""

import sqlite3
from pathlib import Path
from typing import Final

from ingest import apart
from ingest.errors import SpoolFull, SpoolNewer

VERSION: Final = 5
_UPGRADES: Final = {
    # the earliest files lack the index
    1: "CREATE INDEX IF NOT EXISTS batch_waiting ON batch (id, made_ms) WHERE stored_ms IS NULL;",
    2: "ALTER TABLE loss ADD COLUMN since_ms INTEGER; ALTER TABLE loss ADD COLUMN messages INTEGER;",
    3: apart.TABLE,
    4: "",  # batches may be packed, see ingest.packed
}
"""Version -> what makes the next one of it. New columns stand last, and may be NULL: rows are rescued by position."""
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CHECKED_BYTES: Final = 256 * 2**20  # larger files are not read through at the start; damage is found on the way

_TABLES: Final = """
CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    data BLOB NOT NULL,          -- see ingest.packed
    bytes INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    stored_ms INTEGER            -- when the store confirmed it
);
CREATE INDEX batch_waiting ON batch (id, made_ms) WHERE stored_ms IS NULL;
CREATE INDEX batch_stored ON batch (stored_ms) WHERE stored_ms IS NOT NULL;
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY, data BLOB NOT NULL, readings INTEGER NOT NULL, made_ms INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE kept (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,          -- reject or unclaimed
    member TEXT NOT NULL,
    machine TEXT NOT NULL,
    topic TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    rule TEXT NOT NULL,
    indices TEXT NOT NULL,       -- JSON list: which elements of an array; empty list: the whole payload
    sha256 TEXT NOT NULL,
    prefix BLOB NOT NULL,
    payload BLOB,                -- whole; NULL when larger than what is kept
    bytes INTEGER NOT NULL
);
CREATE INDEX kept_member ON kept (kind, member, id);
CREATE TABLE tally (
    kind TEXT NOT NULL, member TEXT NOT NULL, reason TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (kind, member, reason)
) WITHOUT ROWID;
CREATE TABLE device (
    member TEXT NOT NULL, topic TEXT NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    messages INTEGER NOT NULL, prefix BLOB NOT NULL, guess TEXT NOT NULL,
    PRIMARY KEY (member, topic)
) WITHOUT ROWID;
CREATE TABLE seen (packet_id INTEGER PRIMARY KEY, hash BLOB NOT NULL, epoch INTEGER NOT NULL);
CREATE TABLE loss (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, reason TEXT NOT NULL,
    since_ms INTEGER, messages INTEGER  -- see ingest.losses.Loss
);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the spool's file, made when it is missing, brought to this version when it is older.

    Every commit is on disk when it returns.

    Raises:
        SpoolNewer: the file is of a later version.
        sqlite3.DatabaseError: damaged, full or not readable.
    """
    db = sqlite3.connect(path, isolation_level=None)
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise SpoolNewer(f"{path} is of version {version}; this program reads up to {VERSION}: install a newer one")
        db.execute("PRAGMA page_size = 16384")  # of a new file; batches are large, and fewer pages are cheaper
        _make_durable(db)
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} {apart.TABLE} PRAGMA user_version = {VERSION}; COMMIT;")
        elif path.stat().st_size <= _CHECKED_BYTES:
            finding = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if finding != "ok":
                raise _damaged(finding)
        for older in range(version or VERSION, VERSION):
            db.executescript(f"BEGIN IMMEDIATE; {_UPGRADES[older]} PRAGMA user_version = {older + 1}; COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


def reopen(path: Path) -> sqlite3.Connection:
    """A connection to a file that was open a moment ago, whatever is wrong with it."""
    db = sqlite3.connect(path, isolation_level=None)
    _make_durable(db)
    return db


def _make_durable(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")


def _damaged(finding: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(finding)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def is_full(error: sqlite3.DatabaseError) -> bool:
    """Whether the disk is full, broken or read-only: the same may succeed later."""
    return _code(error) in _FULL


def damage_of(path: Path, error: sqlite3.DatabaseError) -> str:
    """What is damaged.

    Raises:
        SpoolFull: the disk is full, broken or read-only.
        sqlite3.DatabaseError: ``error`` itself, when something else is wrong.
    """
    if is_full(error):
        raise SpoolFull(f"{path}: {error}") from error
    if _code(error) not in _DAMAGED:
        raise error
    return str(error)


def _code(error: sqlite3.DatabaseError) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
