"""Degrading coverage: a feed that loses more and more, before it is lost altogether.

The last three weeks are compared with those before, and it must be a trend: a feed that loses whole days at random has
three bad weeks at last one time in fifty. Two things prove it. Either surely so much more of the time is lost (losses
come in bursts, so their scatter from week to week decides), more from week to week; or so much more is lost, and the
feed is surely interrupted more often since some week: interruptions are many where lost hours are still few, and tell
it weeks earlier. A feed that has been silent for days is another matter, and one that lost much but has not in the last
week has recovered.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import utilisation
from analytics.history import History, monday
from analytics.level import student_below
from analytics.rules.context import RuleContext
from analytics.rules.evidence import Evidence
from analytics.rules.frame import SURE, Said, finding, flagged, rounded
from analytics.utilisation import WeeklyUse
from fleet.records import HOUR_SECONDS, Finding
from fleet.states import UNKNOWN

NAME: Final = "degrading-coverage"
VERSION: Final = "2"
LEAST_WEEKS: Final = 6
RECENT_WEEKS: Final = 3
MARGIN: Final = 0.05
"""Share of the time that must be lost besides, 0..1: an hour and a quarter a day."""
TREND: Final = 0.998
"""P(loss rises from week to week) that a flag needs; one in force needs :data:`TREND_HOLD`."""
TREND_HOLD: Final = 0.90
MORE_OFTEN: Final = 0.98
"""P(interrupted more often since some week) that a flag needs instead; one in force needs :data:`TREND_HOLD`."""
LEAST_GAP: Final = 0.25
"""Share of an hour that must be unknown to be an interruption, or part of one."""
SILENT_HOURS: Final = 48
"""A feed that nothing was heard of for so long is silent; one that loses a third of the time may be so at any time."""
_RARE: Final = 0.25  # interruptions a week below which their scatter is not told from that of one a month
_STILL: Final = 0.01  # scatter of a week's loss, at least: what never varied tells no more than that


class Judged(NamedTuple):
    """What the weeks of a feed say: three probabilities, None where nothing can be told."""

    more_lost: float | None = None
    trend: float | None = None
    more_often: float | None = None


def judge(context: RuleContext, previous: Finding | None) -> Finding | None:
    """The finding now, for any machine with a feed."""
    history = _heard(Evidence(context).history)
    weeks = utilisation.weekly(history)
    lost, gaps = 1.0 - weeks.coverage, interruptions(history)
    failing = [] if len(lost) >= LEAST_WEEKS else ["history"]
    failing += [] if context.feed_alive or _heard_lately(context) else ["feed"]
    judged = Judged() if failing else _judged(lost, gaps)
    if judged.more_lost is not None and judged.more_lost > SURE.clear and not _proven(judged, flagged(previous)):
        failing = ["certainty"]
    said = Said(failing, judged.more_lost, _sentence(lost, gaps), _told(weeks, gaps, judged))
    return finding(NAME, VERSION, said, SURE, context, previous)


def _judged(lost: NDArray[np.float64], gaps: NDArray[np.float64]) -> Judged:
    before, recent = lost[:-RECENT_WEEKS], lost[-RECENT_WEEKS:]
    score, often = certainty(before, recent), more_often(gaps)
    if recent.mean() >= before.mean() + MARGIN and worse_still(before, recent):
        score = max(score, often)
    return Judged(score, trend(lost), often)


def _proven(judged: Judged, standing: bool) -> bool:
    """Whether it is a trend; a flag in force needs less."""
    rising, often = judged.trend or 0.0, judged.more_often or 0.0
    return rising >= (TREND_HOLD if standing else TREND) or often >= (TREND_HOLD if standing else MORE_OFTEN)


def _sentence(lost: NDArray[np.float64], gaps: NDArray[np.float64]) -> str:
    if len(lost) <= RECENT_WEEKS:
        return ""
    return (
        f"{lost[-RECENT_WEEKS:].mean():.0%} of the last {RECENT_WEEKS} weeks lost, "
        f"{lost[:-RECENT_WEEKS].mean():.0%} before; interrupted {gaps[-RECENT_WEEKS:].mean():.1f} times a week, "
        f"{gaps[:-RECENT_WEEKS].mean():.1f} before"
    )


def _told(weeks: WeeklyUse, gaps: NDArray[np.float64], judged: Judged) -> dict[str, Any]:
    lost = 1.0 - weeks.coverage
    known = len(lost) > RECENT_WEEKS
    means = {
        f"{name}_{when}": rounded(float(weekly[part].mean())) if known else None
        for name, weekly in (("lost", lost), ("interrupted", gaps))
        for when, part in (("before", slice(-RECENT_WEEKS)), ("recently", slice(-RECENT_WEEKS, None)))
    }
    chances = {
        "more_lost_certainty": judged.more_lost,
        "trend_certainty": judged.trend,
        "more_often_certainty": judged.more_often,
    }
    return {
        "weeks": [
            {"monday": monday(int(week)).isoformat(), "utilisation": None, "coverage": rounded(share)}
            for week, share in zip(weeks.week, weeks.coverage, strict=True)
        ],
        "interruptions": [int(number) for number in gaps],
        **means,
        "margin": MARGIN,
        **{name: None if chance is None else rounded(chance) for name, chance in chances.items()},
    }


def certainty(before: NDArray[np.float64], recent: NDArray[np.float64]) -> float:
    """P(the feed loses at least :data:`MARGIN` more than before): Student's t on the difference of two means.

    Args:
        before, recent: lost share of each week, 0..1, shape (n,) and (m,), n + m > 2. Their scatter is taken as one.

    Returns:
        0 when the newest week is no worse than the weeks before.
    """
    if not worse_still(before, recent):
        return 0.0
    freedom = len(before) + len(recent) - 2
    squares = float(((before - before.mean()) ** 2).sum() + ((recent - recent.mean()) ** 2).sum())
    scatter = max(_STILL, (squares / freedom) ** 0.5)
    error = scatter * (1.0 / len(before) + 1.0 / len(recent)) ** 0.5
    return student_below((float(recent.mean() - before.mean()) - MARGIN) / error, freedom)


def worse_still(before: NDArray[np.float64], recent: NDArray[np.float64]) -> bool:
    """Whether the newest week, too, is worse than the weeks before."""
    return bool(recent[-1] > before.mean() + MARGIN / 2)


def trend(lost: NDArray[np.float64]) -> float:
    """P(the loss rises from week to week): Student's t on the slope of a straight line, shape (n,), n > 2."""
    freedom = len(lost) - 2
    time = np.arange(len(lost)) - (len(lost) - 1) / 2
    span = float(time @ time)
    slope = float(time @ lost) / span
    rest = lost - lost.mean() - slope * time
    scatter = max(_STILL, (float(rest @ rest) / freedom) ** 0.5)
    return student_below(slope / (scatter / span**0.5), freedom)


