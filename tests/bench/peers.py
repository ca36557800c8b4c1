"""P(free for the whole window) beside forecasters that exist, in one run on one recording.

usage: python -m tests.bench.peers INTERVALS.csv [--window 8] [--first-weeks 4] [--peers NAME,NAME]

The peers are statsforecast's, which is no part of the lock (443 MB): the extra ``peers``, or
``uv pip install --python .venv/bin/python statsforecast``. Each is given what ours is given: at every Monday the
outcomes, free or not, of the windows that had ended, hour by hour; its forecast of the next 168 is cut to 0..1 and
taken as the chance. An outcome not known is filled by that of the week before, for the peers know no gaps.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.evaluate import scores
from analytics.evaluate.availability import MODELS, OURS
from analytics.evaluate.files import read_intervals, timelines
from analytics.evaluate.folds import Fold, folds, summed_losses
from analytics.evaluate.grid import Grid
from analytics.windows import windows

Floats = NDArray[np.float64]
WEEK = 168


def makers() -> dict[str, Callable[[], Any]]:
    """The peers by name; a fresh one a series.

    Raises:
        SystemExit: statsforecast is not installed.
    """
    try:
        from statsforecast import models
    except ImportError:
        raise SystemExit("statsforecast is missing: uv pip install --python .venv/bin/python statsforecast") from None
    return {
        "SeasonalWindowAverage": lambda: models.SeasonalWindowAverage(season_length=WEEK, window_size=4),
        "MSTL": lambda: models.MSTL(season_length=[24, WEEK]),
        "AutoETS": lambda: models.AutoETS(season_length=24),
    }


def filled(free: Floats, known: NDArray[np.bool_]) -> Floats:
    """One machine's outcomes without gaps: that of the week before, else the mean."""
    series = np.where(known, free, np.nan)
    for hour in np.flatnonzero(~known):
        series[hour] = series[hour - WEEK] if hour >= WEEK else np.nan
    return np.where(np.isnan(series), free[known].mean() if known.any() else 0.5, series)


def cast(
    make: Callable[[], Any], free: Floats, known: NDArray[np.bool_], fold: Fold, window: int, origin: int
) -> Floats:
    """A peer's chances for the windows of the fold, shape (machines, windows)."""
    ended = origin - window + 1
    steps = int(fold.start[-1]) - ended + 1
    found = np.empty(fold.free.shape)
    for machine in range(len(free)):
        series = filled(free[machine, :ended], known[machine, :ended])
        if np.ptp(series) == 0:
            found[machine] = series[0]
            continue
        told = make().forecast(y=series.astype(np.float32), h=steps)["mean"]
        found[machine] = np.clip(np.nan_to_num(told, nan=float(series.mean()))[fold.start - ended], 0.0, 1.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="P(free) beside statsforecast's models")
    parser.add_argument("intervals", type=Path)
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--first-weeks", type=int, default=4)
    parser.add_argument("--peers", default="SeasonalWindowAverage,MSTL,AutoETS")
    asked = parser.parse_args()
    known_makers = makers()
    grid = Grid.of(timelines(read_intervals(asked.intervals), None), "UTC")
    rounds = list(folds(grid, asked.window, 0, asked.first_weeks))
    free, known = windows(grid.busy > 0, grid.observed, asked.window)
    outcome = np.concatenate([fold.free[fold.scored] for fold in rounds])

    def told(name: str) -> list[Floats]:
        if name in MODELS:
            return [MODELS[name](fold.past)[:, fold.hour_of_week] for fold in rounds]
        origins = [int(np.searchsorted(grid.clock.week, fold.week)) for fold in rounds]
        return [
            cast(known_makers[name], free.astype(np.float64), known, fold, asked.window, origin)
            for fold, origin in zip(rounds, origins, strict=True)
        ]

    ours = summed_losses(told(OURS), rounds)
    for name in [*MODELS, *asked.peers.split(",")]:
        began = time.process_time()
        casts = told(name)
        seconds = round(time.process_time() - began, 2)
        flat = np.concatenate([one[fold.scored] for one, fold in zip(casts, rounds, strict=True)])
        gain = scores.gain(ours, summed_losses(casts, rounds))
        row = {"forecast": name, **scores.of(flat, outcome), "ours_better_percent": [gain.value, gain.low, gain.high]}
        sys.stdout.write(json.dumps({**row, "cpu_s": seconds}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
