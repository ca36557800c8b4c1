"""Overload: a machine that itself needs a neighbour. It tells saturation, so it is its owner's alone, for good.

A machine is full when its staffed hours have no free gap of two hours left, week after week. What counts is not the
share of producing: pauses and set-ups, which power does not tell from pauses, hold that below one. Full is not yet
overloaded: there must be a sign that work waits, production outside the staffed hours or weeks without a single gap.
Days that were not seen well enough count neither as full nor as free.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics import capacity, utilisation
from analytics.history import monday
from analytics.level import BUILT_IN_PRIOR, Level, level_of
from analytics.rules.context import RuleContext
from analytics.rules.evidence import AHEAD_WEEKS, Evidence
from analytics.rules.frame import SURE, Said, finding, flagged, rounded
from fleet.network import Trade
from fleet.records import HOUR_SECONDS, Finding

NAME: Final = "overload"
VERSION: Final = "1"
LEAST_WEEKS: Final = 6
GAP: Final = capacity.Job(minimum=2.0, changeover=0.0)
"""Free time that is a gap and no pause."""
FULL: Final = 0.90
"""Share of the staffed hours outside such gaps, from which a machine is full."""
USED: Final = 0.50
"""It must also be used, not only down."""
OVERTIME: Final = 0.03
"""Share of its production outside the staffed hours that is a sign; half of it keeps a flag."""
SIGN_WEEKS: Final = 6
COVERAGE: Final = 0.8
DAY_COVERAGE: Final = 0.9


@dataclass(frozen=True)
class Fullness:
    """How full the weeks of a machine were."""

    evidence: Evidence

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Staffed hours, not lent, of days whose staffed hours were seen well enough."""
        history, calendar = self.evidence.history, self.evidence.calendar
        staffed = calendar.staffed & ~calendar.lent
        day = history.clock.day - history.clock.day[0] if len(history) else history.clock.day
        total = np.bincount(day, staffed * float(HOUR_SECONDS))
        heard = np.bincount(day, staffed * history.observed)
        well: NDArray[np.bool_] = heard >= DAY_COVERAGE * total
        return staffed & well[day]

    @cached_property
    def occupied(self) -> NDArray[np.float64]:
        """Share of each week's seen hours outside free gaps; NaN in a week without any."""
        history, nothing = self.evidence.history, np.zeros(len(self.evidence.history), dtype=np.bool_)
        _, room = capacity.weekly(history, self.seen, nothing, GAP)
        hours = utilisation.weekly(history, self.seen).total / HOUR_SECONDS
        free: NDArray[np.float64] = np.divide(room, hours, out=np.full(len(room), np.nan), where=hours > 0)
        return 1.0 - free

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """Ordinary weeks that were seen."""
        return self.evidence.ordinary & ~np.isnan(self.occupied)

    @cached_property
    def level(self) -> Level:
        """Of the occupied share of those weeks."""
        occupied = self.occupied[self.kept]
        return level_of(occupied, np.ones(len(occupied)), BUILT_IN_PRIOR)

    @cached_property
    def certainty(self) -> float:
        """P(mean occupied share of the next ordinary weeks is at least :data:`FULL`)."""
        return 1.0 - self.level.below(FULL, AHEAD_WEEKS)

    @cached_property
    def used(self) -> float:
        """Utilisation of the staffed hours over those weeks."""
        return utilisation.use(self.evidence.history, self.seen).share or 0.0

    @cached_property
    def overtime(self) -> float:
        """Share of the use that lay outside the staffed hours, in the middle one of the last weeks."""
        history = self.evidence.history
        outside = utilisation.weekly(history, ~self.evidence.calendar.staffed).used
        whole = utilisation.weekly(history).used
        shares = np.divide(outside, whole, out=np.zeros(len(whole)), where=whole > 0)[self.kept]
        return float(np.median(shares[-SIGN_WEEKS:])) if len(shares) else 0.0

    @cached_property
    def without_gap(self) -> int:
        """Of the last weeks, those without one gap."""
        return int((self.occupied[self.kept][-SIGN_WEEKS:] >= 1.0 - 1e-9).sum())


def judge(context: RuleContext, previous: Finding | None) -> Finding | None:
    """The finding now; None for utilities, which run as long as somebody needs them."""
    if context.machine.trade is Trade.UTILITY:
        return None
    evidence = Evidence(context)
    fullness = Fullness(evidence)
    failing = _failing(evidence, fullness)
    told = not failing
    score = fullness.certainty if told and fullness.used >= USED and waits(fullness, flagged(previous)) else 0.0
    sentence = (
        f"no free gap in {fullness.level.mean:.0%} of its staffed hours over {int(fullness.kept.sum())} weeks; "
        f"{fullness.overtime:.0%} of its work outside them, {fullness.without_gap} of the last "
        f"{SIGN_WEEKS} weeks without any gap"
    )
    said = Said(failing, score if told else None, sentence if told else "", _told(evidence, fullness, told))
    return finding(NAME, VERSION, said, SURE, context, previous)


def _failing(evidence: Evidence, fullness: Fullness) -> list[str]:
    context = evidence.context
    holds = {
        "calendar": evidence.calendar.staffed_known,
        "history": len(evidence.weekly.week) >= LEAST_WEEKS,
        "coverage": evidence.coverage >= COVERAGE,
        "state": context.inferable and _trusted(evidence),
        "feed": context.feed_alive,
    }
    failing = [name for name, known in holds.items() if not known]
    if not failing and fullness.kept.sum() < LEAST_WEEKS:
        failing = ["holidays"]
    return failing


def _trusted(evidence: Evidence) -> bool:
    """Power tells fullness only by the owner's marks: a threshold of its own making may take standing by for work."""
    basis = evidence.history.basis
    return basis in ("state", "counter") or (
        basis == "power" and evidence.context.machine.calibration.working_w is not None
    )


def waits(fullness: Fullness, standing: bool = False) -> bool:
    """Whether work seems to wait; a flag in force needs half as much."""
    share = 0.5 if standing else 1.0
    looked_at = min(SIGN_WEEKS, int(fullness.kept.sum()))
    return fullness.overtime >= share * OVERTIME or fullness.without_gap >= share * looked_at / 2


def _told(evidence: Evidence, fullness: Fullness, told: bool) -> dict[str, Any]:
    weekly = evidence.weekly
    return {
        "weeks": [
            {"monday": monday(int(week)).isoformat(), "utilisation": rounded(share), "coverage": rounded(seen)}
            for week, share, seen in zip(weekly.week, weekly.share, weekly.coverage, strict=True)
        ],
        "ordinary_weeks": int(evidence.ordinary.sum()),
        "occupied": rounded(fullness.level.mean) if told else None,
        "full": FULL,
        "full_certainty": rounded(fullness.certainty) if told else None,
        "used": rounded(fullness.used) if told else None,
        "overtime": rounded(fullness.overtime) if told else None,
        "weeks_without_gap": fullness.without_gap if told else None,
        "waits": waits(fullness) if told else None,
        "ahead_weeks": AHEAD_WEEKS,
        "coverage": rounded(evidence.coverage),
        "basis": evidence.history.basis,
    }
