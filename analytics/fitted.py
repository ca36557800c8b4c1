"""The levels between which a machine's power moves, if they prove themselves; and where work begins and ends.

Two or three levels on the logarithm of power (:mod:`analytics.modes`), begun from the default threshold. They count
when they stand apart with little between them, each was seen long enough, a counter that moves agrees, and the machine
was seen at rest.
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from analytics.modes import Modes, begin, fit
from analytics.power_rule import LEVEL_SHARE, PowerRule, Reason
from analytics.samples import Floats, Ints
from analytics.weights import held_ms, quantiles, rounded

MODE_MS: Final = 0.02 * 14 * 86_400_000
"""A level counts when it was seen for 2 % of 14 days: 6.7 hours, however long the history is."""
APART: Final = 2.0
"""Ashman's D between two levels: their distance in standard deviations, the two of them pooled (AJ 108, 1994)."""
AGREES: Final = 0.9
FLOOR: Final = 0.01
"""Power below this share of the machine's at work is as good as none: its logarithm would tell of the meter's noise."""
LEAST_SIGMA: Final = 0.05
HIGHEST: Final = 0.999
"""The power that a model is told in shares of: reached for 20 minutes in 14 days, so that a rare job counts."""
STEP_MS: Final = 120_000
DWELL_MS: Final = 1_200_000
"""Levels that last less than this on average are phases of one level: strokes, moves, a thermostat."""
PULSE_MS: Final = 3_600_000
"""Bursts further apart than this are two runs."""
REST_MS: Final = 4 * 3_600_000
"""A machine that stays on a level for so long is left alone there; one that never does was never seen at rest."""
LEAST_RUN: Final = 1.5
"""Samples that a visit to a level lasts on average; quicker ones are phases: strokes, a thermostat."""
UNSURE: Final = math.log(9.0)
"""Odds, on the logarithm, below which a sample between two levels might be of either."""
WORK_SHARE: Final = 0.5
"""A level between rest and full power, on which the machine is never left alone, is work from half of that on."""


class Counted(NamedTuple):
    """What a counter says: when it was seen to rise, and the stretches over which it was read, epoch ms, (n,)."""

    begin: Ints
    end: Ints
    rose: NDArray[np.bool_]


class Grid(NamedTuple):
    """The power in force at equal distances, NaN where there is none: log of the share of the reference, (n,)."""

    at: Ints
    x: Floats
    step_ms: int
    reference_w: float
    resolution_w: float


class Fitted(NamedTuple):
    """Accepted levels: the power they were found in, and the lowest of them that is work."""

    grid: Grid
    modes: Modes
    split: int


def fitted(at: Ints, power_w: Floats, max_silence_ms: int, counted: Counted | None = None) -> Fitted | Reason:
    """The levels of a machine's power, or why there are none; arguments as of :func:`analytics.power.infer`."""
    (top,) = quantiles(power_w, held_ms(at, max_silence_ms), (HIGHEST,))
    if top <= 0:
        return "one-level"
    pulse_ms = pulse(at, power_w, LEVEL_SHARE * top, max_silence_ms)
    grid = grid_of(at, power_w, max_silence_ms, top, pulse_ms)
    first: Reason = "one-level"
    for tried, (modes, weight) in enumerate(fits(grid)):
        reason = _refused(grid, modes, weight)
        if not reason:
            split, reason = _split(grid, modes, weight, counted)
            return reason or Fitted(grid, modes, split)
        first = reason if tried == 0 else first
    return first


def pulse(at: Ints, power_w: Floats, on_w: float, max_silence_ms: int) -> int:
    """Twice the usual distance of samples at work, if that is more than one, ms; as the cycle of a counter is found."""
    distance = np.diff(at[power_w >= on_w])
    near = distance[distance <= max(max_silence_ms, PULSE_MS)]
    usual = float(np.median(near)) if len(near) else 0.0
    return round(rounded(2 * usual)) if usual > 1.5 * float(np.median(np.diff(at))) else 0


