"""Never off at night: outside its staffed hours, nights and weekends, the machine is hardly ever switched off.

A stretch of closed hours is one occasion to switch it off, a weekend as much as a night. Stretches in which it works,
or that were hardly seen, tell nothing. It is flagged when it surely stays on in more than :data:`OFTEN` of them. The
flag is its owner's alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.level import beta_below
from analytics.rules.context import RuleContext
from analytics.rules.drawing import Drawing, Mask, money
from analytics.rules.frame import SURE, Said, finding, rounded
from analytics.spans import stretches
from fleet.records import HOUR_SECONDS, Finding
from fleet.states import OFF, STANDBY

NAME: Final = "never-off-at-night"
VERSION: Final = "1"
OFTEN: Final = 0.75
LEAST_HOURS: Final = 4
"""Of a stretch: a lunch break is no night."""
SEEN: Final = 0.8
IDLE: Final = 0.5
"""Share of a stretch that must be observed, and spent without work, to tell something."""
LEAST_WEEKS: Final = 4
COVERAGE: Final = 0.7


@dataclass(frozen=True)
class Nights:
    """The stretches of closed hours of the last complete weeks."""

    drawing: Drawing

    @cached_property
    def off(self) -> Mask:
        """Hours, shape (n,), in which it was off for half of the time, or drew no more than when it is off."""
        drawing = self.drawing
        silent = drawing.metered & (np.nan_to_num(drawing.watts, nan=np.inf) < drawing.drawing_w)
        return np.asarray((drawing.history.seconds[:, OFF] >= HOUR_SECONDS / 2) | silent)

    @cached_property
    def tells(self) -> bool:
        """Whether off and on can be told apart: by power, or by a feed that has told OFF."""
        history = self.drawing.context.history
        return history.energy_wh is not None or bool((history.seconds[:, OFF] > 0).any())

    @cached_property
    def spans(self) -> NDArray[np.int64]:
        """First hour and first hour after, of each stretch, shape (stretches, 2)."""
        closed = stretches(~self.drawing.evidence.calendar.staffed)
        return closed[closed[:, 1] - closed[:, 0] >= LEAST_HOURS]

    @cached_property
    def seen(self) -> float:
        """Observed share of the closed hours; 0 without any."""
        observed = _over(self.spans, self.drawing.history.observed / HOUR_SECONDS)
        return float(observed.sum() / max(1, int(np.diff(self.spans).sum())))

    @cached_property
    def counted(self) -> Mask:
        """Stretches that tell something."""
        history, length = self.drawing.history, np.diff(self.spans).ravel()
        resting = (history.seconds[:, STANDBY] + history.seconds[:, OFF]) / HOUR_SECONDS
        enough = _over(self.spans, history.observed / HOUR_SECONDS) >= SEEN * length
        return np.asarray(enough & (_over(self.spans, resting) >= IDLE * length))

    @cached_property
    def on(self) -> Mask:
        """Of the counted stretches those without any hour off."""
        return np.asarray(_over(self.spans, self.off.astype(np.float64))[self.counted] == 0)

    @cached_property
    def kwh_per_week(self) -> float:
        """Above the off level, in the stretches in which it stayed on."""
        kwh = _over(self.spans, self.drawing.excess_kwh)[self.counted][self.on]
        return float(kwh.sum()) / max(1, len(self.drawing.evidence.weekly.week))

    @property
    def certainty(self) -> float:
        """P(it stays on in more than :data:`OFTEN` of the stretches), from a uniform prior."""
        on, count = int(self.on.sum()), len(self.on)
        return 1.0 - beta_below(OFTEN, on + 1.0, count - on + 1.0)


TO_TELL: Final[dict[str, Callable[[Nights], bool]]] = {
    "calendar": lambda nights: nights.drawing.evidence.calendar.staffed_known,
    "history": lambda nights: len(nights.drawing.evidence.weekly.week) >= LEAST_WEEKS,
    "coverage": lambda nights: nights.seen >= COVERAGE,
    "state": lambda nights: nights.drawing.context.inferable and nights.drawing.history.basis != "none",
    "feed": lambda nights: nights.drawing.context.feed_alive,
}
"""What must hold before anything can be told, in order; ``certainty`` comes last."""


def judge(context: RuleContext, previous: Finding | None) -> Finding | None:
    """The finding now; None for machines of which nobody can tell whether they are off, or that are always staffed."""
    nights = Nights(Drawing(context))
    known = nights.drawing.evidence.calendar.staffed_known
    if not nights.tells or (known and len(nights.drawing.history) and not len(nights.spans)):
        return None
    failing = [name for name, holds in TO_TELL.items() if not holds(nights)]
    score = nights.certainty if "calendar" not in failing else None
    told = _told(nights, score)
    return finding(NAME, VERSION, Said(failing, score, _sentence(told), told), SURE, context, previous)


def _sentence(told: dict[str, Any]) -> str:
    stayed = f"stayed on in {told['nights_on']} of {told['nights']} nights and weekends outside its staffed hours"
    kwh = told["kwh_per_week"]
    return f"{stayed}; {kwh:.0f} kWh a week above its off level{money(told)}" if kwh else stayed


def _told(nights: Nights, score: float | None) -> dict[str, Any]:
    drawing = nights.drawing
    drawn = drawing.watts[(drawing.excess_kwh > 0) & ~drawing.evidence.calendar.staffed]
    measured = drawing.history.energy_wh is not None
    worth = drawing.worth(nights.kwh_per_week)
    return {
        "nights": len(nights.on),
        "nights_on": int(nights.on.sum()),
        "nights_not_told": int((~nights.counted).sum()),
        "often": OFTEN,
        "idle_w": rounded(float(np.median(drawn))) if len(drawn) else None,
        "off_w": rounded(drawing.off.watts) if measured else None,
        "off_from": drawing.off.origin if measured else None,
        **(worth if measured else dict.fromkeys(worth)),
        "certainty": None if score is None else rounded(score),
        "coverage": rounded(drawing.evidence.coverage),
        "closed_coverage": rounded(nights.seen),
        "basis": drawing.history.basis,
    }


def _over(spans: NDArray[np.int64], column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the column in each span."""
    total = np.append(0.0, np.cumsum(column))
    return np.asarray(total[spans[:, 1]] - total[spans[:, 0]], dtype=np.float64)
