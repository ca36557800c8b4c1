"""The spool: every reading is on disk here before its message is acknowledged.

One SQLite file, one connection, one thread (see :mod:`ingest.thread`). A commit holds the readings of a burst as one
row, its rejected and unclaimed messages, and what is remembered of packet ids; it is durable when it returns. A batch
is *waiting*, then *stored* (the store confirmed it), then, after a grace period, deleted: a store that lost what it
had confirmed can be filled again.
"""

import shutil
import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final, TypeVar

from fleet.batch import READING, BatchCorrupt, ReadingBatch
from ingest import apart, handover, packed, quarantine
from ingest.errors import SpoolFull
from ingest.gaps import memory as gaps
from ingest.inventory import Waiting
from ingest.level import Level, Limits, is_short, oldest_ms
from ingest.merge import take_out
from ingest.rejects import Bounds, Reject, add_rejects, repair
from ingest.seen import remember
from ingest.sparkplug import memory
from ingest.spool_file import SpoolFile
from ingest.unclaimed import add_unclaimed
from ingest.work import Work

__all__ = ["Level", "Limits", "Spool", "Work"]
_T = TypeVar("_T")

_DEFAULT: Final = Limits()
_STORED: Final = "SELECT id, bytes FROM batch WHERE stored_ms <= ? ORDER BY stored_ms, id"
_REPUSH: Final = (
    "UPDATE batch SET stored_ms = NULL WHERE id IN"
    " (SELECT id FROM batch WHERE stored_ms BETWEEN ? AND ? LIMIT 1000)"
    " RETURNING id, readings, made_ms"
)
"""In slices: an update writes the batch again, and gigabytes of them in one transaction would fill the disk."""


