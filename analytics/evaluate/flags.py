"""Back-test of the under-use flag: set at each local Monday from history only, judged on the weeks after.

A recording knows no calendar, so the flag stands on utilisation of the calendar, and of the conditions of
``analytics.rules.structural_underuse`` those that a recording can answer: history, life, coverage, change, certainty.
What is said is what the rule says: flagged, clear, or the evidence that is insufficient, certainty among it; a flag of
the week before stands down to a lower certainty, as in the product. The truth is the utilisation of the horizon, its
silence filled by hour of week, told when half of it was observed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import utilisation
from analytics.evaluate import scores
from analytics.evaluate.availability import Told, silent
from analytics.evaluate.files import Intervals, timelines
from analytics.evaluate.grid import Grid
from analytics.history import History, monday, week_start
from analytics.level import WeeklyPrior, prior_of
from analytics.levels import Priors
from analytics.rules.evidence import WEEKS
from analytics.rules.structural_underuse import COVERAGE, HOLD, LIFE_DAYS
from analytics.tallies import layout_of
from analytics.verdicts import CERTAINTY, FLAGGED, SAID, Rule, verdicts
from fleet.records import HOUR_SECONDS

MISSING: Final = ("history", "life", "coverage", "change", "certainty")
"""Conditions without which a machine is neither flagged nor clear."""

TRUTH_COVERAGE: Final = 0.5
LEAST_FLAGGED: Final = 5
"""Machines below which a person is told on how few a precision rests."""


class Verdict(NamedTuple):
    """One machine at one Monday. ``said`` is "flagged", "clear" or what was missing."""

    machine: int
    week: int
    said: str
    true: bool


def evaluate(
    intervals: Intervals,
    observed: Intervals | None = None,
    threshold: float = 0.15,
    history_weeks: int = 6,
    horizon_weeks: int = 4,
    timezone: str = "UTC",
    *,
    told: Told = silent,
) -> dict[str, Any]:
    """Precision and recall of the flag on a recording; keys as ``docs/commands.md`` says, shares null when of nothing.

    ``recall`` is over the machine-weeks that were flagged or clear, ``recall_uncertain_missed`` also over those for
    which only certainty was missing, ``recall_insufficient_missed`` over all; ``true`` counts those truly below the
    threshold, ``contested`` tells the machines whose utilisation lies between a third of it and its double.

    Args:
        intervals: the file of busy intervals, read in the same ``timezone``.
        observed: when feeds were alive; None takes silence as idle.
        threshold: utilisation of the calendar, 0..1, both excluded.
        history_weeks: weeks that a flag needs, at least 2; it looks back :data:`WEEKS` where there are as many.
        horizon_weeks: weeks that it is judged on, at least 1.
        timezone: IANA name of the clock of the weeks.
        told: told how many of how many weeks are judged.

    Raises:
        ValueError: an argument out of range, nothing observed, or too few weeks for a horizon.
    """
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"threshold {threshold}: between 0 and 1")
    if history_weeks < 2 or horizon_weeks < 1:
        raise ValueError(f"{history_weeks} weeks of history, {horizon_weeks} of horizon: at least 2 and 1")
    grid = Grid.of(timelines(intervals, observed), timezone)
    histories = histories_of(grid, timezone)
    origins = grid.weeks[history_weeks : len(grid.weeks) - horizon_weeks + 1]
    if not origins:
        raise ValueError(
            f"{len(grid.weeks)} local weeks: no flag can be judged with {history_weeks} weeks of history"
            f" and {horizon_weeks} after it"
        )
    verdicts = judge_weeks(histories, histories, origins, threshold, history_weeks, horizon_weeks, told=told)
    contested = [
        index
        for index, history in enumerate(histories)
        if threshold / 3 < (utilisation.use(history).share or 0.0) < 2 * threshold
    ]
    narrow = [verdict for verdict in verdicts if verdict.machine in set(contested)]
    names = [grid.machines[index] for index in contested]
    figures = _figures(verdicts)
    return {
        "threshold": threshold,
        **figures,
        **_intervals(verdicts, figures, horizon_weeks),
        "contested": {"machines": names, "n": len(narrow), **_figures(narrow)},
        "by_week": [_week([v for v in verdicts if v.week == week], week) for week in origins],
        "notes": _notes(verdicts, len(grid.machines)),
    }


def _said_of(pasts: Sequence[History], rule: Rule, flagged: set[int]) -> list[str]:
    """What is said of each machine; those whose histories begin together are judged together."""
    alike: dict[tuple[int, int], list[int]] = {}
    for machine, past in enumerate(pasts):
        alike.setdefault((past.start, len(past)), []).append(machine)
    weekly = {
        key: utilisation.filled(
            np.stack([pasts[machine].used for machine in machines]),
            HOUR_SECONDS - np.stack([pasts[machine].observed for machine in machines]),
            layout_of(pasts[machines[0]].clock),
        )
        for key, machines in alike.items()
    }
    prior = prior_of(
        [row[seen > 0] for one in weekly.values() for row, seen in zip(one.share, one.observed, strict=True)]
    )
    said = [""] * len(pasts)
    for key, machines in alike.items():
        alive = np.array([bool(pasts[machine].used[-LIFE_DAYS * 24 :].any()) for machine in machines])
        standing = np.array([machine in flagged for machine in machines])
        for machine, word in zip(machines, _words(weekly[key], alive, prior, rule, standing), strict=True):
            said[machine] = word
    return said


def say(
    history: History,
    prior: WeeklyPrior,
    threshold: float,
    horizon_weeks: int,
    least_weeks: int = 6,
    least_coverage: float = COVERAGE,
    standing: bool = False,
) -> str:
    """What is said of a machine whose ``history`` ends now: "flagged", "clear", or the evidence that is missing.

    ``standing`` when it was flagged the week before.
    """
    weekly = utilisation.filled(history.used[None], HOUR_SECONDS - history.observed[None], layout_of(history.clock))
    alive = np.array([history.used[-LIFE_DAYS * 24 :].any()])
    rule = Rule(threshold, horizon_weeks, least_weeks, least_coverage)
    return _words(weekly, alive, prior, rule, np.array([standing]))[0]


def _words(
    weekly: utilisation.WeeklyUse,
    alive: NDArray[np.bool_],
    prior: WeeklyPrior,
    rule: Rule,
    standing: NDArray[np.bool_],
) -> list[str]:
    """What is said of machines by their weeks, columns of shape (machines, weeks)."""
    believed = Priors(*(np.full(len(alive), value) for value in prior[:3]))
    found = verdicts(weekly, alive, believed, rule)
    held = (found.said == CERTAINTY) & standing & (found.certainty >= HOLD)
    return [SAID[code] for code in np.where(held, FLAGGED, found.said).tolist()]


def histories_of(grid: Grid, timezone: str) -> list[History]:
    """Used and observed time of each machine of a recording."""
    columns = zip(grid.used, grid.observed, strict=True)
    return [History.from_columns(grid.clock.start, timezone, used, seen) for used, seen in columns]


def judge_weeks(
    known: Sequence[History],
    truths: Sequence[History],
    weeks: Sequence[int],
    threshold: float,
    history_weeks: int,
    horizon_weeks: int,
    least_coverage: float = COVERAGE,
    told: Told = silent,
) -> list[Verdict]:
    """What is said of each machine when each week begins, by ``known``, and what came of it, by ``truths``.

    Args:
        weeks: numbers of the weeks, in order: what was said in one is known in the next.
    """
    verdicts: list[Verdict] = []
    flagged: set[int] = set()
    rule = Rule(threshold, horizon_weeks, history_weeks, least_coverage)
    for number, week in enumerate(weeks, 1):
        pasts = pasts_of(known, week, history_weeks)
        said = _said_of(pasts, rule, flagged)
        flagged = {machine for machine, word in enumerate(said) if word == "flagged"}
        came = [truth_of(history, week, horizon_weeks) for history in truths]
        verdicts += [
            Verdict(machine, week, word, truth < threshold)
            for machine, (word, truth) in enumerate(zip(said, came, strict=True))
            if truth is not None
        ]
        told(number, len(weeks))
    return verdicts


def pasts_of(known: Sequence[History], week: int, history_weeks: int) -> list[History]:
    """What each machine's flag rests on when the week begins."""
    return [_past(history, week - max(history_weeks, WEEKS), week_start(week, history.timezone)) for history in known]