def grid_of(at: Ints, power_w: Floats, max_silence_ms: int, reference_w: float, pulse_ms: int = 0) -> Grid:
    """The power in force; of a machine that draws in bursts the highest of the last ones."""
    step = max(STEP_MS, int(np.median(np.diff(at))))
    moments = np.arange(int(at[0]), int(at[-1]) + 1, step, dtype=np.int64)
    newest = np.searchsorted(at, moments, side="right") - 1
    share = np.maximum(power_w[newest] / reference_w, FLOOR)
    x = np.where(moments - at[newest] < max_silence_ms, np.log(share), np.nan)
    if pulse_ms >= step:
        burst = pulse_ms // step
        windows = sliding_window_view(np.append(np.full(burst, np.nan), x), burst + 1)
        x = np.where(np.isnan(x), np.nan, np.fmax.reduce(windows, axis=1))
    steps = np.diff(np.unique(power_w))
    return Grid(moments, x, step, reference_w, float(steps.min()) if len(steps) else 0.0)


def rule_of(found: Fitted) -> PowerRule:
    """Work begins where two samples outweigh the stickiness, and ends where two samples do the other way."""
    grid, modes, split = found
    odds = 0.5 * math.log(max(modes.change[split, split], 0.5) / (1.0 - min(modes.change[split, split], 0.999)))
    on = _crossing(modes, split, odds)
    off = _crossing(modes, split, -odds)
    scale = grid.reference_w
    levels = tuple(rounded(scale * math.exp(level)) for level in modes.mean.tolist())
    on_w, off_w = _stepped(scale * math.exp(on)), _stepped(scale * math.exp(off))
    return PowerRule(0, on_w, min(off_w, on_w), 0.0, "modes", "", levels, levels[split])


def fits(grid: Grid) -> Iterator[tuple[Modes, Floats]]:
    """Models of three levels, then of two; each begins from the default threshold."""
    stay = max(0.5, 1.0 - grid.step_ms / DWELL_MS)
    known = grid.x[~np.isnan(grid.x)]
    low, high = known[known < math.log(LEVEL_SHARE)], known[known >= math.log(LEVEL_SHARE)]
    for groups in ([*_halves(low), high], [low, *_halves(high)], [low, high], _halves(known)):
        if len(groups) > 1 and all(len(group) for group in groups):
            start = begin(groups, stay)
            yield fit(grid.x, start, _least_sigma(grid, start.mean), stay)


def _halves(values: Floats) -> list[Floats]:
    """The values below and above the middle of their range."""
    if not len(values):
        return []
    middle = float(values.min() + values.max()) / 2
    return [values[values < middle], values[values >= middle]]


def _least_sigma(grid: Grid, mean: Floats) -> Floats:
    """What the meter resolves, as a standard deviation of the logarithm, 5 % at least: that of a step of its scale."""
    watts, half = grid.reference_w * np.exp(mean), grid.resolution_w / 2
    step = np.log(watts + half) - np.log(np.maximum(watts - half, FLOOR * grid.reference_w))
    return np.maximum(LEAST_SIGMA, step / math.sqrt(12.0))


def _refused(grid: Grid, modes: Modes, weight: Floats) -> Reason:
    """Why the levels are no model, "" when they are one."""
    known = ~np.isnan(grid.x)
    held = weight[known].sum(axis=0)
    gap = np.diff(modes.mean) / np.sqrt((modes.sigma[1:] ** 2 + modes.sigma[:-1] ** 2) / 2)
    level = np.where(known, weight.argmax(axis=1), -1)
    runs = np.bincount(level[np.append(True, level[1:] != level[:-1])] + 1, minlength=len(held) + 1)[1:]
    if (gap < APART).any() or (held < LEAST_RUN * runs).any() or _filled(grid.x[known], modes, held):
        return "close"
    if len(held) == 2 and _default_differs(grid.x[known], modes, held):
        return "close"
    return "seldom" if (held * grid.step_ms < MODE_MS).any() else ""