class Spool:
    """The spool's file; every method belongs to the thread that made it.

    Raises:
        SpoolNewer: the file was written by a newer program.
        SpoolFull: the disk has no room to open it.
    """

    def __init__(
        self, path: Path, limits: Limits = _DEFAULT, on_damage: Callable[[str], None] = lambda _: None
    ) -> None:
        self.path = path
        self.limits = limits
        self._on_damage = on_damage
        self._file = SpoolFile(path, on_damage)

    @property
    def level(self) -> Level:
        """How full it is; read from any thread."""
        return self._file.level

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    # --- in

    def commit(self, work: Work, now_ms: int) -> int | None:
        """Make ``work`` durable, all or nothing; the id of the first of its parts, the next ones follow it by one.

        Raises:
            SpoolFull: the quota or the disk is full; nothing is kept, and the same call may succeed later.
        """
        return self._file.guarded(lambda: self._commit(work, now_ms))

    def _commit(self, work: Work, now_ms: int) -> int | None:
        much = self.level.bytes > packed.BEYOND_BYTES
        parts = [(lane, packed.bytes_of(batch, small=much), len(batch)) for lane, batch in work.parts]
        size = sum(len(data) for _, data, _ in parts)
        self._make_room(size, now_ms)
        ids: list[int] = []
        with self._file.transaction() as db:
            for lane, data, readings in parts:
                cursor = db.execute(
                    "INSERT INTO batch (data, bytes, readings, made_ms) VALUES (?, ?, ?, ?)",
                    (data, len(data), readings, now_ms),
                )
                ids.append(cursor.lastrowid or 0)
                if lane:
                    apart.remember(db, ids[-1], lane, readings)
            repair(db, self._file.bounds, work.repaired)
            add_rejects(db, self._file.bounds, work.rejects)
            add_unclaimed(db, self._file.bounds, work.unclaimed)
            remember(db, work.seen)
            memory.remember(db, work.nodes)
            gaps.remember(db, work.numbers)
            handover.remember(db, work.handovers)
        self.level.bytes += size
        self._file.inventory.add(
            Waiting(batch_id, readings, now_ms) for batch_id, (_, _, readings) in zip(ids, parts, strict=True)
        )
        for lane, _, readings in parts:
            self.level.batches += 1
            self.level.readings += readings
            if lane:
                self.level.apart[lane] += readings
            else:
                self.level.oldest_ms = self.level.oldest_ms or now_ms
        return ids[0] if ids else None

    def _make_room(self, size: int, now_ms: int) -> None:
        if self.level.bytes and self.level.bytes + size > self.limits.quota_bytes:  # an empty spool takes any batch
            raise SpoolFull(f"{self.level.bytes} bytes wait for the store; the quota is {self.limits.quota_bytes}")
        excess = self.level.bytes + self.level.stored_bytes + size - self.limits.quota_bytes
        if excess > 0:
            self._delete_stored(now_ms, excess)
        need = is_short(self._file.db, self.path, size, self.limits)
        if need:
            self._delete_stored(now_ms, need)  # the store has it; its pages are written again
            if is_short(self._file.db, self.path, size, self.limits):
                free = shutil.disk_usage(self.path.parent).free
                raise SpoolFull(f"{free} bytes are free on the disk; {self.limits.min_free_bytes} must remain")

    # --- out

    def waiting(
        self, after: int, max_bytes: int, *, lane: str = "", upto: int = 2**62
    ) -> list[tuple[int, ReadingBatch]]:
        """The oldest waiting batches with ``after`` < id <= ``upto``: at least one, then up to ``max_bytes``.

        Of the lane of a loud member, or of none. A batch that is not what was written is put aside and reported.
        """
        return self._file.guarded(lambda: self._waiting(after, max_bytes, lane, upto))

    def _waiting(self, after: int, max_bytes: int, lane: str, upto: int) -> list[tuple[int, ReadingBatch]]:
        found: list[tuple[int, ReadingBatch]] = []
        size = 0
        rows = self._file.db.execute(*((apart.LANE, (after, upto, lane)) if lane else (apart.OTHERS, (after, upto))))
        damaged: list[tuple[int, int, str]] = []
        for batch_id, data, readings in rows:
            try:
                found.append((batch_id, packed.batch_of(data)))
            except (BatchCorrupt, ValueError, TypeError) as error:
                damaged.append((batch_id, readings, str(error)))
            size += max(len(data), readings * READING.itemsize)  # packed or not, it takes that much memory
            if size >= max_bytes:
                break
        rows.close()
        for batch_id, readings, reason in damaged:
            self._put_aside(batch_id, readings, reason)
        return found or (self._waiting(damaged[-1][0], max_bytes, lane, upto) if damaged else [])

    def _put_aside(self, batch_id: int, readings: int, reason: str) -> None:
        with self._file.transaction() as db:
            quarantine.put_aside(db, batch_id, reason)
            apart.forget(db, [batch_id])
        self._file.measure()
        self._on_damage(f"batch {batch_id} of the spool with {readings} readings is put aside: {reason}")

    def mark_stored(
        self, ids: Sequence[int], now_ms: int, refused: Sequence[Reject] = (), rows: Collection[int] = ()
    ) -> None:
        """The store has these batches, but for what is ``refused``, which becomes durable here with the mark.

        Args:
            rows: of the refused readings, counted through all the batches in the order of ``ids``.

        Raises:
            SpoolFull: nothing is marked; again later.
        """
        self._file.guarded(lambda: self._mark_stored(ids, now_ms, refused, rows))

    def _mark_stored(self, ids: Sequence[int], now_ms: int, refused: Sequence[Reject], rows: Collection[int]) -> None:
        with self._file.transaction() as db:
            add_rejects(db, self._file.bounds, refused)
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
            if self.level.apart:
                self.level.apart -= apart.forget(db, ids)
            if rows:
                take_out(db, ids, rows)
        self._file.inventory.remove(ids)
        if self._file.inventory.stale:
            self._file.inventory.restart(quarantine.known(self._file.db))
        self.level.oldest_ms = oldest_ms(self._file.db)

    def forget_stored(self, now_ms: int) -> None:
        """Delete a slice of the batches whose grace period is over."""
        self._file.guarded(lambda: self._delete_stored(now_ms - self.limits.grace_ms, 64 * 2**20))

    def _delete_stored(self, until_ms: int, size: int) -> None:
        rows = self._file.db.execute(_STORED, (until_ms,))
        ids = []
        for batch_id, held in rows:
            ids.append((batch_id,))
            size -= held
            self.level.stored_bytes -= held
            if size <= 0:
                break
        rows.close()
        if ids:
            with self._file.transaction() as db:
                db.executemany("DELETE FROM batch WHERE id = ?", ids)

    def repush(self, since_ms: int, until_ms: int) -> int:
        """Let a slice of the batches stored in that span, ends included, wait again; how many, 0 when it is done."""

        def again() -> int:
            with self._file.transaction() as db:
                rows = db.execute(_REPUSH, (since_ms, until_ms)).fetchall()
            self._file.inventory.add(Waiting(*row[:3]) for row in rows)
            self._file.measure()
            return len(rows)

        return self._file.guarded(again)

    def call(self, function: Callable[[sqlite3.Connection, Bounds], _T], *, changes_batches: bool = False) -> _T:
        """Run a function of :mod:`ingest.rejects` and the like in one transaction.

        Raises:
            SpoolFull: as :meth:`commit`.
        """

        def run() -> _T:
            with self._file.transaction() as db:
                result = function(db, self._file.bounds)
            if changes_batches:
                self._file.inventory.restart(quarantine.known(db))
                self._file.measure()
            return result

        return self._file.guarded(run)
