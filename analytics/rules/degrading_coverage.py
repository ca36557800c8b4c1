"""Degrading coverage: a feed that loses more and more, before it is lost altogether.

The last three weeks are compared with those before. What is judged is the chance that the feed now loses at least
:data:`MARGIN` more of the time than it did: losses come in bursts, so their scatter from week to week decides. And it
must be a trend: a feed that loses whole days at random has three bad weeks at last one time in fifty. A feed that is
silent now is another matter, and one that lost much but has not in the last week has recovered.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics import utilisation
from analytics.history import monday
from analytics.level import student_below
from analytics.rules.context import RuleContext
from analytics.rules.evidence import Evidence
from analytics.rules.frame import SURE, Said, finding, flagged, rounded
from analytics.utilisation import WeeklyUse
from fleet.records import HOUR_SECONDS, Finding

NAME: Final = "degrading-coverage"
VERSION: Final = "1"
LEAST_WEEKS: Final = 6
RECENT_WEEKS: Final = 3
MARGIN: Final = 0.05
"""Share of the time that must be lost besides, 0..1: an hour and a quarter a day."""
TREND: Final = 0.998
"""P(loss rises from week to week) that a flag needs; one in force needs :data:`TREND_HOLD`."""
TREND_HOLD: Final = 0.90
_STILL: Final = 0.01  # scatter of a week's loss, at least: what never varied tells no more than that


def judge(context: RuleContext, previous: Finding | None) -> Finding | None:
    """The finding now, for any machine with a feed."""
    weeks = _weeks(Evidence(context))
    lost = 1.0 - weeks.coverage
    failing = [] if len(lost) >= LEAST_WEEKS else ["history"]
    failing += [] if context.feed_alive else ["feed"]
    before, recent = lost[:-RECENT_WEEKS], lost[-RECENT_WEEKS:]
    score = None if failing else certainty(before, recent)
    rising = None if failing else trend(lost)
    if score is not None and rising is not None and score > SURE.clear:
        failing = ["certainty"] if rising < (TREND_HOLD if flagged(previous) else TREND) else []
    known = len(before) > 0
    evidence = {
        "weeks": [
            {"monday": monday(int(week)).isoformat(), "utilisation": None, "coverage": rounded(share)}
            for week, share in zip(weeks.week, weeks.coverage, strict=True)
        ],
        "lost_before": rounded(float(before.mean())) if known else None,
        "lost_recently": rounded(float(recent.mean())) if known else None,
        "margin": MARGIN,
        "more_lost_certainty": None if score is None else rounded(score),
        "trend_certainty": None if rising is None else rounded(rising),
    }
    sentence = f"{recent.mean():.0%} of the last {RECENT_WEEKS} weeks lost, {before.mean():.0%} before" if known else ""
    return finding(NAME, VERSION, Said(failing, score, sentence, evidence), SURE, context, previous)


def certainty(before: NDArray[np.float64], recent: NDArray[np.float64]) -> float:
    """P(the feed loses at least :data:`MARGIN` more than before): Student's t on the difference of two means.

    Args:
        before, recent: lost share of each week, 0..1, shape (n,) and (m,), n + m > 2. Their scatter is taken as one.

    Returns:
        0 when the newest week is no worse than the weeks before.
    """
    if recent[-1] <= before.mean() + MARGIN / 2:
        return 0.0
    freedom = len(before) + len(recent) - 2
    squares = float(((before - before.mean()) ** 2).sum() + ((recent - recent.mean()) ** 2).sum())
    scatter = max(_STILL, (squares / freedom) ** 0.5)
    error = scatter * (1.0 / len(before) + 1.0 / len(recent)) ** 0.5
    return student_below((float(recent.mean() - before.mean()) - MARGIN) / error, freedom)


def trend(lost: NDArray[np.float64]) -> float:
    """P(the loss rises from week to week): Student's t on the slope of a straight line, shape (n,), n > 2."""
    freedom = len(lost) - 2
    time = np.arange(len(lost)) - (len(lost) - 1) / 2
    span = float(time @ time)
    slope = float(time @ lost) / span
    rest = lost - lost.mean() - slope * time
    scatter = max(_STILL, (float(rest @ rest) / freedom) ** 0.5)
    return student_below(slope / (scatter / span**0.5), freedom)


def _weeks(evidence: Evidence) -> WeeklyUse:
    """Of the complete weeks, from the first hour in which anything was heard: what was before is no loss."""
    history = evidence.history
    heard = np.flatnonzero(history.observed > 0)
    first = int(heard[0]) if len(heard) else len(history)
    return utilisation.weekly(history.between(history.start + HOUR_SECONDS * first, history.end))
