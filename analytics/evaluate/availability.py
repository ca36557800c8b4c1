"""Rolling weekly back-test of P(free for the whole window), beside honest rivals.

Protocol. A window is free when no second of it is busy; it starts on a whole local hour and counts when at least 99 %
of it was observed, whatever the outcome. The forecast for it is made `lead` hours before it starts, by what was known
at the last local Monday 00:00 before that: every window learned from has ended by then. All models learn from the
same windows.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics import near
from analytics.availability import posterior, shape_of
from analytics.capacity import Job
from analytics.evaluate import capacity, known, scores
from analytics.evaluate.files import Intervals, timelines
from analytics.evaluate.folds import Fold, Model, Past, binned, folds, summed_losses
from analytics.evaluate.grid import Grid
from analytics.history import WEEK_HOURS
from analytics.profiles import Profiles
from analytics.signals import UNKNOWN, Present

Floats = NDArray[np.float64]
Told = Callable[[int, int], None]
OURS: Final = "resilian"
RECENT_WEEKS: Final = 26
"""Weeks that recent days are told against, as in the report; an outlook looks back 12."""


def silent(_done: int, _total: int) -> None:
    """Tells nobody how far a back-test is."""


def climatology(past: Past) -> Floats:
    """One share for all."""
    cells = past.cells()
    return np.full_like(cells.free, _share(cells.free.sum(), cells.known.sum(), 0.5))


def machine_mean(past: Past) -> Floats:
    """One share a machine; a machine never observed gets the one of all."""
    cells = past.cells()
    whole = float(_share(cells.free.sum(), cells.known.sum(), 0.5))
    mean = _share(cells.free.sum(axis=1, keepdims=True), cells.known.sum(axis=1, keepdims=True), whole)
    return np.broadcast_to(mean, cells.free.shape)


def last_week(past: Past) -> Floats:
    """The outcome of the newest observed window at the same hour of week; the machine's mean without one."""
    forecast = np.array(machine_mean(past))
    for free, seen in zip(past.free, past.known, strict=True):
        forecast = np.where(seen > 0, free == seen, forecast)
    return forecast


def raw_hour_of_week(past: Past) -> Floats:
    """The share at the same hour of week; the machine's mean where never observed."""
    cells = past.cells()
    return _share(cells.free, cells.known, machine_mean(past))


def smoothed_hour_of_week(past: Past) -> Floats:
    """The same with four weeks of the machine's mean added: the honest rival."""
    cells = past.cells()
    return (cells.free + 4.0 * machine_mean(past)) / (cells.known + 4.0)


def resilian(past: Past) -> Floats:
    """What the product says when the present is not known: profile and recent days (:mod:`analytics.near`)."""
    cells = past.cells(aged=True)
    profile = posterior(cells, shape_of(cells))
    if past.recent is None:
        return profile
    hours, window, start = past.recent
    forgotten = max(0, len(hours.clock) - RECENT_WEEKS * WEEK_HOURS)
    hours, start = hours.cut(forgotten, len(hours.clock)), start - forgotten
    untold = Present(np.full(hours.busy.shape, UNKNOWN, np.int8), 1.0)
    weights = near.learn(hours, untold.state, window, near.NOTHING_KNOWN)
    return near.moved(profile, near.corrections(Profiles(hours), untold, window, start, weights))


MODELS: Final[dict[str, Model]] = {
    "climatology": climatology,
    "machine_mean": machine_mean,
    "last_week": last_week,
    "raw_hour_of_week": raw_hour_of_week,
    "smoothed_hour_of_week": smoothed_hour_of_week,
    OURS: resilian,
}


def evaluate(
    intervals: Intervals,
    observed: Intervals | None = None,
    window_h: int = 8,
    lead_h: float = 0,
    first_weeks: int = 4,
    timezone: str = "UTC",
    *,
    state_known: bool = False,
    job: Job | None = None,
    told: Told = silent,
) -> dict[str, Any]:
    """The back-test of every model on a recording; keys as ``docs/commands.md`` says.

    Args:
        intervals: the file of busy intervals, read in the same ``timezone``.
        observed: when feeds were alive; None takes silence as idle (:func:`~analytics.evaluate.files.silence_notes`).
        window_h: length of the windows, whole hours, 1 to 168.
        lead_h: from forecast to window start, hours, 0 to 672.
        first_weeks: local weeks, from the first observed one, that are only learned from; at least 1.
        timezone: IANA name of the clock of the weeks.
        state_known: also score forecasts made when the state is known (:mod:`~analytics.evaluate.known`).
        job: also judge the promise of shareable hours, by such jobs (:mod:`~analytics.evaluate.capacity`).
        told: told how many of how many forecasts are made.

    Raises:
        ValueError: an argument out of range, nothing observed, or too few weeks to score a window.
    """
    if not 1 <= window_h <= WEEK_HOURS:
        raise ValueError(f"window of {window_h} h: whole hours from 1 to {WEEK_HOURS}")
    if not 0 <= lead_h <= 4 * WEEK_HOURS:
        raise ValueError(f"lead of {lead_h:g} h: from 0 to {4 * WEEK_HOURS} h")
    if first_weeks < 1:
        raise ValueError(f"first weeks {first_weeks}: at least 1 week must be left to learn from")
    grid = Grid.of(timelines(intervals, observed), timezone)
    found = report(grid, MODELS, window_h, lead_h, first_weeks, state_known=state_known, told=told)
    return found if job is None else {**found, "capacity": capacity.evaluate(grid, job)}


