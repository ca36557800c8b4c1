"""How the raw quantities of a machine become states: the model in force, and what is learned for it.

Trust: a published state, then a published utilisation, then a counter that moves, then power. Power alone tells working
from not working (kept as PRODUCING and STANDBY), and OFF only where the owner marked it; it never tells a fault or a
set-up. What power says is in :mod:`analytics.power`.
"""

import hashlib
import json
import math
from bisect import bisect_right
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple, Self

import numpy as np

from analytics.counter import counter_of
from analytics.fitted import Counted
from analytics.moved import newest_move
from analytics.power import DAY_MS, LEAST_SAMPLES, LEAST_SPAN_MS, infer
from analytics.power_rule import PowerRule, Source
from analytics.samples import Floats, Ints, samples
from fleet.batch import NO_INT, Rows
from fleet.network import Calibration, Machine
from fleet.states import NO_STATE

DWELL_MS: Final = 60_000
"""A power level counts once two samples agree on it, or one stands for this long."""
SILENCE_FACTOR: Final = 3
"""A feed is alive for three of its periods after a reading."""
LEAST_REST: Final = 0.04
"""Rest is taken for at least this share of the power at work: the threshold between the marks, the middle on the
logarithm, lies at a fifth of it or higher."""
LEARN_WEEKS: Final = 8
"""How far back a model looks."""
_LIMITS: Final = ("on_w", "off_w", "idle_w")
PUBLISHED: Final = 0.9
"""A machine that publishes its state in this share of its readings needs no model of its power."""
_FAR_MS: Final = 2**62
_FORM: Final = "3"
"""Of the ledger: hours of another one are made anew."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a machine's own history says of its signals; kept as the document ``model``.

    Attributes:
        power: the rules of power, oldest first; each holds until the next one's ``since_ms``, from which on the
            machine's levels are others: a clamp was moved, a machine changed.
        counter_moves: whether the counter rose at all; True until a day of counts says that it does not.
        counter_slow: whether the counter usually rises less than once an hour, and so is no evidence of the state.
        cycle_ms: longest normal distance between two rises of a counter that is read more often than it rises; else 0.
        samples: number of samples learned from.
        from_ms: the first of them, epoch ms.
        until_ms: end of what was looked at, exclusive, epoch ms.
    """

    power: tuple[PowerRule, ...] = (PowerRule(),)
    counter_moves: bool = True
    counter_slow: bool = False
    cycle_ms: int = 0
    samples: int = 0
    from_ms: int = 0
    until_ms: int = 0

    @property
    def enough(self) -> bool:
        """Whether what was looked at is long enough to stand until the next week."""
        return self.samples >= LEAST_SAMPLES and self.until_ms - self.from_ms >= LEAST_SPAN_MS

    def to_json(self) -> str:
        """The body of the document."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of :meth:`to_json`; fields of another version of the program are left out.

        Of one that knew no rules of power nothing is taken: it is learned again at once, as of a machine never seen.
        """
        body: dict[str, Any] = json.loads(text)
        rules = tuple(_rule_of(rule) for rule in body.pop("power", ()))
        if not rules:
            return cls()
        return cls(power=rules, **{name: value for name, value in body.items() if name in cls.__slots__})


class Limits(NamedTuple):
    """The thresholds in force at some samples, each a number or shape (n,); NaN where power says nothing."""

    on_w: Floats | float
    off_w: Floats | float
    idle_w: Floats | float
    pulse_ms: Ints | int


