"""What a store is. The whole contract; ``duck.py`` and ``influx.py`` keep it, one test suite checks both.

Promises every store makes:

- A write that returned is durable. A write may be repeated: the same keys change nothing ("insert or ignore").
- ``write_readings`` makes the readings and their dirty hours durable together, or the dirty hours after the readings.
- Reads see every write that returned before they began.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from fleet.batch import MachineKey, ReadingBatch
from fleet.records import Document, HourBucket


class StoreError(Exception):
    """Base of what a caller can decide on. Anything else a store raises is a bug and stops the program."""


class StoreUnavailable(StoreError):
    """Again later: unreachable, overloaded, out of space, or a reply that was lost. Nothing is known to be written."""


class StoreLost(StoreUnavailable):
    """What it had confirmed is gone. It takes writes again: whoever kept that can write it again."""


class StoreRejected(StoreError):
    """These rows never: the others of the batch are written.

    Attributes:
        rows: index in the batch -> why the store refuses it.
    """

    def __init__(self, rows: Mapping[int, str]) -> None:
        super().__init__(f"{len(rows)} rows refused; the first because {next(iter(rows.values()), 'of nothing')}")
        self.rows = dict(rows)


class StoreRefused(StoreError):
    """Not before a person acts: wrong token, missing organisation or right, a file in use or of a newer version."""


class DirtyHour(NamedTuple):
    """Readings of that machine and hour became durable at that arrival time."""

    machine: MachineKey
    hour: int  # start, epoch seconds UTC
    arrived_ms: int  # epoch ms by the clock of the writer


class Store(Protocol):
    """Where readings, hours and documents are kept."""

    async def open(self) -> None:
        """Connect and make what is missing.

        Raises:
            StoreUnavailable: it cannot be reached now.
            StoreRefused: a person must act first.
        """

    async def close(self) -> None:
        """Finish what was begun and let go. Safe to call twice."""

    async def write_readings(self, batch: ReadingBatch) -> None:
        """Insert or ignore by key; mark each (machine, hour) touched as dirty.

        Raises:
            StoreUnavailable: keep the batch, again later.
            StoreRejected: every other row is written.
        """

    async def read_readings(self, machines: Sequence[MachineKey], start_ms: int, end_ms: int) -> ReadingBatch:
        """Readings with start <= device time < end, ordered by machine (in the given order), then ``at_ns``."""

    async def last_reading(self, machine: MachineKey, before_ms: int) -> ReadingBatch:
        """The newest reading of the machine with device time < ``before_ms``; an empty batch without one."""

    async def known_machines(self) -> list[MachineKey]:
        """Every machine that has a reading, sorted."""

    async def read_dirty(self, since_ms: int) -> list[DirtyHour]:
        """Dirty hours that became durable at or after ``since_ms`` by this store's arrival clock, oldest first."""

    async def write_hours(self, hours: Iterable[HourBucket]) -> None:
        """Insert or replace, every field of every bucket."""

    async def read_hours(self, machines: Sequence[MachineKey] | None, start: int, end: int) -> list[HourBucket]:
        """Buckets with start <= hour < end (epoch seconds), of the machines (None: all), by machine, then hour."""

    async def write_documents(self, documents: Iterable[Document]) -> None:
        """Insert; for one (member, machine, kind) the document with the largest ``at`` is the one read back."""

    async def read_documents(self, kind: str, member: str | None = None) -> list[Document]:
        """Newest documents whose kind is ``kind`` or begins with ``kind + "/"``, not withdrawn, sorted by machine."""

    async def forget(self, member: str, machine: str, before_ms: int) -> int:
        """Delete the machine's readings older than ``before_ms``; the number deleted, or -1 when it is not told."""

    async def count_readings(self) -> dict[MachineKey, int]:
        """Number of readings kept of every machine."""
