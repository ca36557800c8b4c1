"""How the raw quantities of a machine become states: thresholds, what is learned of them, and what is not inferable.

Trust: a published state, then a published utilisation, then a counter, then power. Power alone tells working from not
working (kept as PRODUCING and STANDBY), and OFF only where the owner marked it; it never tells a fault or a set-up.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from analytics.samples import Floats, Ints, samples
from fleet.batch import NO_INT, Rows
from fleet.network import Calibration, Machine

DWELL_MS: Final = 60_000
"""A power level counts once two samples agree on it, or one stands for this long."""
SILENCE_FACTOR: Final = 3
"""A feed is alive for three of its periods after a reading."""
LEVEL_SHARE: Final = 0.15
"""Default threshold, as a share of the 95th percentile of power."""
HYSTERESIS: Final = 0.7
"""The machine stops working below this share of the threshold at which it starts."""
DAY_MS: Final = 86_400_000
LEARN_SPAN_MS: Final = DAY_MS
LEARN_WEEKS: Final = 8
"""How far back a model looks."""
LEARN_SAMPLES: Final = 100
LEARN_SIDE: Final = 0.005
"""Thresholds need a day of power, 100 samples, and half a percent of the observed time on either side of them."""
RARE: Final = 3.0
"""When the 99.5th percentile is this many times the 95th, the machine works less than one hour in twenty and the 95th
percentile is its idling: the 99.5th stands in for it."""

Source = Literal["calibration", "learned", "none"]


@dataclass(frozen=True, slots=True)
class Learned:
    """What a machine's own history says of its signals; kept as the document ``model``.

    Attributes:
        reference_w: power of the machine at work: the 95th percentile (99.5th of one that rarely works), None when
            power is missing, too short, or on one side of the threshold only (state not inferable).
        counter_moves: whether the counter rose at all; True until a day of counts says that it does not.
        cycle_ms: longest normal distance between two rises of a counter that is read more often than it rises; else 0.
        samples: number of samples learned from.
        from_ms: the first of them, epoch ms.
        until_ms: end of what was looked at, exclusive, epoch ms.
    """

    reference_w: float | None = None
    counter_moves: bool = True
    cycle_ms: int = 0
    samples: int = 0
    from_ms: int = 0
    until_ms: int = 0

    @property
    def enough(self) -> bool:
        """Whether what was looked at is long enough to stand until the next week."""
        return self.samples >= LEARN_SAMPLES and self.until_ms - self.from_ms >= LEARN_SPAN_MS

    def to_json(self) -> str:
        """The body of the document."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of :meth:`to_json`; fields of another version of the program are left out."""
        body: dict[str, Any] = json.loads(text)
        return cls(**{name: value for name, value in body.items() if name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class StateModel:
    """All that shapes the hours of a machine beside its readings.

    Attributes:
        max_silence_ms: how long a reading counts; UNKNOWN from then on.
        on_w, off_w: power at which work starts, below which it ends; None: power says nothing of the state.
        idle_w: power below which the machine is OFF; 0 when that is not told apart.
        counter: whether the counter is evidence.
        cycle_ms: a counter that rose this long ago still means PRODUCING.
        source: where the thresholds come from.
    """

    max_silence_ms: int = 900_000
    on_w: float | None = None
    off_w: float | None = None
    idle_w: float = 0.0
    counter: bool = True
    cycle_ms: int = 0
    source: Source = "none"

    @property
    def version(self) -> str:
        """Short digest of everything here: two models of one version make the same hours."""
        parts = [getattr(self, name) for name in self.__slots__]
        return f"{self.source}-{hashlib.sha256(json.dumps(['1', *parts]).encode()).hexdigest()[:10]}"


def resolve(machine: Machine, learned: Learned | None = None) -> StateModel:
    """The model in force: what the owner marked, else what was learned, and the declared period of the feed."""
    learned = learned or Learned()
    silence = round(SILENCE_FACTOR * machine.every * 1000)
    counter, cycle = learned.counter_moves, learned.cycle_ms
    marked = _calibrated(machine.calibration)
    if marked is not None:
        on, idle = marked
        return StateModel(silence, on, on, idle, counter, cycle, "calibration")
    if learned.reference_w is not None:
        on = learned.reference_w * LEVEL_SHARE
        return StateModel(silence, on, on * HYSTERESIS, 0.0, counter, cycle, "learned")
    return StateModel(silence, counter=counter, cycle_ms=cycle)


def learn(rows: Rows, max_silence_ms: int, before_ms: int) -> Learned:
    """Learn from one machine's rows with device time before ``before_ms``; a pure function of them.

    Figures are rounded to two digits, so that a week more of the same machine gives the same thresholds.
    """
    told = samples(rows, before_ms)
    if not len(told):
        return Learned(until_ms=before_ms)
    power = ~np.isnan(told.power_w)
    counts = told.counter != NO_INT
    moves, cycle = _counter(told.at[counts], told.counter[counts], max_silence_ms)
    reference = _reference(told.at[power], told.power_w[power], max_silence_ms)
    return Learned(reference, moves, cycle, len(told), int(told.at[0]), before_ms)


def learn_at(rows: Rows, max_silence_ms: int, now_ms: int) -> Learned:
    """What is in force at ``now_ms``: learned up to the newest Monday, or day, that has enough before it (UTC).

    So a machine that was followed live and one whose history came at once have the same model.
    """
    learned = learn(rows, max_silence_ms, monday_ms(now_ms))
    return learned if learned.enough else learn(rows, max_silence_ms, now_ms // DAY_MS * DAY_MS)


def learn_again(learned: Learned, now_ms: int) -> bool:
    """Whether a new week, or for want of evidence a new day, has begun since."""
    since = monday_ms(now_ms) if learned.enough else now_ms // DAY_MS * DAY_MS
    return learned.until_ms < since


def monday_ms(now_ms: int) -> int:
    """The newest Monday 00:00 UTC at or before ``now_ms``, epoch ms."""
    return ((now_ms // DAY_MS + 3) // 7 * 7 - 3) * DAY_MS  # 1970-01-01 was a Thursday


def _calibrated(marked: Calibration) -> tuple[float, float] | None:
    """Threshold of work and threshold of OFF from the powers that the owner marked, or None."""
    if marked.working_w is None:
        return None
    rest = marked.standby_w if marked.standby_w is not None else marked.off_w or 0.0
    if rest >= marked.working_w:
        return None
    both = marked.off_w is not None and marked.standby_w is not None and marked.off_w < marked.standby_w
    idle = (marked.off_w + marked.standby_w) / 2 if both and marked.off_w is not None and marked.standby_w else 0.0
    return (rest + marked.working_w) / 2, idle


def _enough(at: Ints) -> bool:
    return len(at) >= LEARN_SAMPLES and int(at[-1] - at[0]) >= LEARN_SPAN_MS


def _reference(at: Ints, power_w: Floats, max_silence_ms: int) -> float | None:
    if not _enough(at):
        return None
    held = np.minimum(np.diff(at, append=at[-1] + max_silence_ms), max_silence_ms).astype(np.float64)
    usual, high = _quantiles(power_w, held, (0.95, 0.995))
    reference = _rounded(high if high > RARE * max(usual, 0.0) else usual)
    if reference <= 0:
        return None
    above = float(held[power_w >= LEVEL_SHARE * reference].sum() / held.sum())
    rare = 0.0 if high > RARE * max(usual, 0.0) else LEARN_SIDE
    return reference if rare < above <= 1 - LEARN_SIDE else None


def _quantiles(values: Floats, weights: Floats, shares: tuple[float, ...]) -> list[float]:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    places = np.searchsorted(total, np.array(shares) * total[-1])
    return [float(value) for value in values[order][np.minimum(places, len(values) - 1)]]


def _counter(at: Ints, count: NDArray[np.int64], max_silence_ms: int) -> tuple[bool, int]:
    if not _enough(at):
        return True, 0
    rises = at[1:][np.diff(count) > 0]
    if len(rises) < 2:
        return len(rises) > 0, 0
    distance, period = np.diff(rises), float(np.median(np.diff(at)))
    near = distance[distance <= max(max_silence_ms, 3_600_000)]
    usual = float(np.median(near)) if len(near) else 0.0
    return True, round(_rounded(2 * usual)) if usual > 1.5 * period else 0


def _rounded(value: float) -> float:
    """Two significant digits."""
    return 0.0 if value <= 0 else round(value, 1 - math.floor(math.log10(value)))
