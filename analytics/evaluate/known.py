"""The back-test of P(free) when the present is known: each forecast is made ``lead`` hours before its window.

The state at that instant and the hours that had ended by then are known. Weights are those of the last local Monday
before it; the profile rests on the windows that had ended by the last midnight, as that of an outlook rests on all that
had ended. A recording's states come from reports made afterwards, as no live feed would know them better: the figures
are an oracle's, and are labelled so.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics import near
from analytics.availability import posterior, shape_of, tally
from analytics.evaluate import scores
from analytics.evaluate.folds import Fold, binned, summed_losses, windows_ended
from analytics.evaluate.grid import Grid
from analytics.history import LocalHours
from analytics.profiles import Ints, Profiles
from analytics.signals import Signals
from analytics.windows import Windows, windows

Floats = NDArray[np.float64]


def forecasts(grid: Grid, rounds: list[Fold], window_h: int, lead_h: float) -> list[Floats]:
    """P(free) of the windows of each fold, shape (machines, windows)."""
    ahead = int(lead_h) + 1
    ends, present = grid.states(1.0), grid.states(ahead - lead_h)
    signals = Signals(Profiles(grid.hours), present, window_h)  # what it says of an hour rests on what came before it
    outcomes = windows(grid.hours.busy, grid.hours.observed, window_h)
    found = []
    for fold in rounds:
        origin = int(np.searchsorted(grid.clock.week, fold.week))
        weights = near.learn(grid.hours.cut(0, origin), ends.state[:, :origin], window_h)
        at = fold.start - ahead
        told = grid.clock.day[at + (present.phase >= 1.0)]
        profile = daily(grid.clock, outcomes, window_h, fold, told)
        found.append(near.moved(profile, signals.of(at, fold.start) @ weights))
    return found


def daily(clock: LocalHours, outcomes: Windows, window_h: int, fold: Fold, told: Ints) -> Floats:
    """The profile of the fold's windows, shape (machines, windows), each as known at the midnight that began its day.

    Args:
        told: number of the local day on which each window's forecast is made, not falling, shape (windows,).
    """
    cells = fold.past.cells(aged=True)
    profile, counted = np.empty(fold.free.shape), _ended_by(clock, clock.week, fold.week, window_h)
    for day in np.unique(told):
        ended = _ended_by(clock, clock.day, int(day), window_h)
        newer = Windows(outcomes.free[:, counted:ended], outcomes.known[:, counted:ended])
        cells, counted = cells.plus(tally(newer, clock.cut(counted, ended), fold.week)), ended
        profile[:, told == day] = posterior(cells, shape_of(cells))[:, fold.hour_of_week[told == day]]
    return profile


def _ended_by(clock: LocalHours, number: Ints, beginning: int, window_h: int) -> int:
    """How many windows, by start hour, had ended when this week or day began."""
    return windows_ended(int(np.searchsorted(number, beginning)), window_h, len(clock))


def figures(
    casts: list[Floats], rounds: list[Fold], rivals: dict[str, Floats], outcome: NDArray[np.bool_]
) -> dict[str, Any]:
    """The object ``state_known`` of the answer; ``rivals`` are the others' summed losses by machine and origin."""
    flat = np.concatenate([cast[fold.scored] for cast, fold in zip(casts, rounds, strict=True)])
    losses = summed_losses(casts, rounds)
    gains = {name: scores.gain(losses, rival) for name, rival in rivals.items()}
    return {
        "label": "oracle",
        **scores.of(flat, outcome),
        "gain": {name: {"percent": g.value, "low": g.low, "high": g.high} for name, g in gains.items()},
        "reliability": scores.reliability(flat, outcome),
        "ece_interval": list(scores.calibration(binned(casts, rounds))[1:]),
    }