@dataclass(frozen=True)
class StateModel:
    """All that shapes the hours of a machine beside its readings.

    Attributes:
        max_silence_ms: how long a reading counts; UNKNOWN from then on.
        on_w, off_w: power at which work starts, below which it ends; None: power says nothing of the state.
        idle_w: power below which the machine is OFF; 0 when that is not told apart.
        counter: whether the counter is evidence.
        cycle_ms: a counter that rose this long ago still means PRODUCING.
        source: where the thresholds come from.
        pulse_ms: power that was at work this long ago still means PRODUCING.
        since_ms: since when these thresholds are in force, epoch ms.
        before: the rules of power before that, oldest first.
    """

    max_silence_ms: int = 900_000
    on_w: float | None = None
    off_w: float | None = None
    idle_w: float = 0.0
    counter: bool = True
    cycle_ms: int = 0
    source: Source = "none"
    pulse_ms: int = 0
    since_ms: int = 0
    before: tuple[PowerRule, ...] = ()

    @cached_property
    def version(self) -> str:
        """Short digest of what makes the newest hours: two models of one version make the same."""
        return self._versions[-1]

    def version_at(self, hour: int) -> str:
        """The version that makes the hour that starts at ``hour`` (epoch seconds): an old rule keeps its hours."""
        return self._versions[bisect_right(self._starts, hour * 1000)]

    def limits(self, at: Ints) -> Limits:
        """The thresholds in force at these times (epoch ms)."""
        on_w, off_w, idle_w, pulse_ms = self._columns
        place = np.searchsorted(self._starts, at, side="right") if self.before else 0
        return Limits(on_w[place], off_w[place], idle_w[place], pulse_ms[place])

    @property
    def by_power(self) -> bool:
        """Whether power says anything of the state, at any time."""
        return self.on_w is not None or any(rule.on_w is not None for rule in self.before)

    @property
    def pulsed(self) -> bool:
        """Whether work in pulses counts as going on, at any time."""
        return bool(self.pulse_ms) or any(rule.pulse_ms for rule in self.before)

    @cached_property
    def _rules(self) -> tuple[PowerRule, ...]:
        newest = PowerRule(self.since_ms, self.on_w, self.off_w, self.idle_w, self.source, pulse_ms=self.pulse_ms)
        return (*self.before, newest)

    @cached_property
    def _columns(self) -> tuple[Floats, Floats, Floats, Ints]:
        """The limits of each rule, shape (rules,)."""
        on_w, off_w, idle_w = (np.array([getattr(rule, name) for rule in self._rules], np.float64) for name in _LIMITS)
        return on_w, off_w, idle_w, np.array([rule.pulse_ms for rule in self._rules], np.int64)

    @cached_property
    def _starts(self) -> list[int]:
        """When each rule but the first begins to hold."""
        return [rule.since_ms for rule in self._rules[1:]]

    @cached_property
    def _versions(self) -> tuple[str, ...]:
        return tuple(map(self._version, self._rules))

    def _version(self, rule: PowerRule) -> str:
        parts = [self.max_silence_ms, rule.on_w, rule.off_w, rule.idle_w, rule.pulse_ms, self.counter, self.cycle_ms]
        return f"{rule.source}-{hashlib.sha256(json.dumps([_FORM, *parts]).encode()).hexdigest()[:10]}"


def resolve(machine: Machine, learned: Learned | None = None) -> StateModel:
    """The model in force: what the owner marked, else what was learned, and the declared period of the feed."""
    learned = learned or Learned()
    silence = round(SILENCE_FACTOR * machine.every * 1000)
    rules = [in_force(machine, rule) for rule in learned.power]
    kept = [rules[0], *(now for was, now in pairwise(rules) if replace(now, since_ms=was.since_ms) != was)]
    newest = kept[-1]
    return StateModel(
        silence, newest.on_w, newest.off_w, newest.idle_w,
        learned.counter_moves and not learned.counter_slow, learned.cycle_ms, newest.source,
        newest.pulse_ms, newest.since_ms, tuple(kept[:-1]),
    )  # fmt: skip


