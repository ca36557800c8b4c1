"""A recording on the hours of local weeks: the shape in which back-tests see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from analytics.evaluate.files import Timeline
from analytics.history import LocalHours, local_hours, week_of, week_start
from analytics.history import utc as instant
from analytics.profiles import Hours
from analytics.signals import BUSY, FREE, UNKNOWN, Present
from analytics.spans import Spans, hourly
from fleet.records import HOUR_SECONDS

MOST_YEARS: Final = 20
"""A longer recording is a typing error, which would take all memory."""
MOST_HOURS: Final = 50_000_000
"""Hours of all machines together, 24 bytes each: 1.2 GB, before any model is fitted."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Whole local weeks, Monday to Sunday, that hold all that was observed.

    Attributes:
        machines: names, sorted.
        clock: the hours; the first is a local Monday's 00:00.
        busy: seconds an hour in which a machine could not be lent, shape (machines, n).
        used: seconds an hour in PRODUCING or SETUP, likewise.
        observed: seconds an hour in a known state, likewise.
        lines: the recording itself, machine by machine; empty where only its hours are known.
    """

    machines: tuple[str, ...]
    clock: LocalHours
    busy: NDArray[np.float64]
    used: NDArray[np.float64]
    observed: NDArray[np.float64]
    lines: tuple[Timeline, ...] = ()

    def states(self, phase: float) -> Present:
        """The state just before the instant ``phase`` hours after each hour's start, as reports made later tell it."""
        moments = self.clock.start + HOUR_SECONDS * (np.arange(len(self.clock), dtype=np.float64) + phase)
        states = np.full(self.busy.shape, UNKNOWN, dtype=np.int8)
        for row, line in zip(states, self.lines, strict=True):
            busy, known = (_inside(moments, spans) for spans in (line.busy, line.observed))
            row[known] = np.where(busy[known], BUSY, FREE)
        return Present(states, phase)

    @property
    def hours(self) -> Hours:
        """Busy and observed hours, as forecasts are made from."""
        return Hours(self.busy > 0, self.observed, self.clock)

    @property
    def weeks(self) -> range:
        """Numbers of the local weeks."""
        return range(int(self.clock.week[0]), int(self.clock.week[-1]) + 1)

    @classmethod
    def of(cls, lines: Mapping[str, Timeline], timezone: str) -> Self:
        """The hours of these machines.

        Raises:
            ValueError: nothing was observed, or the recording is longer than :data:`MOST_YEARS` or has more than
                :data:`MOST_HOURS` hours of machines.
        """
        edges = [line.observed.ravel() for line in lines.values() if len(line.observed)]
        if not edges:
            raise ValueError("nothing was observed: every interval lies outside the observed time")
        joined = np.concatenate(edges)
        if joined.max() - joined.min() > MOST_YEARS * 366 * 86_400:
            first, last = (instant(float(at)).date() for at in (joined.min(), joined.max()))
            raise ValueError(f"the recording goes from {first} to {last}: more than {MOST_YEARS} years; a wrong date?")
        start = week_start(week_of(instant(float(joined.min())), timezone), timezone)
        after = week_start(week_of(instant(float(joined.max()) - 1e-3), timezone) + 1, timezone)
        count = -(-(after - start) // HOUR_SECONDS)
        if len(lines) * count > MOST_HOURS:
            raise ValueError(
                f"{len(lines)} machines over {count} hours are {len(lines) * count:,} hours of machines: more than"
                f" {MOST_HOURS:,}; bring fewer machines or a shorter time"
            )
        busy, used, observed = (
            np.stack([hourly(getattr(line, name), start, count) for line in lines.values()])
            for name in ("busy", "used", "observed")
        )
        clock = local_hours(start, count, timezone)
        return cls(tuple(lines), clock, busy, used, observed, tuple(lines.values()))


def _inside(moments: NDArray[np.float64], spans: Spans) -> NDArray[np.bool_]:
    """Whether the time just before each moment lies inside one of the spans."""
    inside: NDArray[np.bool_] = np.searchsorted(spans.ravel(), moments, side="left") % 2 == 1
    return inside
