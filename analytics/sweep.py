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
from analytics.history import LocalHours, local_hours, week_of
from analytics.history import utc as instant
from analytics.level import BUILT_IN_PRIOR
from analytics.levels import Priors, others_priors
from analytics.outlook import AHEAD_HOURS
from analytics.rules.evidence import WEEKS
from analytics.rules.structural_underuse import LIFE_DAYS
from analytics.utilisation import WeeklyUse, filled
from analytics.verdicts import Rule, verdicts
from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS

Floats = NDArray[np.float64]
Seconds = NDArray[np.floating]

_AT_ONCE: Final = 128
"""Machines whose figures of a year stay in the caches of a processor; a larger member is taken whole."""


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
    week = week_of(instant(asked.now), asked.timezone)
    parts = [_part(block, some, asked.window, week) for some in _handfuls(members)]
    weekly = _stacked([part.weekly for part in parts])
    alive, chances = np.concatenate([part.alive for part in parts]), np.concatenate([part.chances for part in parts])
    judged = verdicts(weekly, alive, _priors(weekly, members), asked.rule)
    ahead = local_hours(asked.now, AHEAD_HOURS, asked.timezone).hour_of_week
    return Swept(chances[:, ahead], judged.level, judged.certainty, judged.coverage, judged.said)


class _Part(NamedTuple):
    """Of some machines: their complete weeks, whether they produced of late, P(free) by hour of week in float32."""

    weekly: WeeklyUse
    alive: NDArray[np.bool_]
    chances: NDArray[np.float32]


def _edges(machines: Sequence[MachineKey]) -> Iterator[tuple[int, int]]:
    """Where each member's machines begin and end."""
    low = 0
    for place in range(1, len(machines) + 1):
        if place == len(machines) or machines[place].member != machines[low].member:
            yield low, place
            low = place


def _handfuls(members: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Neighbouring members, of together at most :data:`_AT_ONCE` machines where one alone has not more."""
    taken: list[tuple[int, int]] = []
    for member in members:
        if taken and member[1] - taken[0][0] > _AT_ONCE:
            yield taken
            taken = []
        taken.append(member)
    if taken:
        yield taken


def _part(block: Block, members: Sequence[tuple[int, int]], window: int, week: int) -> _Part:
    first, last = members[0][0], members[-1][1]
    pieces = [
        Columns(*(column[low : min(low + AT_ONCE, last)] for column in block.seconds))
        for low in range(first, last, AT_ONCE)
    ]
    free, known = zip(*(outcomes(_busy(piece), piece.unknown, window) for piece in pieces), strict=True)
    cells = tally(Windows(np.concatenate(free), np.concatenate(known)), block.clock, week)
    own = [Cells(*(column[low - first : high - first] for column in cells)) for low, high in members]
    chances = np.concatenate([posterior(some, shape_of(some)) for some in own]).astype(np.float32)
    alive = np.any(block.seconds.producing[first:last, -LIFE_DAYS * 24 :] > 0, axis=1)
    return _Part(_stacked([_weekly(piece, block.clock, week) for piece in pieces]), alive, chances)


def _busy(seconds: Columns) -> NDArray[np.bool_]:
    busy: NDArray[np.bool_] = seconds.producing > 0
    for column in (seconds.setup, seconds.fault, seconds.maintenance):
        busy |= column > 0
    return busy


def _weekly(seconds: Columns, clock: LocalHours, week: int) -> WeeklyUse:
    """Use of the last complete weeks, silence filled."""
    low, high = np.searchsorted(clock.week, [week - WEEKS, week]).tolist()
    used = seconds.producing[:, low:high].astype(np.float64) + seconds.setup[:, low:high]
    observed = HOUR_SECONDS - seconds.unknown[:, low:high].astype(np.float64)
    return filled(used, observed, clock.cut(low, high))


def _stacked(parts: Sequence[WeeklyUse]) -> WeeklyUse:
    """The same weeks of the machines of each part, one after the other."""
    used, observed, total = (np.concatenate([part[column] for part in parts]) for column in (1, 2, 3))
    return WeeklyUse(parts[0].week, used, observed, total)


def _priors(weekly: WeeklyUse, members: Sequence[tuple[int, int]]) -> Priors:
    """For each machine what its member's other machines teach of levels."""
    share, seen = weekly.share, weekly.observed > 0
    found = [others_priors(share[low:high], seen[low:high], _BUILT_IN) for low, high in members]
    return Priors(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
