"""The embedded store: one DuckDB file, one process.

All writes go through one thread, because concurrent upserts of one table raise ConstraintException; reads have threads
and cursors of their own. A ConstraintException here is therefore a bug and is not translated.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import duckdb
import numpy as np
from duckdb import DuckDBPyConnection as Connection
from numpy.typing import NDArray

from fleet.batch import NO_INT, MachineKey, ReadingBatch, empty_rows
from fleet.records import Document, HourBucket
from fleet.states import NO_STATE
from store import columns as shared
from store.base import DirtyHour, StoreLost, StoreRejected, StoreUnavailable
from store.duck_file import inode, insert, insert_new_readings, is_outage, open_file, transaction

T = TypeVar("T")

_READING_FIELDS: Final = ("arrived_ms", "state", *shared.FLOATS, *shared.INTEGERS)
_HOUR_FIELDS: Final = ("hour", *shared.HOUR_FIELDS)
_HOURS_AT_ONCE: Final = 50_000
_LOOK_BACK_MS: Final = (86_400_000, 32 * 86_400_000, 2**62)
"""A newest reading is sought in the last day, then month, then everywhere: blocks outside the range are not read."""


class DuckStore:
    """Keeps :class:`store.base.Store` on DuckDB; ``path`` is a file or ``:memory:``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._clock = shared.ArrivalClock()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._cursors = 0
        self._ids: dict[MachineKey, int] = {}
        self._writer: ThreadPoolExecutor | None = None
        self._readers: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="duck-write")
            self._readers = ThreadPoolExecutor(2, thread_name_prefix="duck-read")
        await asyncio.get_running_loop().run_in_executor(self._writer, self._touch)

    async def close(self) -> None:
        pools = [pool for pool in (self._writer, self._readers) if pool is not None]
        self._writer = self._readers = None
        for pool in pools:
            await asyncio.to_thread(pool.shutdown)
        await asyncio.to_thread(self._let_go)

    async def write_readings(self, batch: ReadingBatch) -> None:
        refused = shared.refused_rows(batch)
        kept = shared.without_rows(batch, refused)[0] if refused else batch
        if len(kept):
            await self._write(lambda connection: self._insert_readings(connection, kept))
        if refused:
            raise StoreRejected(refused)

    async def read_readings(self, machines: Sequence[MachineKey], start_ms: int, end_ms: int) -> ReadingBatch:
        order = tuple(dict.fromkeys(machines))
        return await self._read(lambda connection: self._select_readings(connection, order, start_ms, end_ms))

    async def last_reading(self, machine: MachineKey, before_ms: int) -> ReadingBatch:
        def select(connection: Connection) -> ReadingBatch:
            found = ReadingBatch((machine,), empty_rows(0))
            for look_back in _LOOK_BACK_MS:
                found = self._select_readings(connection, (machine,), before_ms - look_back, before_ms, newest=True)
                if len(found):
                    break
            return found

        return await self._read(select)

    async def known_machines(self) -> list[MachineKey]:
        return sorted(await self.count_readings())

    async def count_readings(self) -> dict[MachineKey, int]:
        query = """SELECT member, machine, n FROM (SELECT machine_id, count(*) n FROM readings GROUP BY 1)
                   JOIN machines ON id = machine_id ORDER BY 1, 2"""
        rows = await self._read(lambda connection: connection.execute(query).fetchall())
        return {MachineKey(member, machine): count for member, machine, count in rows}

    async def read_dirty(self, since_ms: int) -> list[DirtyHour]:
        query = """SELECT member, machine, hour, arrived_ms FROM dirty JOIN machines ON id = machine_id
                   WHERE arrived_ms >= ? ORDER BY arrived_ms, member, machine, hour"""

        def select(connection: Connection) -> list[DirtyHour]:
            rows = connection.execute(query, [since_ms]).fetchall()
            return [DirtyHour(MachineKey(member, machine), hour, arrived) for member, machine, hour, arrived in rows]

        return await self._read(select)  # all of it in the reader's thread: there may be 300,000 rows

    async def write_hours(self, hours: Iterable[HourBucket]) -> None:
        buckets = shared.distinct_hours(hours)
        for first in range(0, len(buckets), _HOURS_AT_ONCE):
            part = buckets[first : first + _HOURS_AT_ONCE]
            await self._write(lambda connection, part=part: self._replace_hours(connection, part))  # type: ignore[misc]  # a lambda's default hides its type

    async def read_hours(self, machines: Sequence[MachineKey] | None, start: int, end: int) -> list[HourBucket]:
        return await self._read(lambda connection: self._select_hours(connection, machines, start, end))

    async def write_documents(self, documents: Iterable[Document]) -> None:
        rows = list(shared.newest(documents).values())
        if rows:
            await self._write(lambda connection: _insert_documents(connection, rows))

    async def read_documents(self, kind: str, member: str | None = None) -> list[Document]:
        query = """SELECT member, machine, kind, made_ms, body FROM documents
                   WHERE (kind = $1 OR starts_with(kind, $1 || '/')) AND ($2 IS NULL OR member = $2) AND body <> ''
                   ORDER BY member, machine, kind"""
        rows = await self._read(lambda connection: connection.execute(query, [kind, member]).fetchall())
        return [
            Document(member=owner, machine=machine, kind=full, at=at, body=body)
            for owner, machine, full, at, body in rows
        ]

    async def forget(self, member: str, machine: str, before_ms: int) -> int:
        def delete(connection: Connection) -> int:
            identity = self._ids.get(MachineKey(member, machine))
            if identity is None:
                return 0
            end = shared.key_range(0, before_ms)[1]
            row = connection.execute("DELETE FROM readings WHERE machine_id = ? AND ts < ?", [identity, end]).fetchone()
            return int(row[0]) if row else 0

        return await self._write(delete)

    def _insert_readings(self, connection: Connection, batch: ReadingBatch) -> None:
        rows = batch.rows
        identities = self._identities(connection, batch.machines)
        columns: dict[str, Any] = {name: np.ascontiguousarray(rows[name]) for name in _READING_FIELDS}
        columns["state"] = shared.masked(columns["state"], columns["state"] == NO_STATE)
        columns |= {name: shared.masked(columns[name], np.isnan(columns[name])) for name in shared.FLOATS}
        columns |= {name: shared.masked(columns[name], columns[name] == NO_INT) for name in shared.INTEGERS}
        columns["machine_id"] = identities[rows["machine"]]
        columns["ts"] = np.ascontiguousarray(rows["at_ns"])
        if batch.metrics:
            columns["metrics"] = shared.texts([batch.metrics.get(row) or None for row in range(len(rows))])
        machine, hour = shared.machine_hours(rows)
        arrived = np.full(len(hour), self._clock.stamp(), dtype=np.int64)
        dirty = {"machine_id": identities[machine], "hour": hour, "arrived_ms": arrived}
        with transaction(connection):
            insert_new_readings(connection, columns)
            insert(connection, "INSERT OR REPLACE INTO dirty", dirty)

    def _replace_hours(self, connection: Connection, buckets: Sequence[HourBucket]) -> None:
        position = {key: index for index, key in enumerate({bucket.key: None for bucket in buckets})}
        identities = self._identities(connection, tuple(position))
        columns = shared.hour_columns(buckets)
        columns["machine_id"] = identities[np.array([position[bucket.key] for bucket in buckets], dtype=np.intp)]
        insert(connection, "INSERT OR REPLACE INTO hours", columns)

    def _identities(self, connection: Connection, machines: Sequence[MachineKey]) -> NDArray[np.uint32]:
        """The numbers that stand for the machines, shape (len(machines),); new ones are made."""
        new = [key for key in machines if key not in self._ids]
        if new:
            numbers = range(len(self._ids), len(self._ids) + len(new))
            rows = [[number, *key] for number, key in zip(numbers, new, strict=True)]
            with transaction(connection):
                connection.executemany("INSERT INTO machines VALUES (?, ?, ?)", rows)
            self._ids = self._ids | dict(zip(new, numbers, strict=True))
        return np.array([self._ids[key] for key in machines], dtype=np.uint32)

    def _select_readings(
        self, connection: Connection, machines: Sequence[MachineKey], start_ms: int, end_ms: int, newest: bool = False
    ) -> ReadingBatch:
        """Readings of the range by machine in the order given, then key; with ``newest`` only the newest of all."""
        identities = {self._ids[key]: position for position, key in enumerate(machines) if key in self._ids}
        if not identities:
            return ReadingBatch(tuple(machines), empty_rows(0))
        query = f"""SELECT machine_id, ts, {", ".join(_READING_FIELDS)}, metrics FROM readings
                    WHERE {_among(identities)} AND ts >= ? AND ts < ?
                    {"ORDER BY ts DESC LIMIT 1" if newest else ""}"""  # noqa: S608  # numbers and constants only
        found = connection.execute(query, list(shared.key_range(start_ms, end_ms))).fetchnumpy()
        return _batch(tuple(machines), identities, found)

    def _select_hours(
        self, connection: Connection, machines: Sequence[MachineKey] | None, start: int, end: int
    ) -> list[HourBucket]:
        wanted = "true" if machines is None else _among(self._ids[key] for key in machines if key in self._ids)
        query = f"""SELECT machine_id, {", ".join(_HOUR_FIELDS)} FROM hours
                    WHERE {wanted} AND hour >= ? AND hour < ?"""  # noqa: S608  # numbers and constants only
        found = connection.execute(query, [start, end]).fetchnumpy()
        numbers = found.pop("machine_id")
        return shared.hour_buckets(list(self._ids), numbers, found)

    async def _write(self, job: Callable[[Connection], T]) -> T:
        return await self._run(self._writer, job)

    async def _read(self, job: Callable[[Connection], T]) -> T:
        return await self._run(self._readers, job)

    async def _run(self, pool: ThreadPoolExecutor | None, job: Callable[[Connection], T]) -> T:
        if pool is None:
            raise RuntimeError(f"the store {self.path} is not open")

        def with_cursor() -> T:
            with self._cursor() as cursor:
                return job(cursor)

        try:
            return await asyncio.get_running_loop().run_in_executor(pool, with_cursor)
        except duckdb.Error as error:
            if not is_outage(error):
                raise
            await asyncio.to_thread(self._let_go)  # the instance may refuse everything until it is opened again
            raise StoreUnavailable(f"store {self.path}: {error}") from error

    def _touch(self) -> None:
        with self._cursor():
            pass

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Connection]:
        """A connection of the calling thread's own; the file is opened again when it was let go.

        Raises:
            StoreLost: another file stands in its place, or none; it is opened (or made) with the next call.
        """
        with self._lock:
            if self._connection is not None and self._inode != inode(self.path):
                self._connection.close()
                self._connection = None
                raise StoreLost(f"store {self.path}: the file was removed or replaced; what was in it is gone")
            cursor = self._opened().cursor()
            self._cursors += 1
        try:
            with cursor:
                yield cursor
        finally:
            with self._lock:
                self._cursors -= 1

    def _opened(self) -> Connection:
        if self._connection is None:
            if self._cursors:  # the library would hand out the same instance once more
                raise StoreUnavailable(f"store {self.path}: is being let go, to be opened again")
            self._connection = open_file(self.path)
            self._inode = inode(self.path)
            rows = self._connection.execute("SELECT id, member, machine FROM machines ORDER BY id").fetchall()
            self._ids = {MachineKey(member, machine): number for number, member, machine in rows}
            newest = self._connection.execute("SELECT max(arrived_ms) FROM dirty").fetchall()[0][0]
            self._clock.stamp(at_least=newest or 0)
        return self._connection

    def _let_go(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with contextlib.suppress(duckdb.Error):
                    connection.close()


def _insert_documents(connection: Connection, documents: Sequence[Document]) -> None:
    columns: dict[str, Any] = {
        name: shared.texts([getattr(document, name) for document in documents])
        for name in ("member", "machine", "kind", "body")
    }
    columns["made_ms"] = np.array([document.at for document in documents], dtype=np.int64)
    newest_wins = """ON CONFLICT DO UPDATE SET made_ms = excluded.made_ms, body = excluded.body
                     WHERE excluded.made_ms >= documents.made_ms"""
    insert(connection, "INSERT INTO documents", columns, newest_wins)


def _among(numbers: Iterable[int]) -> str:
    """A condition on ``machine_id``."""
    return f"machine_id IN ({','.join(map(str, numbers)) or 'NULL'})"


def _batch(machines: tuple[MachineKey, ...], positions: dict[int, int], found: dict[str, Any]) -> ReadingBatch:
    """Fetched columns as a batch, ordered by machine, then key."""
    rows = empty_rows(len(found["ts"]))
    place = np.zeros(max(positions) + 1, dtype=np.uint32)
    place[list(positions)] = list(positions.values())
    rows["machine"] = place[found["machine_id"]]
    rows["at_ns"] = found["ts"]
    for name in _READING_FIELDS:
        column = found[name]
        missing = np.ma.getmaskarray(column)
        rows[name][~missing] = np.ma.getdata(column)[~missing]
    order = np.lexsort((rows["at_ns"], rows["machine"]))
    texts = found["metrics"]
    present = ~np.ma.getmaskarray(texts)[order]
    data = np.ma.getdata(texts)
    metrics = {int(row): str(data[order[row]]) for row in np.flatnonzero(present)}
    return ReadingBatch(machines, rows[order], metrics)
