"""The quantities that the conditions of structural under-use are judged on, each computed once when first asked for."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics import capacity, utilisation
from analytics.change import last_change
from analytics.history import History, week_of, week_start
from analytics.level import Level, level_of
from analytics.outlook import shareable
from analytics.rules.context import RuleContext
from fleet.calendars import CalendarHours, calendar_hours
from fleet.records import HOUR_SECONDS
from fleet.trades import threshold

WEEKS: Final = 12
AHEAD_WEEKS: Final = 4
UNSEEN_SETUP: Final = 0.2
"""Share of a machine's use that may be set-up where power alone tells its states, and does not tell set-up."""


@dataclass(frozen=True)
class Evidence:
    """What the conditions are judged on: the last :data:`WEEKS` complete local weeks of a machine."""

    context: RuleContext

    @cached_property
    def history(self) -> History:
        """Complete local weeks, from the first one in which anything was heard."""
        timezone, now = self.context.timezone, self.context.now
        week = week_of(now, timezone)
        weeks = self.context.history.between(week_start(week - WEEKS, timezone), week_start(week, timezone))
        heard = np.flatnonzero(weeks.observed > 0)
        first = int(weeks.clock.week[heard[0]]) if len(heard) else week
        return weeks.between(week_start(first, timezone), weeks.end)

    @cached_property
    def calendar(self) -> CalendarHours:
        """Its calendars over those weeks."""
        context = self.context
        return calendar_hours(context.member, context.machine, context.network, self.history.start, len(self.history))

    @cached_property
    def offered(self) -> NDArray[np.bool_]:
        """The offered hours; before the owner stated any, the staffed ones, which could be."""
        return self.calendar.offered if self.calendar.offered_known else self.calendar.staffed

    @cached_property
    def weekly(self) -> utilisation.WeeklyUse:
        """Use of the staffed hours that were not lent, filled by hour of week where silent."""
        return utilisation.stratified(self.history, self.calendar.staffed & ~self.calendar.lent)

    @cached_property
    def ordinary(self) -> NDArray[np.bool_]:
        """Weeks observed at all whose staffed hours are at least half the usual: not dominated by holidays."""
        total = self.weekly.total
        usual = float(np.median(total[total > 0])) if (total > 0).any() else math.inf
        return (self.weekly.observed > 0) & (total >= usual / 2)

    @cached_property
    def level(self) -> Level:
        """Of the ordinary weeks."""
        kept = self.ordinary
        return level_of(self.weekly.share[kept], self.weekly.coverage[kept], self.context.prior)

    @property
    def threshold(self) -> float:
        """tau: of the machine's trade."""
        return threshold(self.context.machine)

    @property
    def unseen_setup(self) -> float:
        """Share of the use that the weeks may lack."""
        return UNSEEN_SETUP if self.history.basis == "power" else 0.0

    @property
    def seen_threshold(self) -> float:
        """The threshold for what is seen of the use."""
        return self.threshold * (1.0 - self.unseen_setup)

    @cached_property
    def certainty(self) -> float:
        """P(mean utilisation of the next ordinary weeks below the threshold, unseen set-up included)."""
        return self.level.below(self.seen_threshold, AHEAD_WEEKS)

    @cached_property
    def worked_at(self) -> float | None:
        """End of the newest hour with any production, epoch seconds, the running week included."""
        history = self.context.history.between(0, math.ceil(self.context.now.timestamp()))
        hours = np.flatnonzero(history.produced > 0)
        return float(history.start + HOUR_SECONDS * (int(hours[-1]) + 1)) if len(hours) else None

    @cached_property
    def coverage(self) -> float:
        """Observed share of the weeks."""
        return utilisation.use(self.history).coverage or 0.0

    @cached_property
    def offered_coverage(self) -> float:
        """Observed share of the offered hours."""
        return utilisation.use(self.history, self.offered).coverage or 0.0

    @cached_property
    def changed(self) -> int | None:
        """Weeks since the newest change of level."""
        return last_change(self.weekly.share[self.ordinary])

    @cached_property
    def weekly_capacity(self) -> NDArray[np.float64]:
        """Shareable hours of the weeks that were ordinary and seen well enough."""
        hours = shareable(self.history, self.offered, self.calendar.reserved, self.context.machine, self.context.now)
        return hours[~np.isnan(hours)]

    @cached_property
    def capacity(self) -> capacity.AtLeast | None:
        """The promise that they allow."""
        return capacity.at_least(self.weekly_capacity)
