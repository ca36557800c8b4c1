"""One sweep over the hours of many machines: P(free) at every start of two weeks, and what is said of their use.

The mathematics is the single machine's, called for many at once: ``availability``, ``utilisation``, ``levels``,
``change``, ``verdicts``. Machines of one member teach one another the shape of a week and the level of use; no other
member's do, so members may be swept in any parts, on any number of processes, and every figure stays the same to the
last bit. No calendar is known: utilisation is that of the calendar, and no day counts as closed.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from analytics.availability import AT_ONCE, Cells, Windows, outcomes, posterior, shape_of, tally
from analytics.history import WEEK_HOURS, LocalHours, local_hours, week_of
from analytics.history import utc as instant
from analytics.level import BUILT_IN_PRIOR
from analytics.levels import Priors, others_priors
from analytics.outlook import AHEAD_HOURS
from analytics.rules.evidence import WEEKS
from analytics.rules.structural_underuse import LIFE_DAYS
from analytics.tallies import Layout, layout_of
from analytics.utilisation import WeeklyUse, filled
from analytics.verdicts import Rule, verdicts
from fleet.batch import MachineKey

Floats = NDArray[np.float64]
Seconds = NDArray[np.floating]

_AT_ONCE: Final = 64
"""Machines whose figures of a year stay in the caches, in memory that is not given back meanwhile."""


_BUILT_IN: Final = Priors(*(np.array([value]) for value in BUILT_IN_PRIOR[:3]))


class Columns(NamedTuple):
    """Seconds of each hour in the states that the figures rest on, each of shape (machines, n), of any float type."""

    producing: Seconds
    setup: Seconds
    fault: Seconds
    maintenance: Seconds
    unknown: Seconds


class Block(NamedTuple):
    """Hours of whole members.

    Attributes:
        machines: sorted by member.
        clock: the n hours, ending now.
    """

    machines: tuple[MachineKey, ...]
    clock: LocalHours
    seconds: Columns


class Question(NamedTuple):
    """What is asked.

    Attributes:
        now: epoch seconds at which the newest hour ends.
        timezone: IANA name of the clock of the weeks.
        window: length of the windows, whole hours.
    """

    now: int
    timezone: str = "UTC"
    window: int = 8
    rule: Rule = Rule()


class Swept(NamedTuple):
    """Of each machine, in the order of the block, arrays of shape (machines,) but the first.

    Attributes:
        free: P(free for the whole window) by start, one an hour from now on for 14 days, shape (machines, 336).
        level: utilisation of the calendar over the last 12 complete weeks, drawn to the member's other machines.
        certainty: P(mean utilisation of the next 4 weeks below the threshold).
        coverage: observed share of those weeks, from the first in which anything was heard on.
        said: index in ``verdicts.SAID``.
    """

    free: NDArray[np.float32]
    level: Floats
    certainty: Floats
    coverage: Floats
    said: NDArray[np.uint8]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """One after the other."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def sweep(block: Block, asked: Question) -> Swept:
    """All figures of a block of whole members."""
    members = list(_edges(block.machines))
    past = _past(block.clock, week_of(instant(asked.now), asked.timezone))
    handfuls = range(0, len(block.machines), _AT_ONCE)
    parts = [_part(block, low, low + _AT_ONCE, asked.window, past) for low in handfuls]
    weekly = _stacked([part.weekly for part in parts])
    alive = np.concatenate([part.alive for part in parts])
    cells = Cells(*(np.concatenate(columns) for columns in zip(*(part.cells for part in parts), strict=True)))
    judged = verdicts(weekly, alive, _priors(weekly, members), asked.rule)
    ahead = local_hours(asked.now, AHEAD_HOURS, asked.timezone).hour_of_week
    free = _chances(cells, members).astype(np.float32)[:, ahead]
    return Swept(free, judged.level, judged.certainty, judged.coverage, judged.said)


class _Past(NamedTuple):
    """The week that runs, and the last complete weeks before it: their hours by index, and how they lie."""

    week: int
    low: int
    high: int
    layout: Layout


def _past(clock: LocalHours, week: int) -> _Past:
    low, high = np.searchsorted(clock.week, [week - WEEKS, week]).tolist()
    return _Past(week, low, high, layout_of(clock.cut(low, high)))


class _Part(NamedTuple):
    """Of some machines: their complete weeks, whether they produced of late, outcomes of windows by hour of week."""

    weekly: WeeklyUse
    alive: NDArray[np.bool_]
    cells: Cells


def _part(block: Block, low: int, high: int, window: int, past: _Past) -> _Part:
    seconds = Columns(*(column[low:high] for column in block.seconds))
    pieces = [
        Columns(*(column[at : at + AT_ONCE] for column in seconds)) for at in range(0, len(seconds.unknown), AT_ONCE)
    ]
    free, known = zip(*(outcomes(_busy(piece), piece.unknown, window) for piece in pieces), strict=True)
    cells = tally(Windows(np.concatenate(free), np.concatenate(known)), block.clock, past.week)
    alive = np.any(seconds.producing[:, -LIFE_DAYS * 24 :] > 0, axis=1)
    return _Part(_stacked([_weekly(piece, past) for piece in pieces]), alive, cells)


def _edges(machines: Sequence[MachineKey]) -> Iterator[tuple[int, int]]:
    """Where each member's machines begin and end."""
    low = 0
    for place in range(1, len(machines) + 1):
        if place == len(machines) or machines[place].member != machines[low].member:
            yield low, place
            low = place


def _chances(cells: Cells, members: Sequence[tuple[int, int]]) -> Floats:
    """P(free) by machine and hour of week, shape (machines, 168); each member's machines shape its week."""
    found = []
    for low, high, size in _alike(members):
        own = Cells(*(column[low:high].reshape(-1, size, WEEK_HOURS) for column in cells))
        found.append(posterior(own, shape_of(own)).reshape(-1, WEEK_HOURS))
    return np.concatenate(found)


def _alike(members: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Machines [low, high) of neighbouring members of one size, of together about :data:`_AT_ONCE` at least."""
    begin, size = 0, 0
    for low, high in members:
        if size and (high - low != size or low - begin >= _AT_ONCE):
            yield begin, low, size
            begin = low
        size = high - low
    yield begin, members[-1][1], size


def _busy(seconds: Columns) -> NDArray[np.bool_]:
    busy: NDArray[np.bool_] = seconds.producing > 0
    for column in (seconds.setup, seconds.fault, seconds.maintenance):
        busy |= column > 0
    return busy


def _weekly(seconds: Columns, past: _Past) -> WeeklyUse:
    """Use of the last complete weeks, silence filled."""
    producing, setup, unknown = (
        column[:, past.low : past.high].astype(np.float64)
        for column in (seconds.producing, seconds.setup, seconds.unknown)
    )
    return filled(producing + setup, unknown, past.layout)


def _stacked(parts: Sequence[WeeklyUse]) -> WeeklyUse:
    """The same weeks of the machines of each part, one after the other."""
    used, observed, total = (np.concatenate([part[column] for part in parts]) for column in (1, 2, 3))
    return WeeklyUse(parts[0].week, used, observed, total)


def _priors(weekly: WeeklyUse, members: Sequence[tuple[int, int]]) -> Priors:
    """For each machine what its member's other machines teach of levels."""
    share, seen = weekly.share, weekly.observed > 0
    found = [others_priors(share[low:high], seen[low:high], _BUILT_IN) for low, high in members]
    return Priors(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
