"""The hours of one machine as columns on the local clock: what every figure of analytics is computed from.

Hours are kept in UTC, one row each, without gaps: an hour that nobody derived is 3,600 s of UNKNOWN. Their place in the
week is local, so a week in which the clocks change has 167 or 169 rows and nothing else needs to know.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.hour_columns import energies, highest_power
from fleet.records import HOUR_SECONDS, HourBucket
from fleet.states import BUSY, OFF, PRODUCING, STANDBY, UNKNOWN, USED

WEEK_HOURS: Final = 168
_FREE: Final = frozenset({STANDBY, OFF})
_MONDAY: Final = date(1970, 1, 5).toordinal()


@dataclass(frozen=True, slots=True)
class LocalHours:
    """A run of UTC hours and where each lies in the local week; arrays of shape (n,).

    Attributes:
        start: epoch seconds of the first hour's start.
        hour_of_week: local hour of week, Monday 00 is 0.
        week: number of the local week (Monday to Sunday), counted from 1970-01-05.
        day: number of the local day, counted from 1970-01-05.
    """

    start: int
    hour_of_week: NDArray[np.int64]
    week: NDArray[np.int64]
    day: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.week)

    def cut(self, low: int, high: int) -> Self:
        """The hours [low, high), by index."""
        columns = (column[low:high] for column in (self.hour_of_week, self.week, self.day))
        return type(self)(self.start + HOUR_SECONDS * low, *columns)


@lru_cache(maxsize=64)
def local_hours(start: int, count: int, timezone: str) -> LocalHours:
    """The local clock of ``count`` hours from ``start`` (epoch seconds UTC). Cached: machines share their span."""
    zone = ZoneInfo(timezone)
    seconds = start + HOUR_SECONDS * np.arange(count, dtype=np.int64)
    offsets = np.fromiter((_offset(int(at), zone) for at in seconds), np.int64, count)
    hours = (seconds + offsets) // HOUR_SECONDS - 96  # 96 h from Thursday 1970-01-01 to Monday 1970-01-05
    clock = LocalHours(start, hours % WEEK_HOURS, hours // WEEK_HOURS, hours // 24)
    for column in (clock.hour_of_week, clock.week, clock.day):
        column.setflags(write=False)
    return clock


def monday(week: int) -> date:
    """The Monday on which the week of :attr:`LocalHours.week` begins."""
    return date.fromordinal(_MONDAY + 7 * week)


def week_start(week: int, timezone: str) -> int:
    """Epoch seconds of the local midnight on which a week begins."""
    day = monday(week)
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).timestamp())


def week_of(at: datetime, timezone: str) -> int:
    """Number of the local week that an instant lies in."""
    return (at.astimezone(ZoneInfo(timezone)).date().toordinal() - _MONDAY) // 7


@dataclass(frozen=True, slots=True)
class History:
    """Contiguous hours of one machine, oldest first.

    Attributes:
        clock: the hours on the local clock.
        timezone: IANA name of that clock.
        seconds: seconds in each state of ``fleet.states.STATES``, shape (n, 7); rows sum to 3,600. The part of an hour
            that has not passed, or was never derived, is UNKNOWN.
        head: free seconds (STANDBY, OFF) from each hour's start to its first other second, shape (n,).
        tail: free seconds after each hour's last other second, shape (n,).
        busy_last: whether the last second of the hour that is not free is busy, shape (n,).
        basis: what the newest derived states rest on.
        model: version of the newest state model.
        last_state: code of the state in which the newest derived hour ends; None without hours.
        last_since: epoch seconds since when, as far as the hours tell.
        energy_wh: watt-hours used in each state, shape (n, 7), NaN in hours of which nothing is known; None when there
            is no other.
        metered_s: seconds at which the power is known, shape (n,); None with ``energy_wh``.
        power_max_w: highest power read in each hour, watts, shape (n,), NaN where none was; None when there is none.
    """

    clock: LocalHours
    timezone: str
    seconds: NDArray[np.float64]
    head: NDArray[np.float64]
    tail: NDArray[np.float64]
    busy_last: NDArray[np.bool_]
    basis: str = "none"
    model: str = ""
    last_state: int | None = None
    last_since: int = 0
    energy_wh: NDArray[np.float64] | None = None
    metered_s: NDArray[np.float64] | None = None
    power_max_w: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def start(self) -> int:
        """Epoch seconds at which the first hour begins."""
        return self.clock.start

    @property
    def end(self) -> int:
        """Epoch seconds at which the last hour ends."""
        return self.clock.start + HOUR_SECONDS * len(self)

    @property
    def observed(self) -> NDArray[np.float64]:
        """Seconds of each hour in a known state, shape (n,)."""
        known: NDArray[np.float64] = HOUR_SECONDS - self.seconds[:, UNKNOWN]
        return known

    @property
    def used(self) -> NDArray[np.float64]:
        """Seconds of each hour in PRODUCING or SETUP, shape (n,)."""
        return _total(self.seconds, USED)

    @property
    def busy(self) -> NDArray[np.float64]:
        """Seconds of each hour in which it could not be lent, shape (n,)."""
        return _total(self.seconds, BUSY)

    @property
    def produced(self) -> NDArray[np.float64]:
        """Seconds of each hour in PRODUCING, shape (n,)."""
        return self.seconds[:, PRODUCING]

    def between(self, start: int, end: int) -> Self:
        """The hours that begin in [start, end), epoch seconds; possibly none."""
        low = min(max(0, -(-(start - self.start) // HOUR_SECONDS)), len(self))
        high = max(low, min(len(self), -(-(end - self.start) // HOUR_SECONDS)))
        clock = local_hours(self.start + HOUR_SECONDS * low, high - low, self.timezone)
        return replace(
            self,
            clock=clock,
            seconds=self.seconds[low:high],
            head=self.head[low:high],
            tail=self.tail[low:high],
            busy_last=self.busy_last[low:high],
            energy_wh=None if self.energy_wh is None else self.energy_wh[low:high],
            metered_s=None if self.metered_s is None else self.metered_s[low:high],
            power_max_w=None if self.power_max_w is None else self.power_max_w[low:high],
        )

    @classmethod
    def from_buckets(
        cls, buckets: Sequence[HourBucket], timezone: str, start: int | None = None, end: int | None = None
    ) -> Self:
        """Columns of one machine's buckets; ``start`` and ``end`` (epoch seconds) default to the span they cover.

        Buckets may come in any order; hours outside the span are left out, missing ones are UNKNOWN.

        Raises:
            ValueError: two machines, or an hour twice.
        """
        if len({(bucket.member, bucket.machine) for bucket in buckets}) > 1:
            raise ValueError("the hours belong to more than one machine")
        hours = np.fromiter((bucket.hour for bucket in buckets), np.int64, len(buckets))
        if len(np.unique(hours)) != len(hours):
            raise ValueError(f"machine {buckets[0].machine}: an hour stands twice in its history")
        if start is None:
            start = int(hours.min()) if len(hours) else 0
        if end is None:
            end = int(hours.max()) + HOUR_SECONDS if len(hours) else start
        start = start // HOUR_SECONDS * HOUR_SECONDS
        clock = local_hours(start, max(0, -(-(end - start) // HOUR_SECONDS)), timezone)
        rows = (hours - start) // HOUR_SECONDS
        inside = (rows >= 0) & (rows < len(clock))
        seconds, head, tail, busy_last = _unknown(len(clock))
        found = _columns(buckets)
        for column, values in zip((seconds, head, tail, busy_last), found, strict=True):
            column[rows[inside]] = values[inside]
        peaks = highest_power(buckets, rows, len(clock))
        newest = max((b for b in buckets if b.basis != "none"), key=attrgetter("hour"), default=None)
        basis, model = (newest.basis, newest.model) if newest else ("none", "")
        state, since = _present(sorted(buckets, key=attrgetter("hour")))
        energy, metered = energies(buckets, rows, len(clock))
        told = (basis, model, state, since, energy, metered, peaks)
        return cls(clock, timezone, seconds, head, tail, busy_last, *told)

    @classmethod
    def from_columns(cls, start: int, timezone: str, busy: NDArray[np.float64], observed: NDArray[np.float64]) -> Self:
        """A history known only as busy and observed seconds an hour, shape (n,): busy is PRODUCING, the rest STANDBY.

        Free time counts as lying at both ends of an hour only where the whole hour is free.
        """
        seconds = np.zeros((len(busy), 7))
        seconds[:, PRODUCING], seconds[:, STANDBY] = busy, observed - busy
        seconds[:, UNKNOWN] = HOUR_SECONDS - observed
        whole = (seconds[:, STANDBY] >= HOUR_SECONDS).astype(np.float64) * HOUR_SECONDS
        clock = local_hours(start, len(busy), timezone)
        return cls(clock, timezone, seconds, whole, whole.copy(), busy > 0, "state")


def utc(seconds: float) -> datetime:
    """Epoch seconds as an instant."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _present(buckets: Sequence[HourBucket]) -> tuple[int | None, int]:
    """State at the end of the newest bucket and since when, by following unbroken hours back."""
    if not buckets or not buckets[-1].segments:
        return None, 0
    state = buckets[-1].segments[-1][1]
    since = following = buckets[-1].hour + HOUR_SECONDS
    for bucket in reversed(buckets):
        if bucket.hour + HOUR_SECONDS != following or not bucket.segments or bucket.segments[-1][1] != state:
            break
        since, following = bucket.hour + bucket.segments[-1][0], bucket.hour
        if bucket.segments[-1][0]:
            break
    return state, since


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _total(seconds: NDArray[np.float64], codes: frozenset[int]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = seconds[:, sorted(codes)].sum(axis=1)
    return total


def _unknown(
    count: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    seconds = np.zeros((count, 7))
    seconds[:, UNKNOWN] = HOUR_SECONDS
    return seconds, np.zeros(count), np.zeros(count), np.zeros(count, dtype=np.bool_)


def _columns(
    buckets: Sequence[HourBucket],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    seconds, head, tail, busy_last = _unknown(len(buckets))
    flat = chain.from_iterable(map(attrgetter("seconds"), buckets))
    seconds[:] = np.fromiter(flat, np.float64, 7 * len(buckets)).reshape(-1, 7)
    passed = seconds.sum(axis=1)
    seconds[:, UNKNOWN] += np.maximum(0.0, HOUR_SECONDS - passed)  # the part of the newest hour still to come
    free = seconds[:, STANDBY] + seconds[:, OFF]
    whole = free >= HOUR_SECONDS
    head[whole] = tail[whole] = HOUR_SECONDS
    busy_last[:] = _total(seconds, BUSY) > 0
    for row in np.flatnonzero((free > 0) & ~whole).tolist():
        head[row], tail[row], busy_last[row] = _ends(buckets[row].segments, float(passed[row]))
    return seconds, head, tail, busy_last


def _ends(segments: tuple[tuple[int, int], ...], passed: float) -> tuple[float, float, bool]:
    """Free seconds at both ends of an hour of several states, and whether its last other state is busy."""
    others = [index for index, (_, state) in enumerate(segments) if state not in _FREE]
    if not others:
        return passed, 0.0 if passed < HOUR_SECONDS else passed, False
    last = others[-1]
    ends = passed if last + 1 == len(segments) else float(segments[last + 1][0])
    tail = passed - ends if passed >= HOUR_SECONDS else 0.0
    return float(segments[others[0]][0]), tail, segments[last][1] in BUSY
