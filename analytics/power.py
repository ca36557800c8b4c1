"""What a machine's power says of its work: from the default threshold to a fitted model that must prove itself.

With a day of power the threshold is 15 % of the 95th percentile. With 14 days a sticky model of two or three levels on
the logarithm of power takes over (:mod:`analytics.modes`), if its levels stand apart, each was seen long enough, and a
counter that moves agrees; else the state is not inferable, and the reason has a name. Power never tells standby from a
fault, nor set-up from production, and a machine whose every level is rest looks like one that works: that is for its
owner to say.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from analytics.modes import Modes, begin, fit
from analytics.samples import Floats, Ints

DAY_MS: Final = 86_400_000
LEVEL_SHARE: Final = 0.15
"""Default threshold, as a share of the 95th percentile of power."""
HYSTERESIS: Final = 0.7
"""The machine stops working below this share of the threshold at which it starts."""
RARE: Final = 3.0
"""When the 99.5th percentile is this many times the 95th, the machine works less than one hour in twenty and the 95th
percentile is its idling: the 99.5th stands in for it."""
LEAST_SPAN_MS: Final = DAY_MS
LEAST_SAMPLES: Final = 100
LEAST_SIDE: Final = 0.005
"""A default threshold needs a day of power, 100 samples, and half a percent of the observed time on either side."""
MODEL_SPAN_MS: Final = 14 * DAY_MS
MODE_MS: Final = 0.02 * MODEL_SPAN_MS
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
UNSURE: Final = math.log(9.0)
"""Odds, on the logarithm, below which a sample between two levels might be of either."""
WORK_SHARE: Final = 0.5
"""A level between rest and full power, on which the machine is never left alone, is work from half of that on."""
LEAST_RUN: Final = 1.5
"""Samples that a visit to a level lasts on average; quicker ones are phases: strokes, a thermostat."""

Source = Literal["calibration", "modes", "learned", "none"]
Reason = Literal["", "no-power", "few", "one-level", "close", "seldom", "restless", "counter", "ambiguous", "idle"]
"""Why power says nothing; each has its sentence in ``docs/analytics.md`` and in the doctor."""


@dataclass(frozen=True, slots=True)
class PowerRule:
    """Since when which thresholds are in force, in watts; None: power says nothing of the state, for the reason given.

    Attributes:
        since_ms: epoch ms; 0: from the beginning.
        on_w, off_w: power at which work starts, below which it ends.
        idle_w: power below which the machine is OFF; 0 when that is not told apart.
        source: where they come from.
        reason: why there are none.
        levels_w: middle of each fitted level; those from ``work_w`` on are work.
        work_w: the lowest level of work.
        pulse_ms: power that was at work this long ago still means work: the machine draws in bursts, or its meter is so
            coarse that it shows the power as bursts. 0 for one that stays at work from one sample to the next.
    """

    since_ms: int = 0
    on_w: float | None = None
    off_w: float | None = None
    idle_w: float = 0.0
    source: Source = "none"
    reason: Reason = "no-power"
    levels_w: tuple[float, ...] = ()
    work_w: float | None = None
    pulse_ms: int = 0


class Counted(NamedTuple):
    """What a counter says: when it was seen to rise, and the stretches over which it was read, epoch ms, (n,)."""

    begin: Ints
    end: Ints
    rose: NDArray[np.bool_]


class _Grid(NamedTuple):
    """The power in force at equal distances, NaN where there is none: log of the share of the reference, (n,)."""

    at: Ints
    x: Floats
    step_ms: int
    reference_w: float
    resolution_w: float


def infer(
    at: Ints,
    power_w: Floats,
    max_silence_ms: int,
    *,
    counted: Counted | None = None,
    rated_w: float | None = None,
    since_ms: int = 0,
) -> PowerRule:
    """The rule that a machine's power gives.

    Args:
        at, power_w: epoch ms, rising, and watts without NaN, shape (n,).
        counted: what a counter that moves says, if there is one.
        rated_w: the machine's rated power, if its owner stated it.
    """
    if not len(at):
        return PowerRule(since_ms)
    if len(at) < LEAST_SAMPLES or int(at[-1] - at[0]) < LEAST_SPAN_MS:
        return PowerRule(since_ms, reason="few")
    if int(at[-1] - at[0]) + max_silence_ms < MODEL_SPAN_MS:
        found = _default(at, power_w, max_silence_ms)
    else:
        found = _modelled(at, power_w, max_silence_ms, counted)
    if rated_w is not None and found.work_w is not None and found.work_w < LEVEL_SHARE * rated_w:
        return PowerRule(since_ms, reason="idle", levels_w=found.levels_w)
    return replace(found, since_ms=since_ms, pulse_ms=_pulse(at, power_w, found.on_w, max_silence_ms))


def _pulse(at: Ints, power_w: Floats, on_w: float | None, max_silence_ms: int) -> int:
    """Twice the usual distance of samples at work, if that is more than one; as the cycle of a counter is found."""
    if on_w is None:
        return 0
    distance = np.diff(at[power_w >= on_w])
    near = distance[distance <= max(max_silence_ms, PULSE_MS)]
    usual = float(np.median(near)) if len(near) else 0.0
    return round(rounded(2 * usual)) if usual > 1.5 * float(np.median(np.diff(at))) else 0


def _default(at: Ints, power_w: Floats, max_silence_ms: int) -> PowerRule:
    reference = _reference(at, power_w, max_silence_ms)
    if reference is None:
        return PowerRule(reason="one-level")
    on_w = LEVEL_SHARE * rounded(reference)
    return PowerRule(0, on_w, on_w * HYSTERESIS, source="learned", reason="", work_w=rounded(reference))


def _modelled(at: Ints, power_w: Floats, max_silence_ms: int, counted: Counted | None) -> PowerRule:
    (top,) = quantiles(power_w, held_ms(at, max_silence_ms), (HIGHEST,))
    if top <= 0:
        return PowerRule(reason="one-level")
    pulse_ms = _pulse(at, power_w, LEVEL_SHARE * top, max_silence_ms)
    grid = _grid(at, power_w, max_silence_ms, top, pulse_ms)
    reasons: list[Reason] = []
    for modes, weight in _fits(grid):
        refused = _refused(grid, modes, weight)
        if not refused:
            split, refused = _split(grid, modes, weight, counted)
            return PowerRule(reason=refused) if refused else _rule(grid, modes, split)
        reasons.append(refused)
    return PowerRule(reason=reasons[0] if reasons else "one-level")


def _fits(grid: _Grid) -> list[tuple[Modes, Floats]]:
    """Models of three levels, the more likely first, then of two; each begins from the default threshold."""
    stay = max(0.5, 1.0 - grid.step_ms / DWELL_MS)
    known = grid.x[~np.isnan(grid.x)]
    low, high = known[known < math.log(LEVEL_SHARE)], known[known >= math.log(LEVEL_SHARE)]
    found = []
    for groups in ([*_halves(low), high], [low, *_halves(high)], [low, high], _halves(known)):
        if len(groups) > 1 and all(len(group) for group in groups):
            start = begin(groups, stay)
            found.append(fit(grid.x, start, _least_sigma(grid, start.mean), stay))
    return found


def _halves(values: Floats) -> list[Floats]:
    """The values below and above the middle of their range."""
    if not len(values):
        return []
    middle = float(values.min() + values.max()) / 2
    return [values[values < middle], values[values >= middle]]


def _least_sigma(grid: _Grid, mean: Floats) -> Floats:
    """What the meter resolves, as a standard deviation of the logarithm, 5 % at least: that of a step of its scale."""
    watts, half = grid.reference_w * np.exp(mean), grid.resolution_w / 2
    step = np.log(watts + half) - np.log(np.maximum(watts - half, FLOOR * grid.reference_w))
    return np.maximum(LEAST_SIGMA, step / math.sqrt(12.0))


def _refused(grid: _Grid, modes: Modes, weight: Floats) -> Reason:
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


def _split(grid: _Grid, modes: Modes, weight: Floats, counted: Counted | None) -> tuple[int, Reason]:
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


def _alone(grid: _Grid, on: NDArray[np.bool_]) -> float:
    """Of the time marked, the share in stretches of at least :data:`REST_MS`; a gap ends a stretch."""
    marked = np.concatenate([[False], on & ~np.isnan(grid.x), [False]])
    edges = np.flatnonzero(np.diff(marked.astype(np.int8)))
    lengths = (edges[1::2] - edges[::2]) * grid.step_ms
    return float(lengths[lengths >= REST_MS].sum() / max(lengths.sum(), 1))


def _agreement(grid: _Grid, works: NDArray[np.bool_], counted: Counted) -> float:
    """Share of the counted time in which power and counter say the same."""
    known = ~np.isnan(grid.x)
    place = np.searchsorted(counted.begin, grid.at, side="right") - 1
    inside = known & (place >= 0)
    inside &= grid.at < counted.end[np.maximum(place, 0)]
    return float((works[inside] == counted.rose[place[inside]]).mean()) if inside.any() else 1.0


def _rule(grid: _Grid, modes: Modes, split: int) -> PowerRule:
    """Work begins where two samples outweigh the stickiness, and ends where two samples do the other way."""
    odds = 0.5 * math.log(max(modes.change[split, split], 0.5) / (1.0 - min(modes.change[split, split], 0.999)))
    on = _crossing(modes, split, odds)
    off = _crossing(modes, split, -odds)
    scale = grid.reference_w
    levels = tuple(rounded(scale * math.exp(level)) for level in modes.mean.tolist())
    on_w, off_w = _stepped(scale * math.exp(on)), _stepped(scale * math.exp(off))
    return PowerRule(0, on_w, min(off_w, on_w), 0.0, "modes", "", levels, levels[split])


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


def _grid(at: Ints, power_w: Floats, max_silence_ms: int, reference_w: float, pulse_ms: int = 0) -> _Grid:
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
    return _Grid(moments, x, step, reference_w, float(steps.min()) if len(steps) else 0.0)


def _reference(at: Ints, power_w: Floats, max_silence_ms: int) -> float | None:
    """Power of the machine at work: the 95th percentile of the time, the 99.5th of one that rarely works; or None."""
    held = held_ms(at, max_silence_ms)
    usual, high = quantiles(power_w, held, (0.95, 0.995))
    rare = high > RARE * max(usual, 0.0)
    reference = high if rare else usual
    if reference <= 0:
        return None
    above = float(held[power_w >= LEVEL_SHARE * rounded(reference)].sum() / held.sum())
    return reference if (0.0 if rare else LEAST_SIDE) < above <= 1 - LEAST_SIDE else None


def held_ms(at: Ints, max_silence_ms: int) -> Floats:
    """How long each sample counts, ms."""
    held: Floats = np.minimum(np.diff(at, append=at[-1] + max_silence_ms), max_silence_ms).astype(np.float64)
    return held


def quantiles(values: Floats, weights: Floats, shares: tuple[float, ...]) -> list[float]:
    """The values below which these shares of the weight lie."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    places = np.searchsorted(total, np.array(shares) * total[-1])
    return [float(value) for value in values[order][np.minimum(places, len(values) - 1)]]


def rounded(value: float) -> float:
    """Two significant digits: a week more of the same machine gives the same thresholds."""
    return 0.0 if value <= 0 else round(value, 1 - math.floor(math.log10(value)))
