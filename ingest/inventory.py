"""Which batches wait in the spool or are in quarantine, beside its file: what a damaged file lacks can be named.

Written after the commit and before the acknowledgement, without waiting for the disk: a killed program leaves it whole;
a machine without power may leave it some seconds old, and what was lost since is then not named.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ingest import schema


class Waiting(NamedTuple):
    """A batch that the store has not confirmed, and that nobody has given up."""

    id: int
    readings: int
    made_ms: int


class Inventory:
    """The file ``path``; a damaged or missing one is begun anew and names nothing.

    Raises:
        SpoolFull: there is no room to open it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stale = False
        """A change could not be written; :meth:`restart` makes it true again."""
        try:
            self._db = self._opened()
            self._read()
        except sqlite3.DatabaseError as error:
            schema.damage_of(path, error)
            self._remove()
            self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = OFF")
            columns = "id INTEGER PRIMARY KEY, readings INTEGER NOT NULL, made_ms INTEGER NOT NULL"
            db.execute(f"CREATE TABLE IF NOT EXISTS waiting ({columns})")
        except BaseException:
            db.close()
            raise
        return db

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _read(self) -> list[Waiting]:
        return [Waiting(*row) for row in self._db.execute("SELECT id, readings, made_ms FROM waiting ORDER BY id")]

    def waiting(self) -> list[Waiting]:
        """Every batch that waited at the last change; nothing when the file was found damaged."""
        with contextlib.suppress(sqlite3.DatabaseError):
            return self._read()
        return []

    def add(self, batches: Iterable[Waiting]) -> None:
        """These wait, too."""
        self._change("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?)", batches)

    def remove(self, ids: Sequence[int]) -> None:
        """These wait no more."""
        self._change("DELETE FROM waiting WHERE id = ?", [(number,) for number in ids])

    def restart(self, batches: Iterable[Waiting]) -> None:
        """These wait, and no others."""
        self.stale = False
        self._change("DELETE FROM waiting", [()])
        self.add(batches)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _change(self, statement: str, rows: Iterable[Sequence[int]]) -> None:
        """Never fails: without room or with a damaged file it is stale until it can be made anew."""
        try:
            self._db.execute("BEGIN")
            self._db.executemany(statement, rows)
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError:
            self.stale = True
            with contextlib.suppress(sqlite3.DatabaseError):
                self._db.execute("ROLLBACK")