def report(
    grid: Grid,
    models: dict[str, Model],
    window_h: int,
    lead_h: float,
    first_weeks: int,
    *,
    state_known: bool = False,
    told: Told = silent,
) -> dict[str, Any]:
    """The back-test of these models; one of them is ``resilian``, against which the others are compared.

    Raises:
        ValueError: no window can be scored.
    """
    rounds = [fold for fold in folds(grid, window_h, lead_h, first_weeks) if fold.scored.any()]
    if not rounds:
        raise ValueError(_nothing(grid, window_h, first_weeks))
    outcome = np.concatenate([fold.free[fold.scored] for fold in rounds])
    forecasts: dict[str, list[Floats]] = {name: [] for name in models}
    for number, fold in enumerate(rounds, 1):
        for name, model in models.items():
            forecasts[name].append(model(fold.past)[:, fold.hour_of_week])
        told(number, len(rounds))
    flat = {
        name: np.concatenate([cast[fold.scored] for cast, fold in zip(casts, rounds, strict=True)])
        for name, casts in forecasts.items()
    }
    losses = {name: summed_losses(casts, rounds) for name, casts in forecasts.items()}
    gains = {name: scores.gain(losses[OURS], losses[name]) for name in models if name != OURS}
    found = {
        "window": _length(window_h),
        "lead": _length(lead_h),
        "n": len(outcome),
        "weeks": len(rounds),
        "models": {name: scores.of(probability, outcome) for name, probability in flat.items()},
        "gain": {name: {"percent": g.value, "low": g.low, "high": g.high} for name, g in gains.items()},
        "reliability": scores.reliability(flat[OURS], outcome),
        "ece_interval": list(scores.calibration(binned(forecasts[OURS], rounds))[1:]),
        "notes": _notes(grid, rounds),
    }
    if state_known:
        casts = known.forecasts(grid, rounds, window_h, lead_h)
        found["state_known"] = known.figures(casts, rounds, losses, outcome)
    return found


def _nothing(grid: Grid, window_h: int, first_weeks: int) -> str:
    """Why no window can be scored."""
    weeks = len(grid.weeks)
    least = f"{first_weeks} are only learned from (--first-weeks), so it takes {first_weeks + 1} at least"
    why = least if weeks <= first_weeks else "in those after the first ones none was observed to 99 %"
    return f"no window of {window_h} h can be scored: the recording has {weeks} local week{'s' * (weeks > 1)}; {why}"


def _notes(grid: Grid, rounds: list[Fold]) -> list[str]:
    """What a person should know of how much the figures rest on."""
    notes, weeks = [], len(rounds)
    if weeks < scores.LEAST_WEEKS:
        notes.append(
            f"{weeks} week{'s' * (weeks > 1)} scored, too few for intervals ({scores.LEAST_WEEKS}): the figures may be"
            " chance"
        )
    judged = np.any([fold.scored.any(axis=1) for fold in rounds], axis=0)
    if judged.sum() == 1 and weeks >= scores.LEAST_WEEKS:
        notes.append("one machine scored: the intervals are those of its weeks, not of machines like it")
    missing = [name for name, seen in zip(grid.machines, judged, strict=True) if not seen]
    if missing:
        names = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        notes.append(f"no window scored of {len(missing)} of {len(judged)} machines, observed too little: {names}")
    return notes


def _length(hours: float) -> str:
    return f"{hours:g}h" if hours == int(hours) else f"{hours * 60:g}min"


def _share(free: Floats, known: Floats, otherwise: Floats | float) -> Floats:
    return np.asarray(np.where(known > 0, free / np.maximum(known, 1e-12), otherwise), dtype=np.float64)
