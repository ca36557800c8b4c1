"""The spool's file: opened, looked through, mended; every change of it is one transaction."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ingest import damage, quarantine, schema
from ingest.errors import SpoolFull
from ingest.inventory import Inventory
from ingest.level import Level, measured
from ingest.rejects import Bounds

_T = TypeVar("_T")


class SpoolFile:
    """The file and its inventory; belongs to one thread.

    Attributes:
        db: the connection; another one after damage was mended.
        inventory: which batches wait, beside the file.
        level: how full it is, as its owner counts; :meth:`measure` reads it again.
        bounds: of what is kept of each member.

    Raises:
        SpoolNewer: the file was written by a newer program.
        SpoolFull: the disk has no room to open it.
    """

    bounds: Bounds
    level: Level

    def __init__(self, path: Path, on_damage: Callable[[str], None]) -> None:
        self.path = path
        self._on_damage = on_damage
        path.parent.mkdir(parents=True, exist_ok=True)
        self.inventory = Inventory(path.with_name(f"{path.name}.inventory"))
        self.db = self._opened()
        self._looked_through()

    def close(self) -> None:
        """Let go of it."""
        self.db.close()
        self.inventory.close()

    def measure(self) -> None:
        """Read from the file how full it is."""
        self.level = measured(self.db)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            self.bounds = Bounds(self.db)
            self.measure()
            raise

    def guarded(self, action: Callable[[], _T]) -> _T:
        """Run ``action``; on a damaged file save what can be read into a new one, and run it again.

        Raises:
            SpoolFull: the disk is full, broken or read-only.
        """
        try:
            return action()
        except sqlite3.DatabaseError as error:
            reason = schema.damage_of(self.path, error)
        self.db.close()
        try:
            self.db = self._rescued(reason)
        except SpoolFull:
            self.db = schema.reopen(self.path)
            raise
        self._looked_through()
        return action()

    def _opened(self) -> sqlite3.Connection:
        """The file opened; a damaged one is replaced by a new one with what can be read of it."""
        try:
            if report := damage.mend_log(self.path):
                self._on_damage(report)
            return schema.open_file(self.path)
        except OSError as error:
            raise SpoolFull(f"{self.path}: {error.strerror}") from error
        except sqlite3.DatabaseError as error:
            return self._rescued(schema.damage_of(self.path, error))

    def _rescued(self, reason: str) -> sqlite3.Connection:
        try:
            self._on_damage(damage.rescue(self.path, reason))
        except (sqlite3.DatabaseError, OSError) as error:
            raise SpoolFull(f"{self.path} is damaged ({reason}) and there is no room to mend it: {error}") from error
        return schema.open_file(self.path)

    def _looked_through(self) -> None:
        """Measure what is there, and name what waited and is there no more."""
        known = self.inventory.waiting()
        self.bounds = Bounds(self.db)
        gone, altered = quarantine.compared(self.db, known)
        if altered:
            with self.transaction() as db:
                quarantine.put_right(db, altered)
        if gone:
            with self.transaction() as db:
                quarantine.add_gone(db, gone)
            readings = sum(batch.readings for batch in gone)
            self._on_damage(f"{len(gone)} batches of {self.path} with {readings} readings are gone with the damage")
        self.inventory.restart(quarantine.known(self.db))
        self.measure()
