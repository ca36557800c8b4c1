"""The numbers of all machines, burst by burst: columns as long as every device counts on, lives when one does not."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleet.batch import NO_INT, READING, MachineKey, ReadingBatch, Rows
from ingest.columns import Runs
from ingest.gaps.source import Source

_Longs = NDArray[np.int64]
_TOGETHER: Final = 2_048
"""Rows: a batch costs some 30 microseconds however small it is, and small ones come often."""
_SAVE_MS: Final = 5_000
_NS_PER_MS: Final = 1_000_000
_BYTES: Final = np.dtype((np.void, READING.itemsize))  # NumPy copies such rows at once, structured ones field by field


class Refused(NamedTuple):
    """Readings of a machine that came and were refused, by their (boot, seq): they are no gap."""

    key: MachineKey
    numbers: list[tuple[int, int]]
    arrived_ms: int


class Numbers:
    """Follows the numbers of every machine.

    What it knows is a fold over the batches in the order of their commits: a saved state and the batches since give it
    back after a restart. Numbers of refused readings stand in no batch, so after them the state is due.

    Attributes:
        machines: every one met so far, by :meth:`index`.
    """

    def __init__(self) -> None:
        self.machines: list[MachineKey] = []
        self._index: dict[MachineKey, int] = {}
        self._sources: list[Source] = []
        # Of each machine's last life: the columns are the truth, and its Life is brought up to date when needed.
        self._boot, self._top, self._newest = (np.empty(0, dtype=np.int64) for _ in range(3))
        self._waiting: list[tuple[Rows, NDArray[np.intp]]] = []
        self._waiting_rows = 0
        self._saved_ms = 0
        self._must_save = False

    def index(self, key: MachineKey) -> int:
        """The place of a machine, the same as long as the program runs."""
        index = self._index.get(key)
        if index is None:
            index = self._index[key] = len(self.machines)
            self.machines.append(key)
            self._sources.append(Source())
            if index == len(self._top):
                more = np.full(index + 64, NO_INT)  # doubled each time: machines come one after the other
                self._boot, self._top, self._newest = (
                    np.append(column, more) for column in (self._boot, self._top, self._newest)
                )
        return index

    def forget(self, member: str) -> None:
        """Another collector follows this member from now on: what it sends next to us, if ever, begins afresh."""
        self._catch_up()
        for key, index in self._index.items():
            if key.member == member:
                self._sources[index] = Source()
                self._boot[index] = self._top[index] = self._newest[index] = NO_INT
                self._must_save = True

    def follow(self, batch: ReadingBatch, indices: NDArray[np.intp] | None = None) -> None:
        """Take the numbers of a batch, in its order; ``indices`` are those of its machines, if they are known.

        Many small batches are looked at together.
        """
        if indices is None:
            indices = np.array([self.index(key) for key in batch.machines], dtype=np.intp)
        self._waiting.append((batch.rows, indices))
        self._waiting_rows += len(batch.rows)
        if self._waiting_rows >= _TOGETHER:
            self._catch_up()

    def _catch_up(self) -> None:
        """Look at what waits."""
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0
        if not waiting:
            return
        rows = np.concatenate([rows.view(_BYTES) for rows, _ in waiting]).view(READING)
        if rows["seq"].max() >= 0:  # NO_INT is negative
            runs = Runs.of(np.concatenate([indices[rows["machine"]] for rows, indices in waiting]))
            self._follow(rows, runs.values, runs)

    def _follow(self, rows: Rows, index: NDArray[np.intp], runs: Runs) -> None:
        order, starts = runs.order, runs.starts
        seq, boot, at_ns = (rows[name].take(order) for name in ("seq", "boot", "at_ns"))
        well = seq == _before(seq, starts, self._top[index]) + 1
        well &= boot == _before(boot, starts, self._boot[index])
        newest = np.maximum(self._newest[index], np.maximum.reduceat(at_ns, starts) // _NS_PER_MS)
        last = seq[runs.ends - 1]
        if well.all():
            self._top[index], self._newest[index] = last, newest
            return
        good = np.logical_and.reduceat(well, starts)
        self._top[index[good]], self._newest[index[good]] = last[good], newest[good]
        for run in np.flatnonzero(~good & (np.maximum.reduceat(seq, starts) >= 0)).tolist():
            span = order[starts[run] : runs.ends[run]]
            columns = (rows[name].take(span).tolist() for name in ("boot", "seq", "at_ns", "arrived_ms"))
            self._carefully(int(index[run]), zip(*columns, strict=True))

    def refused(self, refused: Sequence[Refused]) -> None:
        """Take the numbers of readings that came and were refused."""
        if refused:
            self._catch_up()
        for each in refused:
            self._refuse(*each)

    def _refuse(self, key: MachineKey, numbers: Iterable[tuple[int, int]], arrived_ms: int) -> None:
        index = self.index(key)
        source = self._current(index)
        for boot, number in numbers:
            life = source.lives.get(boot)
            at_ms = life.newest_ms if life else arrived_ms
            self._carefully(index, [(boot, number, at_ms * _NS_PER_MS, arrived_ms)])
            self._must_save = True

    def expire(self, now_ms: int) -> None:
        """Await no more what is missing for long."""
        self._catch_up()
        for source in self._sources:
            source.expire(now_ms)

    def sources(self) -> Iterator[tuple[MachineKey, Source]]:
        """Every machine's, as it is now."""
        self._catch_up()
        for key, index in self._index.items():
            yield key, self._current(index)

    # --- over a restart

    def to_save(self, now_ms: int) -> str | None:
        """The state, when it is time to write it with the next commit; until :meth:`saved` it stays due."""
        if not self._index or not (self._must_save or now_ms - self._saved_ms >= _SAVE_MS):
            return None
        rows = [[*key, source.as_row()] for key, source in self.sources()]
        return json.dumps(rows, separators=(",", ":"))

    def saved(self, now_ms: int) -> None:
        """The state is on disk."""
        self._saved_ms, self._must_save = now_ms, False

    @classmethod
    def of(cls, body: str) -> "Numbers":
        """From a saved state."""
        numbers = cls()
        rows: list[list[Any]] = json.loads(body)
        for member, machine, row in rows:
            index = numbers.index(MachineKey(member, machine))
            numbers._sources[index] = Source.of_row(row)
            numbers._show(index)
        return numbers

    # --- one machine

    def _carefully(self, index: int, numbers: Iterable[tuple[int, int, int, int]]) -> None:
        source = self._current(index)
        for boot, number, at_ns, arrived_ms in numbers:
            if number >= 0:
                source.take(boot, number, at_ns // _NS_PER_MS, arrived_ms)
        self._show(index)

    def _current(self, index: int) -> Source:
        """The source with its last life brought up to date."""
        source = self._sources[index]
        if source.boot is not None:
            life = source.lives[source.boot]
            life.top, life.newest_ms = int(self._top[index]), int(self._newest[index])
        return source

    def _show(self, index: int) -> None:
        """Bring the columns up to date."""
        source = self._sources[index]
        if source.boot is not None:
            life = source.lives[source.boot]
            self._boot[index], self._top[index], self._newest[index] = source.boot, life.top, life.newest_ms


def _before(column: _Longs, starts: NDArray[np.intp], heads: _Longs) -> _Longs:
    """The value before each, which for the first of each machine is that of ``heads``."""
    found = np.empty_like(column)
    found[1:] = column[:-1]
    found[starts] = heads
    return found
