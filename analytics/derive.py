"""Deriving hours where they are dirty: from which hour, with which carry, how far on, and what of it is new.

Two ways to the same buckets. At the head of a machine's history everything needed is in memory (:class:`Tail`), and
one read of the store serves many machines. Behind it, :func:`rederive` walks through the machine's dirty hours in
windows, and on from each until the carry is what it was.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from analytics.carry import parse, reopened
from analytics.ledger import Folded, fold
from analytics.states import DWELL_MS, StateModel
from fleet.batch import MachineKey, Rows
from fleet.records import HOUR_SECONDS, HourBucket
from store.base import Store

WINDOW_HOURS: Final = 28 * 24
"""Hours folded at once: bounds what is in memory of a machine that speaks every second to some hundred MB."""
TAIL_HOURS: Final = 6
_FAR: Final = 2**40


class Present(NamedTuple):
    """What the newest fold of a machine says of the instant at which it was made; times in epoch ms."""

    at_ms: int
    state: int
    since_ms: int | None
    next_ms: int | None
    last_ms: int | None
    alive: bool

    @classmethod
    def of(cls, folded: Folded, at_ms: int) -> "Present":
        """The present of a fold that ended at ``at_ms``."""
        return cls(at_ms, folded.state, folded.since_ms, folded.next_ms, folded.last_ms, folded.alive)


@dataclass
class Tail:
    """The newest buckets of a machine, as they stand in the store.

    Attributes:
        buckets: by hour.
        whole: whether they are all that there are.
    """

    buckets: dict[int, HourBucket] = field(default_factory=dict)
    whole: bool = False

    def entry(self, first: int, model: StateModel) -> tuple[int, str] | None:
        """Where to begin for readings in the hour ``first``, and with which carry; None when that lies further back."""
        newest = self._before(first)
        if newest is None:
            return (first, "") if self.whole else None
        if newest.model != model.version_at(newest.hour):
            return None
        start = reopened(parse(newest.carry), first, model) if newest.carry else first
        before = newest if start > newest.hour else self._before(start)
        if before is None:
            return (start, "") if self.whole else None
        return start, before.carry if before.model == model.version_at(before.hour) else ""

    def update(self, buckets: Iterable[HourBucket]) -> list[HourBucket]:
        """Take in newly made buckets; those that differ from what stood."""
        changed = [bucket for bucket in buckets if self.buckets.get(bucket.hour) != bucket]
        self.buckets.update((bucket.hour, bucket) for bucket in changed)
        return changed

    def trim(self) -> None:
        """Forget all but the newest."""
        if len(self.buckets) > TAIL_HOURS:
            self.buckets = dict(sorted(self.buckets.items())[-TAIL_HOURS:])
            self.whole = False

    @property
    def newest(self) -> HourBucket | None:
        """The newest bucket."""
        return self.buckets[max(self.buckets)] if self.buckets else None

    def from_hour(self, start: int) -> list[int]:
        """Hours that have a bucket, from ``start`` on."""
        return [hour for hour in self.buckets if hour >= start]

    def _before(self, hour: int) -> HourBucket | None:
        earlier = [key for key in self.buckets if key < hour]
        return self.buckets[max(earlier)] if earlier else None


def advance(
    key: MachineKey, tail: Tail, entry: tuple[int, str], rows: Rows, model: StateModel, now_ms: int
) -> tuple[list[HourBucket], Present]:
    """Fold the head of a machine's history; what is new of it, and the present. The tail is left as it is.

    ``rows`` are all readings from ``entry``'s hour on.
    """
    start, carry = entry
    standing = tail.from_hour(start)
    folded = fold(key, rows, model, start=start, now_ms=now_ms, carry=carry, standing=standing)
    changed = [bucket for bucket in folded.hours if tail.buckets.get(bucket.hour) != bucket]
    return changed, Present.of(folded, now_ms)


async def rederive(
    store: Store, key: MachineKey, model: StateModel, dirty: Iterable[int], now_ms: int, *, everything: bool = False,
    keep_before: int = 0,
) -> tuple[Tail, Present | None, int]:  # fmt: skip
    """Derive the dirty hours of one machine, wherever they lie, and all that follows from them, into the store.

    Args:
        dirty: hours with new readings, epoch seconds.
        everything: derive every hour that has a bucket again (the model is a new one); found out from them, too.
        keep_before: hours before it stand as they are then: their readings may be deleted by now.

    Returns:
        the newest buckets, the present (None when the newest hour was not reached), and the number of buckets written.

    Raises:
        store.base.StoreError: of what is written by then nothing is wrong; do it again.
    """
    return await _Rederivation(store, key, model, now_ms).run(set(dirty), everything, keep_before)


class _Rederivation:
    def __init__(self, store: Store, key: MachineKey, model: StateModel, now_ms: int) -> None:
        self.store, self.key, self.model, self.now_ms = store, key, model, now_ms
        self.tail = Tail()
        self.present: Present | None = None
        self.written = 0
        self.silence_hours = -(-model.max_silence_ms // (HOUR_SECONDS * 1000))

    async def run(self, dirty: set[int], everything: bool, keep_before: int) -> tuple[Tail, Present | None, int]:
        pending = {hour for hour in dirty if hour * 1000 < self.now_ms}
        self.tail = await self._standing(0 if everything else min(pending, default=_FAR))
        if not everything and self._stale(pending, keep_before):
            everything, self.tail = True, await self._standing(0)
        if everything:
            pending = {hour for hour in pending | self.tail.buckets.keys() if hour >= keep_before}
        while pending:
            pending = await self._window(pending)
        self.tail.trim()
        return self.tail, self.present, self.written

    def _stale(self, pending: set[int], keep_before: int) -> bool:
        """Whether the hours that the dirty ones rest on were made by another model."""
        resting = [hour for hour in self.tail.buckets if hour < min(pending, default=_FAR)]
        if not resting or max(resting) < keep_before:
            return False
        return self.tail.buckets[max(resting)].model != self.model.version_at(max(resting))

    async def _standing(self, first: int) -> Tail:
        """Every bucket from the one on whose carry the first dirty hour rests."""
        if first == 0:
            return Tail(dict(_by_hour(await self.store.read_hours([self.key], 0, _FAR))), whole=True)
        newest = await self._spoken_before(first)
        if newest is None:
            return Tail(dict(_by_hour(await self.store.read_hours([self.key], 0, _FAR))), whole=True)
        back = newest - self.silence_hours * HOUR_SECONDS
        before = await self._spoken_before(back)
        start = back if before is None else before
        return Tail(dict(_by_hour(await self.store.read_hours([self.key], start, _FAR))), whole=before is None)

    async def _spoken_before(self, hour: int) -> int | None:
        """The newest hour before ``hour`` with a reading, and so with a bucket."""
        last = await self.store.last_reading(self.key, hour * 1000)
        return int(last.rows["at_ns"][0]) // (HOUR_SECONDS * 10**9) * HOUR_SECONDS if len(last) else None

    async def _window(self, pending: set[int]) -> set[int]:
        """Derive one window of dirty hours; what is pending after it."""
        first = min(pending)
        start, carry = self.tail.entry(first, self.model) or (first, "")
        end = self._end(start, sorted(pending))
        until_ms = min(self.now_ms, end * 1000 + self.model.max_silence_ms + DWELL_MS)
        batch = await self.store.read_readings([self.key], start * 1000, max(until_ms, end * 1000))
        standing = [hour for hour in self.tail.from_hour(start) if hour < end]
        folded = await asyncio.to_thread(
            fold, self.key, batch.rows, self.model, start=start, now_ms=until_ms, carry=carry, standing=standing
        )
        kept = [bucket for bucket in folded.hours if bucket.hour < end]
        was = self.tail.buckets[max(standing)].carry if standing else carry
        changed = self.tail.update(kept)
        if changed:
            await self.store.write_hours(changed)
            self.written += len(changed)
        later = [hour for hour in self.tail.buckets if hour >= end]
        pending = {hour for hour in pending if hour >= end}
        if later and (kept[-1].carry if kept else carry) != was:
            pending.add(min(later))
        if not any(self.tail.buckets[hour].readings for hour in later):
            self.present = Present.of(folded, until_ms)
        return pending

    def _end(self, start: int, pending: list[int]) -> int:
        """End of the window: as many dirty hours as lie near one another, and how long the last may go on counting."""
        end = pending[0]
        for hour in pending:
            if hour > end + (self.silence_hours + 1) * HOUR_SECONDS or hour >= start + WINDOW_HOURS * HOUR_SECONDS:
                break
            end = hour
        return end + (1 + self.silence_hours) * HOUR_SECONDS


def _by_hour(buckets: Iterable[HourBucket]) -> Mapping[int, HourBucket]:
    return {bucket.hour: bucket for bucket in buckets}