def interruptions(history: History) -> NDArray[np.float64]:
    """How often the feed fell silent in each local week, shape (weeks,); hours of silence in a row are one."""
    silent = history.seconds[:, UNKNOWN] >= LEAST_GAP * HOUR_SECONDS
    begins = silent & ~np.append(False, silent[:-1])
    week = history.clock.week
    return np.asarray(np.bincount(week - (week[0] if len(week) else 0), begins), dtype=np.float64)


def more_often(gaps: NDArray[np.float64]) -> float:
    """P(since some week the feed has been interrupted more often than before).

    The likelihood ratio of two Poisson rates for one, at the week where it is largest, divided by the scatter that is
    left (quasi-likelihood; McCullagh and Nelder 1989, 9.2), its root taken as Student's t; times the weeks tried
    (Bonferroni).

    Args:
        gaps: interruptions of each week, shape (n,).
    """
    weeks, whole, largest = len(gaps), float(gaps.mean()) if len(gaps) else 0.0, 0.0
    tried = range(2, weeks - 2)
    for split in (weeks - since for since in tried):
        before, after = gaps[:split], gaps[split:]
        low, high = float(before.mean()), float(after.mean())
        if high <= low:
            continue
        ratio = after.sum() * np.log(high / whole) + (before.sum() * np.log(low / whole) if low else 0.0)
        off = ((before - low) ** 2).sum() / max(low, _RARE) + ((after - high) ** 2).sum() / high
        largest = max(largest, 2.0 * float(ratio) / max(1.0, float(off) / (weeks - 2)))
    if not largest:
        return 0.0
    return max(0.0, 1.0 - len(tried) * (1.0 - student_below(largest**0.5, weeks - 2)))


def _heard_lately(context: RuleContext) -> bool:
    end = int(context.now.timestamp())
    return bool(context.history.between(end - SILENT_HOURS * HOUR_SECONDS, end).observed.any())


def _heard(history: History) -> History:
    """From the first hour in which anything was heard: what was before is no loss."""
    heard = np.flatnonzero(history.observed > 0)
    first = int(heard[0]) if len(heard) else len(history)
    return history.between(history.start + HOUR_SECONDS * first, history.end)