def told_weeks(past: History) -> NDArray[np.float64]:
    """Utilisation of the weeks of which anything was heard, shape (n,)."""
    weekly = utilisation.stratified(past)
    return weekly.share[weekly.observed > 0]


def _past(history: History, first_week: int, origin: int) -> History:
    """Whole weeks up to the origin, from the first one in which anything was heard."""
    past = history.between(week_start(first_week, history.timezone), origin)
    heard = np.flatnonzero(past.observed > 0)
    first = int(past.clock.week[heard[0]]) if len(heard) else first_week
    return past.between(week_start(first, history.timezone), origin)


def truth_of(history: History, week: int, horizon_weeks: int) -> float | None:
    """Utilisation of the weeks from that one on; None when less than half of them was observed."""
    timezone = history.timezone
    horizon = history.between(week_start(week, timezone), week_start(week + horizon_weeks, timezone))
    if (utilisation.use(horizon).coverage or 0.0) < TRUTH_COVERAGE:
        return None
    weekly = utilisation.stratified(horizon)
    return float(weekly.share[weekly.observed > 0].mean())


def _figures(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    flagged = [verdict for verdict in verdicts if verdict.said == "flagged"]
    true = [verdict for verdict in verdicts if verdict.true]
    told = [verdict for verdict in true if verdict.said not in MISSING]
    uncertain = [verdict for verdict in true if verdict.said == "certainty"]
    hits = sum(verdict.true for verdict in flagged)
    return {
        "precision": _share(hits, len(flagged)),
        "recall": _share(hits, len(told)),
        "recall_uncertain_missed": _share(hits, len(told) + len(uncertain)),
        "recall_insufficient_missed": _share(hits, len(true)),
        "prevalence": _share(len(true), len(verdicts)),
        "flagged": len(flagged),
        "true": len(true),
        "insufficient": sum(verdict.said in MISSING for verdict in verdicts),
    }


def _intervals(verdicts: Sequence[Verdict], figures: Mapping[str, Any], horizon_weeks: int) -> dict[str, Any]:
    """How surely precision and recall are known; weeks of one machine whose horizons overlap count as one case."""
    flagged = [verdict for verdict in verdicts if verdict.said == "flagged"]
    told = [verdict for verdict in verdicts if verdict.true and verdict.said not in MISSING]
    return {
        "precision_interval": list(scores.proportion(figures["precision"], _independent(flagged, horizon_weeks))),
        "recall_interval": list(scores.proportion(figures["recall"], _independent(told, horizon_weeks))),
        "flagged_machines": len({verdict.machine for verdict in flagged}),
    }


def _notes(verdicts: Sequence[Verdict], machines: int) -> list[str]:
    """What a person should know of how much the figures rest on."""
    notes = []
    flagged = Counter(verdict.machine for verdict in verdicts if verdict.said == "flagged")
    if flagged and len(flagged) < LEAST_FLAGGED:
        on = f"{len(flagged)} machine{'s' * (len(flagged) > 1)}"
        notes.append(
            f"all {flagged.total()} flags are on {on}: the precision is theirs, not that of machines like them"
        )
    missing = machines - len({verdict.machine for verdict in verdicts})
    if missing:
        notes.append(
            f"{missing} of {machines} machines could not be judged: their weeks after were observed too little"
        )
    return notes


def _independent(verdicts: Sequence[Verdict], horizon_weeks: int) -> float:
    """How many cases they are worth: of each machine one, or one a horizon."""
    return sum(max(1.0, weeks / horizon_weeks) for weeks in Counter(one.machine for one in verdicts).values())


def _week(verdicts: Sequence[Verdict], week: int) -> dict[str, Any]:
    missing = Counter(verdict.said for verdict in verdicts if verdict.said in MISSING)
    return {
        "monday": monday(week).isoformat(),
        "n": len(verdicts),
        **_figures(verdicts),
        "missing": dict(sorted(missing.items())),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