def _filled(x: Floats, modes: Modes, held: Floats) -> bool:
    """Whether samples that might be of either of two levels are a quarter of what the lesser of them holds."""
    odds = np.diff(-0.5 * ((x[:, None] - modes.mean) / modes.sigma) ** 2 - np.log(modes.sigma), axis=1)
    between = (x[:, None] > modes.mean[:-1]) & (x[:, None] < modes.mean[1:])
    unsure = np.count_nonzero((np.abs(odds) < UNSURE) & between, axis=0)
    return bool((unsure > np.minimum(held[1:], held[:-1]) / 4).any())


def _default_differs(x: Floats, modes: Modes, held: Floats) -> bool:
    """Whether two levels, told apart far below the default threshold, are one too few: much lies between both."""
    on = _crossing(modes, 1, 0.0)
    return bool(np.count_nonzero((x > on) & (x < math.log(LEVEL_SHARE))) > held.min() / 4)


def _split(grid: Grid, modes: Modes, weight: Floats, counted: Counted | None) -> tuple[int, Reason]:
    """The lowest level that is work, and why that cannot be said."""
    level = weight.argmax(axis=1)
    splits = range(1, len(modes.mean))
    if counted is not None and len(counted.begin):
        agreed = [_agreement(grid, level >= split, counted) for split in splits]
        best = int(np.argmax(agreed))
        return (best + 1, "") if agreed[best] >= AGREES else (0, "counter")
    split = len(modes.mean) - 1
    if modes.mean[split] < math.log(LEVEL_SHARE):
        return 0, "one-level"
    if split == 2 and modes.mean[1] >= math.log(LEVEL_SHARE):
        alone = _alone(grid, level == 1)
        if alone < 0.5 and (alone > 0.1 or modes.mean[1] < modes.mean[2] + math.log(WORK_SHARE)):
            return 0, "ambiguous"
        split = 2 if alone >= 0.5 else 1
    return (split, "") if _alone(grid, level < split) > 0 else (0, "restless")


def _alone(grid: Grid, on: NDArray[np.bool_]) -> float:
    """Of the time marked, the share in stretches of at least :data:`REST_MS`; a gap ends a stretch."""
    marked = np.concatenate([[False], on & ~np.isnan(grid.x), [False]])
    edges = np.flatnonzero(np.diff(marked.astype(np.int8)))
    lengths = (edges[1::2] - edges[::2]) * grid.step_ms
    return float(lengths[lengths >= REST_MS].sum() / max(lengths.sum(), 1))


def _agreement(grid: Grid, works: NDArray[np.bool_], counted: Counted) -> float:
    """Share of the counted time in which power and counter say the same."""
    known = ~np.isnan(grid.x)
    place = np.searchsorted(counted.begin, grid.at, side="right") - 1
    inside = known & (place >= 0)
    inside &= grid.at < counted.end[np.maximum(place, 0)]
    return float((works[inside] == counted.rose[place[inside]]).mean()) if inside.any() else 1.0


def _stepped(value: float) -> float:
    """On a scale of 10 % a step, so that a week more of the same machine gives the same thresholds, and hours stand."""
    step = float(10 ** (round(24 * math.log10(value)) / 24))
    return round(step, 2 - math.floor(math.log10(step)))


def _crossing(modes: Modes, split: int, odds: float) -> float:
    """Where, between the levels at ``split``, the log odds of the upper one are ``odds``; they rise all the way."""
    low, high = float(modes.mean[split - 1]), float(modes.mean[split])
    x = np.linspace(low, high, 513)[1:-1]
    upper = -0.5 * ((x - modes.mean[split]) / modes.sigma[split]) ** 2 - math.log(modes.sigma[split])
    lower = -0.5 * ((x - modes.mean[split - 1]) / modes.sigma[split - 1]) ** 2 - math.log(modes.sigma[split - 1])
    return float(x[min(int(np.searchsorted(upper - lower, odds)), len(x) - 1)])
