"""The back-test of P(free) when the present is known: each forecast is made ``lead`` hours before its window.

The state at that instant and the hours that had ended by then are known; weights and profile are those of the last
local Monday before it. A recording's states come from reports made afterwards, as no live feed would know them better:
the figures are an oracle's, and are labelled so.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics import near
from analytics.evaluate import scores
from analytics.evaluate.folds import Fold, summed_losses
from analytics.evaluate.grid import Grid
from analytics.profiles import Profiles
from analytics.signals import Signals

Floats = NDArray[np.float64]


def forecasts(grid: Grid, rounds: list[Fold], window_h: int, lead_h: float) -> list[Floats]:
    """P(free) of the windows of each fold, shape (machines, windows)."""
    ahead = int(lead_h) + 1
    ends, present = grid.states(1.0), grid.states(ahead - lead_h)
    signals = Signals(Profiles(grid.hours), present, window_h)  # what it says of an hour rests on what came before it
    found = []
    for fold in rounds:
        origin = int(np.searchsorted(grid.clock.week, fold.week))
        weights = near.learn(grid.hours.cut(0, origin), ends.state[:, :origin], window_h)
        at = fold.start - ahead
        profile = signals.profiles.at(window_h, fold.start, np.full(len(at), origin))
        found.append(near.moved(profile, signals.of(at, fold.start) @ weights))
    return found


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
    }
