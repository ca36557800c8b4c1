"""What a machine's power says of its work: from the default threshold to a fitted model that must prove itself.

With a day of power the threshold is 15 % of the 95th percentile. With 14 days a sticky model of two or three levels on
the logarithm of power takes over (:mod:`analytics.modes`), if its levels stand apart, each was seen long enough, and a
counter that moves agrees; else the state is not inferable, and the reason has a name. Power never tells standby from a
fault, nor set-up from production, and a machine whose every level is rest looks like one that works: that is for its
owner to say.
"""

from dataclasses import replace
from typing import Final

from analytics.fitted import Counted, Fitted, fitted, pulse, rule_of
from analytics.power_rule import HYSTERESIS, LEVEL_SHARE, PowerRule
from analytics.samples import Floats, Ints
from analytics.weights import held_ms, quantiles, rounded

DAY_MS: Final = 86_400_000
RARE: Final = 3.0
"""When the 99.5th percentile is this many times the 95th, the machine works less than one hour in twenty and the 95th
percentile is its idling: the 99.5th stands in for it."""
LEAST_SPAN_MS: Final = DAY_MS
LEAST_SAMPLES: Final = 100
LEAST_SIDE: Final = 0.005
"""A default threshold needs a day of power, 100 samples, and half a percent of the observed time on either side."""
MODEL_SPAN_MS: Final = 14 * DAY_MS


def infer(
    at: Ints,
    power_w: Floats,
    max_silence_ms: int,
    *,
    counted: Counted | None = None,
    rated_w: float | None = None,
    since_ms: int = 0,
    modelled: bool = True,
) -> PowerRule:
    """The rule that a machine's power gives.

    Args:
        at, power_w: epoch ms, rising, and watts without NaN, shape (n,).
        counted: what a counter that moves says, if there is one.
        rated_w: the machine's rated power, if its owner stated it.
        modelled: whether a model is worth its while; else the default threshold stands, however long the history.
    """
    if not len(at):
        return PowerRule(since_ms)
    if len(at) < LEAST_SAMPLES or int(at[-1] - at[0]) < LEAST_SPAN_MS:
        return PowerRule(since_ms, reason="few")
    if not modelled or int(at[-1] - at[0]) + max_silence_ms < MODEL_SPAN_MS:
        found = _default(at, power_w, max_silence_ms)
    else:
        levels = fitted(at, power_w, max_silence_ms, counted)
        found = rule_of(levels) if isinstance(levels, Fitted) else PowerRule(reason=levels)
    if rated_w is not None and found.work_w is not None and found.work_w < LEVEL_SHARE * rated_w:
        return PowerRule(since_ms, reason="idle", levels_w=found.levels_w)
    pulse_ms = 0 if found.on_w is None else pulse(at, power_w, found.on_w, max_silence_ms)
    return replace(found, since_ms=since_ms, pulse_ms=pulse_ms)


def _default(at: Ints, power_w: Floats, max_silence_ms: int) -> PowerRule:
    reference = _reference(at, power_w, max_silence_ms)
    if reference is None:
        return PowerRule(reason="one-level")
    on_w = LEVEL_SHARE * rounded(reference)
    return PowerRule(0, on_w, on_w * HYSTERESIS, source="learned", reason="", work_w=rounded(reference))


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
