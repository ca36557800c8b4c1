"""Different readings of one machine and one millisecond that have the same key by chance: none takes another's place.

A commit sets its own readings apart (:mod:`ingest.keys`); those of different commits are set apart here, before they
are written: the later one takes the next key of its millisecond that no other reading has, in the store or among what
is written with it. The same reading again finds itself there and changes nothing, so a redelivery, a resend or a
repush makes no second one.

Only a millisecond of which the store may have something already is looked up: one in a span of time in which readings
of the machine were written (:mod:`ingest.covered`). What the last write alone brought is known without asking.
There is one writer of a machine's readings, or two in the moment in which its member is handed over.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from fleet.batch import MachineKey, ReadingBatch, Rows, empty_rows
from fleet.clock import now_ms
from ingest.covered import NEVER, Covered, Span, ends_of
from ingest.keys import CONTENT, PER_MS, content_of, next_key, shared
from store import Store, StoreRejected

_log = structlog.get_logger(__name__)
_SPAN_MS: Final = 60_000
_MACHINE_MS: Final = 12 * 3_600_000
"""Of the store, so long is read at once, or of several machines together so long: memory is bounded."""
_GAPS: Final = 6
"""Readings further apart than the span divided by this are looked for apart."""
_UNREADABLE: Final = "another program wrote what cannot be read among our readings; what comes is not compared with it"
_AHEAD_MS: Final = 86_400_000
"""No reading is newer than a few minutes ahead of us, see :mod:`ingest.decoders.times`."""


class Stretch(NamedTuple):
    """What the store has of some machines in some time is to be looked at: ``rows`` of a batch lie in it."""

    first_ms: int
    last_ms: int
    rows: NDArray[np.intp]


class ReadingSink(Protocol):
    """What takes readings, as :class:`store.base.Store` does."""

    async def write_readings(self, batch: ReadingBatch) -> None: ...


class Twins:
    """Writes readings to ``store`` so that none takes the place of another; one for all that is written to it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._covered = Covered()  # but for the last write
        self._last: ReadingBatch | None = None
        self._spans: dict[MachineKey, Span] = {}  # of the last write
        self._there: frozenset[MachineKey] | None = None  # machines of which the store had anything when it was asked
        self._handed: set[str] = set()

    def forget(self, member: str) -> None:
        """The member goes to another collector, or comes from one, which writes its readings meanwhile; ask again."""
        self._handed.add(member)

    async def write_readings(self, batch: ReadingBatch) -> None:
        """Write them all, some of them under other keys of their millisecond.

        Raises:
            StoreUnavailable, StoreRejected, StoreRefused: as the store itself, which is read, too.
        """
        self._forget_handed()
        await self._meet(batch.machines)
        rows = batch.rows
        ms = rows["at_ns"] // PER_MS
        far = self._covered.holds(batch.machines, rows["machine"], ms)
        close = ~far & (self._in_last(batch.machines, rows["machine"], ms) | _in(ms, shared(rows["at_ns"]) // PER_MS))
        found = moves(batch, np.flatnonzero(close), self._written(batch.machines, ms[close])) if close.any() else {}
        for stretch in stretches(ms, np.flatnonzero(far), span_ms(len(np.unique(rows["machine"][far])))):
            found |= moves(batch, stretch.rows, await self._stored(batch, stretch))
        batch = _moved(batch, found) if found else batch
        try:
            await self._store.write_readings(batch)
        except StoreRejected:
            self._remember(batch, ms)
            raise
        self._remember(batch, ms)

    def _forget_handed(self) -> None:
        """Before a write and not during one, which would remember again what it began with."""
        if self._handed:
            handed, self._handed, self._there = self._handed, set(), None
            self._covered.forget(handed)

    def _remember(self, batch: ReadingBatch, ms: NDArray[np.int64]) -> None:
        if self._last is not None:
            known = np.array([key in self._covered for key in self._last.machines], dtype=bool)
            rows = self._last.rows[known[self._last.rows["machine"]]]
            self._covered.add(self._last.machines, rows["machine"], rows["at_ns"] // PER_MS)
        self._last = batch
        first, last = ends_of(len(batch.machines), batch.rows["machine"], ms)
        self._spans = dict(zip(batch.machines, zip(first.tolist(), last.tolist(), strict=True), strict=True))

    def _in_last(
        self, machines: tuple[MachineKey, ...], places: NDArray[np.integer], ms: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether each time lies between the machine's first and last of the last write."""
        spans = np.array([self._spans.get(key, NEVER) for key in machines], dtype=np.int64).reshape(-1, 2)
        inside: NDArray[np.bool_] = (spans[places, 0] <= ms) & (ms <= spans[places, 1])
        return inside

    def _written(self, machines: tuple[MachineKey, ...], ms: NDArray[np.int64]) -> ReadingBatch:
        """What the last write has of these machines in that time; ``machine`` indexes them."""
        if self._last is None:
            return ReadingBatch(machines, empty_rows(0))
        place = {key: index for index, key in enumerate(machines)}
        places = np.array([place.get(key, -1) for key in self._last.machines], dtype=np.int64)
        at = self._last.rows["at_ns"]
        inside = (at >= ms.min() * PER_MS) & (at < (ms.max() + 1) * PER_MS)
        found = self._last.take(np.flatnonzero(inside & (places[self._last.rows["machine"]] >= 0)))
        found.rows["machine"] = places[found.rows["machine"]]
        return ReadingBatch(machines, found.rows, found.metrics)

    async def _meet(self, machines: tuple[MachineKey, ...]) -> None:
        """Learn of each machine that is new whether, and until when, the store may have readings of it."""
        new = [key for key in machines if key not in self._covered]
        if new:
            if self._there is None:
                self._there = frozenset(await self._store.known_machines())
            there = sorted(self._there.intersection(new))
            found = dict(zip(there, await asyncio.gather(*map(self._last_ms, there)), strict=True))
            for key in new:
                self._covered.until(key, found.get(key))

    async def _last_ms(self, key: MachineKey) -> int | None:
        end_ms = now_ms() + _AHEAD_MS
        try:
            found = await self._store.last_reading(key, end_ms)
        except ValueError as error:
            _log.warning(_UNREADABLE, machine=key, reason=str(error))
            return end_ms
        return int(found.rows["at_ns"][0]) // PER_MS if len(found) else None

    async def _stored(self, batch: ReadingBatch, stretch: Stretch) -> ReadingBatch:
        """What the store has in that time of the machines in it; ``machine`` indexes the batch's."""
        present = np.unique(batch.rows["machine"][stretch.rows]).tolist()
        machines = [batch.machines[index] for index in present]
        try:
            found = await self._store.read_readings(machines, stretch.first_ms, stretch.last_ms + 1)
        except ValueError as error:
            _log.warning(_UNREADABLE, machines=machines, reason=str(error))
            return ReadingBatch(batch.machines, empty_rows(0))
        found.rows["machine"] = np.array(present, dtype=np.uint32)[found.rows["machine"]]
        return ReadingBatch(batch.machines, found.rows, found.metrics)


def _moved(batch: ReadingBatch, places: Mapping[int, int]) -> ReadingBatch:
    _log.info("readings have the key of another one of their millisecond; they take the next", readings=len(places))
    rows = batch.rows.copy()
    rows["at_ns"][list(places)] = list(places.values())
    return ReadingBatch(batch.machines, rows, batch.metrics)


def span_ms(machines: int) -> int:
    """How long a stretch of readings of so many machines may be: half a day of one, a minute of 720 and more."""
    return max(_SPAN_MS, _MACHINE_MS // max(machines, 1))


def stretches(ms: NDArray[np.int64], near: NDArray[np.intp], longest_ms: int) -> list[Stretch]:
    """The given rows by time, in stretches that are short and whole.

    Args:
        ms: device times of all rows, epoch ms; shape (n,).
        longest_ms: of a stretch; two rows a sixth of it apart are in different ones.
    """
    found = []
    order = near[np.argsort(ms[near], kind="stable")]
    times = ms[order]
    start = 0
    while start < len(order):
        end = int(np.searchsorted(times, times[start] + longest_ms, side="left"))
        gaps = np.flatnonzero(np.diff(times[start:end]) > longest_ms // _GAPS)
        end = start + int(gaps[0]) + 1 if len(gaps) else end
        found.append(Stretch(int(times[start]), int(times[end - 1]), np.sort(order[start:end])))
        start = end
    return found


def moves(batch: ReadingBatch, near: NDArray[np.intp], stored: ReadingBatch) -> dict[int, int]:
    """Row -> its new key time, nanoseconds, for those of the rows ``near`` that must give way.

    A row keeps its key, or takes the next one of its millisecond (a ring) that is free or has the same reading, among
    what is stored and the rows before it. Its commit may have moved it on already, so it is looked for before its key,
    too, as far as keys are taken without a gap.

    Args:
        near: rows in order, of some milliseconds all that the batch has of their machine.
        stored: what the store has of these milliseconds; ``machine`` indexes the batch's machines.
    """
    crowded = _crowded(batch, near, stored)
    if not len(crowded):
        return {}
    taken: dict[tuple[int, int], Any] = {}
    for row in np.flatnonzero(_in(stored.rows["at_ns"] // PER_MS, crowded)).tolist():
        taken[_key(stored.rows, row)] = content_of(stored.rows, row, stored.metrics)
    found = {}
    for row in near[_in(batch.rows["at_ns"][near] // PER_MS, crowded)].tolist():
        machine, place = _key(batch.rows, row)
        content, at_ns = content_of(batch.rows, row, batch.metrics), place
        if taken.get((machine, place), content) != content:
            place = _own(taken, machine, place, content)
        while taken.setdefault((machine, place), content) != content:
            place = next_key(place)
        if place != at_ns:
            found[row] = place
    return found


def _own(taken: Mapping[tuple[int, int], Any], machine: int, place: int, content: list[Any]) -> int:
    """Where the same reading is, at one of the keys taken before ``place``; else ``place``."""
    before = next_key(place, -1)
    while before != place and taken.get((machine, before), content) != content:
        before = next_key(before, -1)
    return before if (machine, before) in taken else place


def _crowded(batch: ReadingBatch, near: NDArray[np.intp], stored: ReadingBatch) -> NDArray[np.int64]:
    """The milliseconds in which a key may be that of two different readings, each once; of whatever machine."""
    keys, order = batch.rows["at_ns"][near], np.argsort(stored.rows["at_ns"], kind="stable")
    there = stored.rows["at_ns"][order]
    place = np.searchsorted(there, keys)
    met = np.flatnonzero(there[np.minimum(place, len(there) - 1)] == keys) if len(there) else place[:0]
    ours, theirs = near[met], order[place[met]]
    same = _alike(batch.rows[ours], stored.rows[theirs])
    if batch.metrics or stored.metrics:
        pairs = zip(ours.tolist(), theirs.tolist(), strict=True)
        texts = [batch.metrics.get(row, "") == stored.metrics.get(other, "") for row, other in pairs]
        same &= np.array(texts, dtype=bool)
    return np.unique(np.concatenate([keys[met[~same]], shared(keys)]) // PER_MS)


def _alike(rows: Rows, others: Rows) -> NDArray[np.bool_]:
    """Whether each row is of the machine of the other, with the same content; metrics apart."""
    alike: NDArray[np.bool_] = rows["machine"] == others["machine"]
    for name in CONTENT:
        alike &= (rows[name] == others[name]) | ((rows[name] != rows[name]) & (others[name] != others[name]))
    return alike


def _in(values: NDArray[np.int64], some: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.isin(values, some) if len(some) else np.zeros(len(values), dtype=bool)


def _key(rows: Rows, row: int) -> tuple[int, int]:
    return int(rows["machine"][row]), int(rows["at_ns"][row])
