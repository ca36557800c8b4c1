"""How long until the spool is full at the present rate, and whose readings fill it. Pure."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final

from ingest.level import Level

LEAST_BYTES: Final = 2**20
"""Fewer bytes wait now and then for a store that answers; they say nothing of a rate."""
SPAN_S: Final = 30.0
"""It fills when more waited in the middle of that time than at its beginning, and more at its end."""


class Filling:
    """Follows the level of the spool.

    Attributes:
        full_in_s: seconds until it takes nothing more, at the rate of the last :data:`SPAN_S`; 0 when it is full; None
            while it does not fill.
    """

    def __init__(self) -> None:
        self.full_in_s: float | None = None
        self._samples: deque[tuple[float, int]] = deque()
        self._from: Counter[str] = Counter()
        self._unknown = 0

    def begin(self, level: Level) -> None:
        """What an earlier run left waiting: of most of it nobody knows any more whose it is."""
        self._from = Counter(level.apart)
        self._unknown = level.readings - level.apart.total()

    def beat(self, now_s: float, level: Level, room_bytes: int, came: Mapping[str, int], full: bool = False) -> None:
        """Every few seconds.

        Args:
            now_s: of a clock that never goes back.
            room_bytes: that may be written before the spool takes nothing more.
            came: readings by member since the last call.
            full: the last commit found no room; what was refused would have gone beyond what room there is.
        """
        if level.bytes < LEAST_BYTES:
            self._from.clear()
            self._unknown = 0
        self._from.update(came)
        self._samples.append((now_s, level.bytes))
        while len(self._samples) > 2 and self._samples[1][0] <= now_s - SPAN_S:
            self._samples.popleft()
        self.full_in_s = 0.0 if full else self._left_s(room_bytes)

    def _left_s(self, room_bytes: int) -> float | None:
        """Linear, over the span."""
        (then_s, then), (now_s, now) = self._samples[0], self._samples[-1]
        middle = self._samples[len(self._samples) // 2][1]
        if now >= LEAST_BYTES and room_bytes <= 0:
            return 0.0
        if now < LEAST_BYTES or now_s - then_s < SPAN_S or not then < middle < now:
            return None
        return room_bytes * (now_s - then_s) / (now - then)

    def figures(self, quota_bytes: int) -> dict[str, Any]:
        """For the health: the quota, the seconds left, and who sent most of what came since something waits."""
        total = self._unknown + self._from.total()
        most = self._from.most_common(1) if self._samples and self._samples[-1][1] >= LEAST_BYTES else []
        return {
            "spool_quota_bytes": quota_bytes,
            "spool_full_in_s": None if self.full_in_s is None else round(self.full_in_s),
            "filled_by": {"member": most[0][0], "share": round(most[0][1] / total, 2)} if most else None,
        }
