"""Idle but drawing: a machine that for hours produces nothing, staffed or not, and draws well above its off level.

What counts is what switching it off would save: energy above the off level, in hours of drawing without production of
which two at least follow one another. It is flagged when that surely costs so much a year that an owner acts on it
(``fleet.tariffs.idle_level``). The flag is its owner's alone.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from analytics.energy import a_year
from analytics.history import monday
from analytics.rules.context import RuleContext
from analytics.rules.drawing import Drawing, Floats, Mask, above, money
from analytics.rules.evidence import AHEAD_WEEKS
from analytics.rules.frame import SURE, Said, finding, rounded
from analytics.spans import stretches
from fleet.records import Finding
from fleet.tariffs import idle_level

NAME: Final = "idle-but-drawing"
VERSION: Final = "2"
LONG_HOURS: Final = 2
LEAST_WEEKS: Final = 4
COVERAGE: Final = 0.8
METERED: Final = 0.8

TO_TELL: Final[dict[str, Callable[[Drawing], bool]]] = {
    "history": lambda drawing: len(drawing.evidence.weekly.week) >= LEAST_WEEKS,
    "coverage": lambda drawing: drawing.evidence.coverage >= COVERAGE,
    "power": lambda drawing: drawing.metered_share >= METERED or not drawing.resting.any(),
    "state": lambda drawing: drawing.context.inferable and drawing.history.basis != "none",
    "feed": lambda drawing: drawing.context.feed_alive,
}
"""What must hold before anything can be told, in order; ``certainty`` comes last."""


def judge(context: RuleContext, previous: Finding | None) -> Finding | None:
    """The finding now; None for machines whose power nobody measures."""
    if context.history.energy_wh is None:
        return None
    drawing = Drawing(context)
    failing = [name for name, holds in TO_TELL.items() if not holds(drawing)]
    idle = long_runs(drawing.excess_kwh > 0, LONG_HOURS)
    weeks, hours = (drawing.weekly(np.where(idle, column, 0.0)) for column in (drawing.excess_kwh, 1.0))
    score = above(weeks, least_kwh(context), AHEAD_WEEKS) if len(weeks) else None
    told = _told(drawing, weeks, hours, score)
    return finding(NAME, VERSION, Said(failing, score, _sentence(told), told), SURE, context, previous)


def least_kwh(context: RuleContext) -> float:
    """Kilowatt-hours a week from which idling is flagged. What is less is told on the machine's page."""
    return idle_level(context.member, context.network)[1] / a_year(1.0)


def long_runs(mask: Mask, least: int) -> Mask:
    """The hours of the mask that lie in runs of ``least`` or more."""
    begins, ends = stretches(mask).T
    kept = np.zeros(len(mask) + 1, dtype=np.int64)
    long = ends - begins >= least
    kept[begins[long]] += 1
    kept[ends[long]] -= 1
    return np.asarray(np.cumsum(kept)[:-1] > 0)


def _sentence(told: dict[str, Any]) -> str:
    if not told["kwh_per_week"]:
        return "draws no more than when it is off while it does not produce"
    return (
        f"draws {told['idle_w'] / 1000:.1f} kW for {told['hours_per_week']:.0f} h a week without producing, "
        f"{told['kwh_per_week']:.0f} kWh a week above its off level{money(told)}"
    )


def _told(drawing: Drawing, weeks: Floats, hours: Floats, score: float | None) -> dict[str, Any]:
    drawn = drawing.watts[drawing.excess_kwh > 0]
    kwh = float(weeks.mean()) if len(weeks) else 0.0
    return {
        "weeks": [
            {"monday": monday(int(week)).isoformat(), "kwh": rounded(used), "hours": rounded(length)}
            for week, used, length in zip(drawing.evidence.weekly.week, weeks, hours, strict=True)
        ],
        "idle_w": rounded(float(np.median(drawn))) if len(drawn) else None,
        "off_w": rounded(drawing.off.watts),
        "off_from": drawing.off.origin,
        "working_w": None if drawing.working_w is None else rounded(drawing.working_w),
        "hours_per_week": rounded(float(hours.mean())) if len(hours) else 0.0,
        **drawing.worth(kwh),
        "least_eur_per_year": idle_level(drawing.context.member, drawing.context.network)[0],
        "least_kwh": rounded(least) if math.isfinite(least := least_kwh(drawing.context)) else None,
        "certainty": None if score is None else rounded(score),
        "ahead_weeks": AHEAD_WEEKS,
        "coverage": rounded(drawing.evidence.coverage),
        "metered": rounded(drawing.metered_share),
        "basis": drawing.history.basis,
    }
