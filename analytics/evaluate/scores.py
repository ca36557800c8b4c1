"""Scores of forecasts of yes or no: Brier, log loss, calibration, and the interval of a difference."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CLIP: Final = 0.01
"""Probabilities are kept this far from 0 and 1 for the log loss, which one sure and wrong forecast would rule."""
_BINS: Final = 10
LEAST_WEEKS: Final = 4
"""Weeks without which no interval is told: resampled, fewer say less than they seem to."""
_SURE: Final = 1.959964
"""Standard deviations of a normal variable within which 95 % lie."""


class Interval(NamedTuple):
    """A figure with its 95 % interval; None where there are fewer than :data:`LEAST_WEEKS` weeks to resample."""

    value: float
    low: float | None
    high: float | None


def brier(probability: Floats, outcome: NDArray[np.bool_]) -> float:
    """Mean squared distance of forecast and outcome."""
    return float(np.mean((probability - outcome) ** 2))


def log_loss(probability: Floats, outcome: NDArray[np.bool_]) -> float:
    """Mean of -log of the probability given to what happened, nats."""
    kept = np.clip(probability, CLIP, 1.0 - CLIP)
    return float(-np.mean(np.log(np.where(outcome, kept, 1.0 - kept))))


def pinball(quantile: Floats, outcome: Floats, level: float) -> float:
    """Mean pinball loss of a told quantile: least when a share ``level`` of the outcomes falls below it."""
    above = outcome - quantile
    return float(np.mean(np.maximum(level * above, (level - 1.0) * above)))


def reliability(probability: Floats, outcome: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Ten equal bins of forecasts: mean forecast, share that came true, count; empty bins are left out."""
    which = np.minimum((probability * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(which, minlength=_BINS)
    forecast, happened = (np.bincount(which, values, _BINS) for values in (probability, outcome.astype(np.float64)))
    return [
        {
            "from": bin_ / _BINS,
            "to": (bin_ + 1) / _BINS,
            "n": int(counts[bin_]),
            "forecast": float(forecast[bin_] / counts[bin_]),
            "observed": float(happened[bin_] / counts[bin_]),
        }
        for bin_ in np.flatnonzero(counts).tolist()
    ]


def calibration_error(table: list[dict[str, Any]]) -> float:
    """Expected calibration error of a reliability table: mean distance of forecast and share, by count."""
    total = sum(row["n"] for row in table)
    return float(sum(row["n"] * abs(row["forecast"] - row["observed"]) for row in table) / total)


def binned(probability: Floats, outcome: NDArray[np.bool_], scored: NDArray[np.bool_]) -> Floats:
    """What :func:`reliability` sums, machine by machine: count, forecasts, outcomes; shape (machines, bins, 3).

    Args:
        probability: shape (machines, windows), like the outcome and which of them count.
    """
    machines = len(probability)
    which = np.minimum((probability * _BINS).astype(np.int64), _BINS - 1) + _BINS * np.arange(machines)[:, None]
    sums = [
        np.bincount(which[scored], values[scored], machines * _BINS)
        for values in (np.ones(probability.shape), probability, outcome.astype(np.float64))
    ]
    return np.stack(sums, axis=-1).astype(np.float64).reshape(machines, _BINS, 3)


def calibration(sums: Floats, draws: int = 500, seed: int = 0) -> Interval:
    """Expected calibration error with its interval, weeks and machines resampled.

    Chance alone makes resampled errors larger than the error itself; by how much their median is, is taken off.

    Args:
        sums: :func:`binned` of each origin, shape (machines, weeks, bins, 3).
    """
    machines, weeks = sums.shape[:2]
    value = float(_error(sums.sum(axis=(0, 1))))
    if weeks < LEAST_WEEKS:
        return Interval(value, None, None)
    by_machine, by_week = _resampled(machines, weeks, draws, seed)
    drawn = np.einsum("dm,mwbk,dw->dbk", by_machine, sums, by_week, optimize=True)
    low, middle, high = np.percentile(_error(drawn[drawn[..., 0].sum(axis=-1) > 0]), [2.5, 50.0, 97.5])
    return Interval(value, max(0.0, float(low - middle + value)), float(high - middle + value))


def _error(sums: Floats) -> Floats:
    """Expected calibration error of sums by bin, shape (..., bins, 3)."""
    apart = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    return np.asarray(apart / sums[..., 0].sum(axis=-1), dtype=np.float64)


def of(probability: Floats, outcome: NDArray[np.bool_]) -> dict[str, float]:
    """The scores of a model, by name."""
    return {
        "brier": brier(probability, outcome),
        "log_loss": log_loss(probability, outcome),
        "ece": calibration_error(reliability(probability, outcome)),
    }


def gain(ours: Floats, baseline: Floats, draws: int = 2000, seed: int = 0) -> Interval:
    """By how many percent our loss lies below a baseline's, with its interval.

    Weeks and machines are resampled independently, so that neither one odd week nor one odd machine carries the figure.

    Args:
        ours: summed loss by machine and week, shape (machines, weeks).
        baseline: likewise, of the same windows.
    """
    if not baseline.sum():
        return Interval(0.0, None, None)
    value = 100.0 * float(1.0 - ours.sum() / baseline.sum())
    machines, weeks = ours.shape
    if weeks < LEAST_WEEKS:
        return Interval(value, None, None)
    by_machine, by_week = _resampled(machines, weeks, draws, seed)
    losses, rivals = (((by_machine @ loss) * by_week).sum(axis=1) for loss in (ours, baseline))
    drawn = 100.0 * (1.0 - losses[rivals > 0] / rivals[rivals > 0])
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def share(happened: NDArray[np.bool_], asked: NDArray[np.bool_], draws: int = 2000, seed: int = 0) -> Interval:
    """Share of what was asked that happened, both of shape (machines, weeks), with its interval, as :func:`gain`.

    Raises:
        ValueError: nothing was asked.
    """
    if not asked.any():
        raise ValueError("nothing was asked, so that no share of it happened")
    value = float(happened[asked].mean())
    if asked.any(axis=0).sum() < LEAST_WEEKS:
        return Interval(value, None, None)
    machines, weeks = asked.shape
    by_machine, by_week = _resampled(machines, weeks, draws, seed)
    counts, hits = (((by_machine @ one) * by_week).sum(axis=1) for one in (asked.astype(float), happened & asked))
    low, high = np.percentile(hits[counts > 0] / counts[counts > 0], [2.5, 97.5])
    return Interval(value, float(low), float(high))


def proportion(share: float | None, count: float) -> tuple[float | None, float | None]:
    """The 95 % interval of a share of ``count`` independent cases (Wilson 1927); the count may be no whole number."""
    if share is None or count <= 0:
        return None, None
    slack = _SURE**2 / count
    middle, half = share + slack / 2, np.sqrt(slack * (share * (1.0 - share) + slack / 4))
    return float(max(0.0, (middle - half) / (1.0 + slack))), float(min(1.0, (middle + half) / (1.0 + slack)))


def _resampled(machines: int, weeks: int, draws: int, seed: int) -> tuple[Floats, Floats]:
    """How often each machine and each week is drawn, shapes (draws, machines) and (draws, weeks)."""
    random = np.random.default_rng(seed)
    by_machine = random.multinomial(machines, np.full(machines, 1.0 / machines), draws).astype(np.float64)
    by_week = random.multinomial(weeks, np.full(weeks, 1.0 / weeks), draws).astype(np.float64)
    return by_machine, by_week