def in_force(machine: Machine, rule: PowerRule) -> PowerRule:
    """The owner's marks, as long as they fit; else the learned rule.

    Marks hold until the machine's levels have changed after they were made, so that none lies on either side of them.
    """
    marked = _calibrated(machine.calibration)
    if marked is None:
        return replace(rule, levels_w=(), work_w=None, reason="")
    on, idle = marked
    made = machine.calibration.at
    changed = rule.since_ms > 0 and (made is None or made.timestamp() * 1000 < rule.since_ms)
    if changed and rule.source == "modes" and rule.work_w is not None:
        rest_w = max(level for level in rule.levels_w if level < rule.work_w)
        if not rest_w < on < rule.work_w:
            return replace(rule, levels_w=(), work_w=None, reason="")
    return PowerRule(rule.since_ms, on, on, idle, "calibration", reason="", pulse_ms=rule.pulse_ms)


def learn(
    rows: Rows, max_silence_ms: int, before_ms: int, rated_w: float | None = None, previous: Learned | None = None
) -> Learned:
    """Learn from one machine's rows with device time before ``before_ms``; a pure function of the arguments.

    Args:
        rated_w: the machine's rated power, if its owner stated it.
        previous: what was learned before: the rules of power that ended keep their times.
    """
    told = samples(rows, before_ms)
    if not len(told):
        return Learned(until_ms=before_ms)
    has, counts = ~np.isnan(told.power_w), told.counter != NO_INT
    counter = counter_of(told.at[counts], told.counter[counts], max_silence_ms)
    power = _Power(told.at[has], told.power_w[has], max_silence_ms, rated_w)
    seldom_needed = float((told.state != NO_STATE).mean()) > PUBLISHED
    rules = _rules(power, counter.counted, previous, modelled=not seldom_needed)
    return Learned(rules, counter.moves, counter.slow, counter.cycle_ms, len(told), int(told.at[0]), before_ms)


class _Power(NamedTuple):
    """What there is to learn of power from: epoch ms rising and watts, (n,); the longest silence; the rated power."""

    at: Ints
    power_w: Floats
    max_silence_ms: int
    rated_w: float | None

    def between(self, begin_ms: int, end_ms: int) -> Self:
        inside = slice(*np.searchsorted(self.at, [begin_ms, end_ms]).tolist())
        return self._replace(at=self.at[inside], power_w=self.power_w[inside])


def _rules(
    power: _Power, counted: Counted | None, previous: Learned | None, *, modelled: bool
) -> tuple[PowerRule, ...]:
    newest_ms = int(power.at[-1]) if len(power.at) else 0
    known = [rule for rule in previous.power if rule.since_ms <= newest_ms] if previous else []
    since = known[-1].since_ms if known else 0
    power = power.between(since, _FAR_MS)
    moved = newest_move(*power[:3]) if modelled else None
    found = [
        infer(*power.between(begin, end)[:3], counted=counted, rated_w=power.rated_w, since_ms=begin, modelled=modelled)
        for begin, end in ([(since, moved), (moved, _FAR_MS)] if moved else [(since, _FAR_MS)])
    ]
    return (*known[:-1], *found)


def learn_at(
    rows: Rows, max_silence_ms: int, now_ms: int, rated_w: float | None = None, previous: Learned | None = None
) -> Learned:
    """What is in force at ``now_ms``: learned up to the newest Monday, or day, that has enough before it (UTC).

    So a machine that was followed live and one whose history came at once have the same model.
    """
    learned = learn(rows, max_silence_ms, monday_ms(now_ms), rated_w, previous)
    return learned if learned.enough else learn(rows, max_silence_ms, now_ms // DAY_MS * DAY_MS, rated_w, previous)


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
    on = math.sqrt(max(rest, LEAST_REST * marked.working_w) * marked.working_w)
    both = marked.off_w is not None and marked.standby_w is not None and marked.off_w < marked.standby_w
    idle = (marked.off_w + marked.standby_w) / 2 if both and marked.off_w is not None and marked.standby_w else 0.0
    return on, idle


def _rule_of(body: dict[str, Any]) -> PowerRule:
    known = {name: value for name, value in body.items() if name in PowerRule.__slots__}
    return PowerRule(**{**known, "levels_w": tuple(known.get("levels_w", ()))})
