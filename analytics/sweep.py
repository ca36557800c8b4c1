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

from analytics.availability import Cells, posterior, shape_of, summed, weights
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
from analytics.windows import AT_ONCE, outcomes, slices
from fleet.batch import MachineKey

Floats = NDArray[np.float64]
Seconds = NDArray[np.floating]

_ALIKE: Final = 250
"""Machines whose chances are found at once: what Python does for each hundred costs as much as for each ten."""
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


class View(NamedTuple):
    """What is asked of hours that lie on one clock, and where they lie in its weeks.

    Attributes:
        layout: of all the hours.
        weight: of the outcomes of each week.
        since: the hours from this one on are looked at for a sign of life.
        past: index of the first of the last complete weeks' hours, and of the first after them.
        weeks: the layout of these.
    """

    asked: Question
    layout: Layout
    weight: Floats
    since: int
    past: slice
    weeks: Layout


def view_of(clock: LocalHours, asked: Question) -> View:
    """The view of the hours of a clock; it ends at ``asked.now``."""
    week = week_of(instant(asked.now), asked.timezone)
    layout = layout_of(clock)
    low, high = np.searchsorted(clock.week, [week - WEEKS, week]).tolist()
    since = max(0, len(clock) - LIFE_DAYS * 24)
    return View(asked, layout, weights(layout, week), since, slice(low, high), layout_of(clock.cut(low, high)))


class Look(NamedTuple):
    """What the hours of some machines come to.

    Attributes:
        weekly: their complete weeks, silence filled.
        alive: whether they produced of late.
        cells: outcomes of windows by hour of week.
    """

    machines: tuple[MachineKey, ...]
    weekly: WeeklyUse
    alive: NDArray[np.bool_]
    cells: Cells


def sweep(block: Block, asked: Question) -> Swept:
    """All figures of a block of whole members."""
    view = view_of(block.clock, asked)
    return judge([look(block, view)], view)


def look(block: Block, view: View) -> Look:
    """Go through the hours of a block, once."""
    handfuls = [Columns(*(column[place] for column in block.seconds)) for place in slices(len(block.machines), AT_ONCE)]
    windows = (outcomes(_busy(seconds), seconds.unknown, view.asked.window) for seconds in handfuls)
    cells = _joined([summed(some, view.layout, view.weight) for some in windows])
    alive = np.any(block.seconds.producing[:, view.since :] > 0, axis=1)
    return Look(block.machines, _stacked([_weekly(seconds, view) for seconds in handfuls]), alive, cells)


def judge(looks: Sequence[Look], view: View) -> Swept:
    """All figures of the machines of some blocks, each of whole members."""
    asked = view.asked
    members = list(_edges([machine for one in looks for machine in one.machines]))
    weekly = _stacked([one.weekly for one in looks])
    alive = np.concatenate([one.alive for one in looks])
    judged = verdicts(weekly, alive, _priors(weekly, members), asked.rule)
    ahead = local_hours(asked.now, AHEAD_HOURS, asked.timezone).hour_of_week
    free = _chances(_joined([one.cells for one in looks]), members).astype(np.float32)[:, ahead]
    return Swept(free, judged.level, judged.certainty, judged.coverage, judged.said)


def _joined(parts: Sequence[Cells]) -> Cells:
    return Cells(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


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
    """Machines [low, high) of neighbouring members of one size, of together about :data:`_ALIKE` at least."""
    begin, size = 0, 0
    for low, high in members:
        if size and (high - low != size or low - begin >= _ALIKE):
            yield begin, low, size
            begin = low
        size = high - low
    yield begin, members[-1][1], size


def _busy(seconds: Columns) -> NDArray[np.bool_]:
    busy: NDArray[np.bool_] = seconds.producing > 0
    for column in (seconds.setup, seconds.fault, seconds.maintenance):
        busy |= column > 0
    return busy


def _weekly(seconds: Columns, view: View) -> WeeklyUse:
    """Use of the last complete weeks, silence filled."""
    producing, setup = (column[:, view.past].astype(np.float64) for column in (seconds.producing, seconds.setup))
    return filled(producing + setup, seconds.unknown[:, view.past], view.weeks)


def _stacked(parts: Sequence[WeeklyUse]) -> WeeklyUse:
    """The same weeks of the machines of each part, one after the other."""
    used, observed, total = (np.concatenate([part[column] for part in parts]) for column in (1, 2, 3))
    return WeeklyUse(parts[0].week, used, observed, total)


def _priors(weekly: WeeklyUse, members: Sequence[tuple[int, int]]) -> Priors:
    """For each machine what its member's other machines teach of levels."""
    share, seen = weekly.share, weekly.observed > 0
    found = [others_priors(share[low:high], seen[low:high], _BUILT_IN) for low, high in members]
    return Priors(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
