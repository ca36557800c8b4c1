"""The spool's file: its tables, its version, and what is done when it is damaged."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from ingest.errors import SpoolNewer

VERSION: Final = 1
_CHECKED_BYTES: Final = 256 * 2**20  # larger files are not read through at the start; damage is found on the way

_TABLES: Final = """
CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    data BLOB NOT NULL,          -- ReadingBatch.to_bytes()
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
CREATE TABLE loss (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the spool's file, made when it is missing; every commit is on disk when it returns.

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
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        elif path.stat().st_size <= _CHECKED_BYTES:
            finding = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if finding != "ok":
                raise _damaged(finding)
    except BaseException:
        db.close()
        raise
    return db


def _damaged(finding: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(finding)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def rescue(path: Path, reason: str) -> str:
    """Put a damaged file aside under another name and save every row that can be read; a sentence that reports it."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    new = open_file(path)
    saved = 0
    try:
        with contextlib.closing(sqlite3.connect(aside)) as old:
            for table in ("meta", "batch", "quarantine", "kept", "tally", "device", "seen", "loss"):
                saved += _copy(old, new, table)
    except sqlite3.DatabaseError as error:
        reason = f"{reason}; {error}"
    finally:
        new.close()
    return f"{path} was damaged ({reason}): {saved} rows were saved from it, and it was kept as {aside.name}"


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> int:
    """Copy rows from both ends of a table until a page that cannot be read."""
    before = new.total_changes
    new.execute("BEGIN")
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.DatabaseError):
            first = {"meta": "name", "tally": "kind", "device": "member"}.get(table, "rowid")
            for row in old.execute(f"SELECT * FROM {table} ORDER BY {first} {order}"):  # noqa: S608 - names of our own
                marks = ", ".join("?" * len(row))
                new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608
    new.execute("COMMIT")
    return new.total_changes - before
