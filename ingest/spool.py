"""The spool: every reading is on disk here before its message is acknowledged.

One SQLite file, one connection, one thread (see :mod:`ingest.thread`). A commit holds the readings of a burst as one
row, its rejected and unclaimed messages, and what is remembered of packet ids; it is durable when it returns. A batch
is *waiting*, then *stored* (the store confirmed it), then, after a grace period, deleted: a store that lost what it
had confirmed can be filled again.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from fleet.batch import BatchCorrupt, ReadingBatch
from ingest import schema
from ingest.errors import SpoolFull
from ingest.rejects import Bounds, Reject, add_rejects, repair
from ingest.seen import Seen, remember
from ingest.sparkplug import memory
from ingest.unclaimed import Unclaimed, add_unclaimed

_T = TypeVar("_T")
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
DAY_MS: Final = 86_400_000


@dataclass(slots=True)
class Work:
    """What one commit makes durable."""

    batch: ReadingBatch | None = None
    rejects: list[Reject] = field(default_factory=list)
    unclaimed: list[Unclaimed] = field(default_factory=list)
    seen: dict[int, Seen] = field(default_factory=dict)
    repaired: list[int] = field(default_factory=list)
    """Ids of rejected or unclaimed messages that the batch now holds."""
    nodes: memory.Changes = memory.NOTHING

    def __bool__(self) -> bool:
        return bool(self.batch or self.rejects or self.unclaimed or self.seen or self.repaired or self.nodes.nodes)


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


class Spool:
    """The spool's file; every method belongs to the thread that made it.

    Raises:
        SpoolNewer: the file was written by a newer program.
        SpoolFull: the disk has no room to open it.
    """

    def __init__(
        self, path: Path, limits: Limits = Limits(), on_damage: Callable[[str], None] = lambda _: None
    ) -> None:
        self.path = path
        self.limits = limits
        self._on_damage = on_damage
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = self._opened()
        self.bounds = Bounds(self._db)
        self.level = self._measured()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # --- in

    def commit(self, work: Work, now_ms: int) -> int | None:
        """Make ``work`` durable, all or nothing; the id of its batch.

        Raises:
            SpoolFull: the quota or the disk is full; nothing is kept, and the same call may succeed later.
        """
        return self._guarded(lambda: self._commit(work, now_ms))

    def _commit(self, work: Work, now_ms: int) -> int | None:
        data = work.batch.to_bytes() if work.batch else b""
        self._make_room(len(data), now_ms)
        batch_id = None
        with self._transaction() as db:
            if work.batch:
                cursor = db.execute(
                    "INSERT INTO batch (data, bytes, readings, made_ms) VALUES (?, ?, ?, ?)",
                    (data, len(data), len(work.batch), now_ms),
                )
                batch_id = cursor.lastrowid
            repair(db, self.bounds, work.repaired)
            add_rejects(db, self.bounds, work.rejects)
            add_unclaimed(db, self.bounds, work.unclaimed)
            remember(db, work.seen)
            memory.remember(db, work.nodes)
        if work.batch:
            self.level.batches += 1
            self.level.bytes += len(data)
            self.level.readings += len(work.batch)
            self.level.oldest_ms = self.level.oldest_ms or now_ms
        return batch_id

    def _make_room(self, size: int, now_ms: int) -> None:
        if self.level.bytes and self.level.bytes + size > self.limits.quota_bytes:  # an empty spool takes any batch
            raise SpoolFull(f"{self.level.bytes} bytes wait for the store; the quota is {self.limits.quota_bytes}")
        free = shutil.disk_usage(self.path.parent).free
        if free - size < self.limits.min_free_bytes:
            raise SpoolFull(f"{free} bytes are free on the disk; {self.limits.min_free_bytes} must remain")
        excess = self.level.bytes + self.level.stored_bytes + size - self.limits.quota_bytes
        if excess > 0:
            self._delete_stored(now_ms, excess)

    # --- out

    def waiting(self, after: int, max_bytes: int) -> list[tuple[int, ReadingBatch]]:
        """The oldest waiting batches whose id is larger than ``after``: at least one, then up to ``max_bytes``.

        A batch whose bytes are not what was written is put aside and reported, and the next ones are read.
        """
        return self._guarded(lambda: self._waiting(after, max_bytes))

    def _waiting(self, after: int, max_bytes: int) -> list[tuple[int, ReadingBatch]]:
        found: list[tuple[int, ReadingBatch]] = []
        size = 0
        rows = self._db.execute(
            "SELECT id, data, readings FROM batch WHERE stored_ms IS NULL AND id > ? ORDER BY id", (after,)
        )
        damaged: list[tuple[int, int, str]] = []
        for batch_id, data, readings in rows:
            try:
                found.append((batch_id, ReadingBatch.from_bytes(data)))
            except (BatchCorrupt, ValueError, TypeError) as error:
                damaged.append((batch_id, readings, str(error)))
            size += len(data)
            if size >= max_bytes:
                break
        rows.close()
        for batch_id, readings, reason in damaged:
            self._put_aside(batch_id, readings, reason)
        return found or (self._waiting(damaged[-1][0], max_bytes) if damaged else [])

    def _put_aside(self, batch_id: int, readings: int, reason: str) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT INTO quarantine (id, data, readings, made_ms, reason)"
                " SELECT id, data, readings, made_ms, ? FROM batch WHERE id = ?",
                (reason, batch_id),
            )
            db.execute("DELETE FROM batch WHERE id = ?", (batch_id,))
        self.level = self._measured()
        self._on_damage(f"batch {batch_id} of the spool with {readings} readings is put aside: {reason}")

    def mark_stored(self, ids: Sequence[int], now_ms: int, refused: Sequence[Reject] = ()) -> None:
        """The store has these batches, but for the rows in ``refused``, which become durable here with the mark.

        Raises:
            SpoolFull: nothing is marked; again later.
        """
        self._guarded(lambda: self._mark_stored(ids, now_ms, refused))

    def _mark_stored(self, ids: Sequence[int], now_ms: int, refused: Sequence[Reject]) -> None:
        with self._transaction() as db:
            add_rejects(db, self.bounds, refused)
            for batch_id in ids:
                row = db.execute(
                    "UPDATE batch SET stored_ms = ? WHERE id = ? AND stored_ms IS NULL RETURNING bytes, readings",
                    (now_ms, batch_id),
                ).fetchone()
                if row is not None:
                    self.level.batches -= 1
                    self.level.bytes -= row[0]
                    self.level.stored_bytes += row[0]
                    self.level.readings -= row[1]
        self.level.oldest_ms = self._oldest_ms()

    def forget_stored(self, now_ms: int) -> None:
        """Delete a slice of the batches whose grace period is over."""
        self._guarded(lambda: self._delete_stored(now_ms - self.limits.grace_ms, 64 * 2**20))

    def _delete_stored(self, until_ms: int, size: int) -> None:
        rows = self._db.execute("SELECT id, bytes FROM batch WHERE stored_ms <= ? ORDER BY stored_ms, id", (until_ms,))
        ids = []
        for batch_id, held in rows:
            ids.append((batch_id,))
            size -= held
            self.level.stored_bytes -= held
            if size <= 0:
                break
        rows.close()
        if ids:
            with self._transaction() as db:
                db.executemany("DELETE FROM batch WHERE id = ?", ids)

    def repush(self, since_ms: int = 0) -> int:
        """Let all batches stored at or after ``since_ms`` wait again; how many."""

        def again() -> int:
            with self._transaction() as db:
                changed = db.execute("UPDATE batch SET stored_ms = NULL WHERE stored_ms >= ?", (since_ms,)).rowcount
            self.level = self._measured()
            return changed

        return self._guarded(again)

    def call(self, function: Callable[[sqlite3.Connection, Bounds], _T]) -> _T:
        """Run a function of :mod:`ingest.rejects` and the like in one transaction.

        Raises:
            SpoolFull: as :meth:`commit`.
        """

        def run() -> _T:
            with self._transaction() as db:
                return function(db, self.bounds)

        return self._guarded(run)

    # --- what can go wrong with the file

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self.bounds = Bounds(self._db)
            self.level = self._measured()
            raise

    def _guarded(self, action: Callable[[], _T]) -> _T:
        """Run ``action``; on a damaged file save what can be read into a new one, and run it again."""
        try:
            return action()
        except sqlite3.DatabaseError as error:
            damage = self._damage(error)
        self._db.close()
        self._on_damage(schema.rescue(self.path, damage))
        self._db = schema.open_file(self.path)
        self.bounds = Bounds(self._db)
        self.level = self._measured()
        return action()

    def _opened(self) -> sqlite3.Connection:
        """The file opened; a damaged one is replaced by a new one with what can be read of it."""
        try:
            return schema.open_file(self.path)
        except sqlite3.DatabaseError as error:
            damage = self._damage(error)
        self._on_damage(schema.rescue(self.path, damage))
        return schema.open_file(self.path)

    def _damage(self, error: sqlite3.DatabaseError) -> str:
        """What is damaged; raises when something else is wrong."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _FULL:
            raise SpoolFull(f"{self.path}: {error}") from error
        if code not in _DAMAGED:
            raise error
        return str(error)

    def _measured(self) -> Level:
        row = self._db.execute(
            "SELECT count(*) FILTER (WHERE stored_ms IS NULL), total(bytes) FILTER (WHERE stored_ms IS NULL),"
            " total(readings) FILTER (WHERE stored_ms IS NULL), total(bytes) FILTER (WHERE stored_ms IS NOT NULL)"
            " FROM batch"
        ).fetchone()
        return Level(int(row[0]), int(row[1]), int(row[2]), int(row[3]), self._oldest_ms())

    def _oldest_ms(self) -> int:
        row = self._db.execute("SELECT made_ms FROM batch WHERE stored_ms IS NULL ORDER BY id LIMIT 1").fetchone()
        return int(row[0]) if row else 0
