"""Which hours wait to be derived, and how far the worker's watermark may move."""

from collections.abc import Iterable

from fleet.batch import MachineKey
from store.base import DirtyHour


class Backlog:
    """Dirty hours by machine, and the newest arrival up to which everything is derived and stored.

    Dirty rows are read again from a little before the newest arrival on, for rows become visible a little out of order
    of their arrival stamps; those seen before are passed over. After a restart they are derived once more, to the same.

    Args:
        watermark_ms: arrivals before it are derived already.
        overlap_ms: how far before the newest arrival rows are read again.
    """

    def __init__(self, watermark_ms: int, overlap_ms: int) -> None:
        self._overlap_ms = overlap_ms
        self._newest_ms = watermark_ms
        self._seen: dict[tuple[MachineKey, int], int] = {}
        self._prune_at = 10_000
        self._waiting: dict[MachineKey, dict[int, int]] = {}
        self._oldest: dict[MachineKey, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: object) -> bool:
        return key in self._waiting

    @property
    def since_ms(self) -> int:
        """From which arrival on dirty rows are to be read."""
        return max(0, self._newest_ms - self._overlap_ms)

    @property
    def watermark_ms(self) -> int:
        """Every arrival before it is derived and stored."""
        return min(self._oldest.values(), default=self._newest_ms)

    @property
    def machines(self) -> list[MachineKey]:
        """Those with waiting hours, in order of their arrival."""
        return list(self._waiting)

    def add(self, rows: Iterable[DirtyHour]) -> None:
        """Take in what was read from the store."""
        seen = self._seen
        for key, hour, arrived_ms in rows:
            if seen.get((key, hour), -1) < arrived_ms:
                seen[key, hour] = arrived_ms
                hours = self._waiting.setdefault(key, {})
                self._count += hour not in hours
                hours[hour] = arrived_ms
                self._oldest[key] = min(arrived_ms, self._oldest.get(key, arrived_ms))
                self._newest_ms = max(self._newest_ms, arrived_ms)
        if len(seen) > self._prune_at:
            self._seen = {row: arrived for row, arrived in seen.items() if arrived >= self.since_ms}
            self._prune_at = max(10_000, 2 * len(self._seen))

    def hours(self, key: MachineKey, now_ms: int) -> dict[int, int]:
        """The machine's waiting hours (epoch seconds) that have begun, with the arrival of each; a copy."""
        return {hour: at for hour, at in self._waiting.get(key, {}).items() if hour * 1000 < now_ms}

    def next_ms(self, key: MachineKey) -> int | None:
        """When the machine's first waiting hour begins, epoch ms: a device's clock may be a little ahead."""
        return min((hour * 1000 + 1 for hour in self._waiting.get(key, ())), default=None)

    def lag_ms(self, now_ms: int) -> int:
        """Age of the oldest arrival that is not derived yet."""
        return max(0, now_ms - self.watermark_ms) if self._waiting else 0

    def done(self, key: MachineKey, hours: dict[int, int]) -> None:
        """These hours are derived and stored; those that were touched again since stay."""
        waiting = self._waiting.get(key, {})
        left = {hour: arrived for hour, arrived in waiting.items() if hours.get(hour) != arrived}
        self._count -= len(waiting) - len(left)
        if left:
            self._waiting[key], self._oldest[key] = left, min(left.values())
        else:
            self._waiting.pop(key, None)
            self._oldest.pop(key, None)

    def drop(self, key: MachineKey) -> None:
        """Nobody derives this machine (any more)."""
        self.done(key, dict(self._waiting.get(key, {})))
