"""The quantities of one machine, each by itself: until when its newest word counts, and what state that word means.

Every channel is a row of samples with the carried one in front. ``expires`` says until when a sample counts: for the
longest silence of the model, and never beyond a death (a published UNKNOWN).
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from analytics.carry import Carry, CounterCarry, EnergyCarry, PowerCarry, UseCarry
from analytics.samples import FALSE, TRUE, Bools, Codes, Floats, Ints, Samples, fresh, joined
from analytics.states import DWELL_MS, StateModel
from fleet.batch import NO_INT
from fleet.states import NO_STATE, OFF, PRODUCING, STANDBY, UNKNOWN

NEVER: Final = np.int64(2**62)
_NO_INTS: Final = np.zeros(0, np.int64)
_NO_FLOATS: Final = np.zeros(0)
_NO_BOOLS: Final = np.zeros(0, np.bool_)
_NO_CODES: Final = np.zeros(0, np.uint8)
UNTOLD: Final = 2
"""Verdict of an interval of which a counter says nothing."""


@dataclass(frozen=True, slots=True)
class Feed:
    """All samples, whatever they carry: the machine's sign of life, and the state it published.

    ``held`` is the published state in force at each sample: until the next one, a death, or a silence.
    """

    at: Ints
    expires: Ints
    held: Codes
    deaths: Ints

    @classmethod
    def of(cls, told: Samples, model: StateModel, carry: Carry | None) -> Self:
        """The feed of the samples, beginning with what was carried."""
        dead = told.state == UNKNOWN
        expires = np.where(dead, told.at, told.at + model.max_silence_ms)
        at, state = told.at, told.state
        if carry:
            at, state = joined(_one(carry.last), at), joined(np.array([carry.state], np.uint8), state)
            expires = joined(_one(carry.alive_until), expires)
        life = joined(FALSE, at[1:] > expires[:-1]).cumsum()
        source = newest(state != NO_STATE)
        held = np.where((source >= 0) & (life == life[source]) & (state[source] != UNKNOWN), state[source], NO_STATE)
        return cls(at, expires, held.astype(np.uint8), told.at[dead])

    def limit(self, at: Ints, silence_ms: int) -> Ints:
        """Until when words spoken at these times count."""
        if not len(self.deaths):
            return at + silence_ms
        death: Ints = joined(self.deaths, _one(NEVER))[self.deaths.searchsorted(at)]
        return np.minimum(at + silence_ms, death)


@dataclass(frozen=True, slots=True)
class Uses:
    """Published utilisation: the share of the time from each sample on in which the machine is in use."""

    at: Ints
    expires: Ints
    share: Floats

    @classmethod
    def of(cls, told: Samples, feed: Feed, model: StateModel, carry: UseCarry | None) -> Self:
        """The utilisation of the samples, beginning with what was carried."""
        has = ~np.isnan(told.utilisation)
        if carry is None and not has.any():
            return cls(_NO_INTS, _NO_INTS, _NO_FLOATS)
        at, share = told.at[has], told.utilisation[has]
        if carry:
            at, share = joined(_one(carry.at), at), joined(np.array([carry.share]), share)
        return cls(at, _expires(at, feed, model, carry.expires if carry else None), share)


@dataclass(frozen=True, slots=True)
class Counts:
    """A monotone counter.

    Attributes:
        reset: whether each sample is lower than the one before.
        rose_at: when the counter was last seen to rise, at each sample; -NEVER before.
        verdict: 1 when the interval that ended at the sample was producing, 0 when not, ``UNTOLD``.
        ahead: the same of the interval that begins at the sample; the last one goes on as before.
        pieces: rise since the sample before, 0 at the first and at a reset.
    """

    at: Ints
    expires: Ints
    count: Ints
    reset: Bools
    rose_at: Ints
    verdict: Codes
    ahead: Codes
    pieces: Ints

    @classmethod
    def of(cls, told: Samples, feed: Feed, model: StateModel, carry: CounterCarry | None) -> Self:
        """The counter of the samples, beginning with what was carried."""
        has = told.counter != NO_INT
        if carry is None and not has.any():
            return cls(_NO_INTS, _NO_INTS, _NO_INTS, _NO_BOOLS, _NO_INTS, _NO_CODES, _NO_CODES, _NO_INTS)
        at, count = told.at[has], told.counter[has]
        if carry:
            at, count = joined(_one(carry.at), at), joined(_one(carry.value), count)
        expires = _expires(at, feed, model, carry.expires if carry else None)
        near = joined(FALSE, at[1:] <= expires[:-1])
        rise = joined(_one(0), count[1:] - count[:-1])
        seen = np.where(near & (rise > 0), at, -NEVER)
        if carry:
            seen[0] = carry.rose_at
        rose_at: Ints = np.maximum.accumulate(seen)
        verdict = np.where(near & (rise >= 0), at - rose_at <= model.cycle_ms, UNTOLD).astype(np.uint8)
        if carry:
            verdict[0] = carry.verdict
        ahead = verdict.copy()
        if len(at) > 1:
            ahead[:-1] = np.where(verdict[1:] != UNTOLD, verdict[1:], verdict[:-1])
        return cls(at, expires, count, rise < 0, rose_at, verdict, ahead, np.maximum(rise, 0))


@dataclass(frozen=True, slots=True)
class Powers:
    """Active power and the level it means.

    A level is settled when the next sample agrees or when it stands for ``DWELL_MS``; a flicker in between is not.

    Attributes:
        working: side of the thresholds with hysteresis, at each sample.
        level: state the sample alone means; ``NO_STATE`` without thresholds.
        settled: state in force from the sample on.
        begins: whether a run of one level begins at the sample, and not a new chain of samples.
        worked_at: when the power was last at work without a silence since, at each sample, or 0; only for a model with
            pulses.
        settles_at: when the last sample's level will be in force unless something else arrives; NEVER if it is.
    """

    at: Ints
    expires: Ints
    power_w: Floats
    working: Bools
    level: Codes
    settled: Codes
    begins: Bools
    worked_at: Ints
    settles_at: int

    @classmethod
    def of(cls, told: Samples, feed: Feed, model: StateModel, carry: PowerCarry | None, now_ms: int) -> Self:
        """The power of the samples, beginning with what was carried: the level in force, then the newest sample."""
        has = ~np.isnan(told.power_w)
        if carry is None and not has.any():
            return cls(
                _NO_INTS, _NO_INTS, _NO_FLOATS, _NO_BOOLS, _NO_CODES, _NO_CODES, _NO_BOOLS, _NO_INTS, int(NEVER)
            )  # fmt: skip
        at, power = told.at[has], told.power_w[has]
        if carry:
            front = np.full(2, carry.at, dtype=np.int64)
            at, power = joined(front, at), joined(np.full(2, carry.power_w), power)
        expires = _expires(at, feed, model, carry.expires if carry else None, 2)
        if not model.by_power:
            none = np.full(len(at), NO_STATE, dtype=np.uint8)
            no = np.zeros(len(at), dtype=np.bool_)
            return cls(at, expires, power, no, none, none, no, np.zeros(len(at), dtype=np.int64), int(NEVER))
        limits = model.limits(at)
        first = joined(TRUE, at[1:] > expires[:-1])
        working, sure = power >= limits.on_w, (power >= limits.on_w) | (power < limits.off_w) | first
        if carry:
            working[:2], sure[:2] = (carry.settled == PRODUCING, carry.working), True
        working = working[newest(sure)]
        worked_at, works = _pulsed(at, working, first, limits.pulse_ms, carry, pulsed=model.pulsed)
        level = np.where(works, PRODUCING, np.where(power < limits.idle_w, OFF, STANDBY)).astype(np.uint8)
        level[np.isnan(np.broadcast_to(limits.on_w, len(at)))] = NO_STATE
        if carry:
            level[:2] = carry.settled, carry.level
        change = first | fresh(level)
        same = joined(~change[1:], FALSE)
        stands = np.minimum(joined(at[1:], _one(now_ms)), expires) - at >= DWELL_MS
        source = newest(change & (first | same | stands))
        pending = source[-1] != len(at) - 1 and level[source[-1]] != level[-1]
        settles_at = int(at[-1]) + DWELL_MS if pending and expires[-1] - at[-1] >= DWELL_MS else int(NEVER)
        return cls(at, expires, power, working, level, level[source], change & ~first, worked_at, settles_at)


def _pulsed(
    at: Ints, working: Bools, first: Bools, pulse_ms: Ints | int, carry: PowerCarry | None, *, pulsed: bool
) -> tuple[Ints, Bools]:
    """When power was last at work in this chain of samples, 0 before, and whether that still means work.

    ``pulsed`` says whether any rule of the model looks back, whichever of them the samples at hand fall under: what is
    carried may not depend on how a history is cut.
    """
    if not pulsed:
        return np.zeros(len(at), dtype=np.int64), working
    at_work = np.where(working, at, 0)
    if carry:
        at_work[:2] = carry.worked_at
    worked_at = np.maximum.accumulate(at_work)
    begin = at[newest(first)]
    if carry:
        begin[newest(first) == 0] = 0
    worked_at = np.where(worked_at >= begin, worked_at, 0)
    return worked_at, working | ((worked_at > 0) & (at - worked_at <= pulse_ms))


@dataclass(frozen=True, slots=True)
class Energies:
    """A monotone energy counter; ``near`` says whether each sample's difference to the next is spread between them."""

    at: Ints
    energy_wh: Floats
    reset: Bools
    near: Bools

    @classmethod
    def of(cls, told: Samples, model: StateModel, carry: EnergyCarry | None) -> Self:
        """The energy counter of the samples, beginning with what was carried."""
        has = ~np.isnan(told.energy_wh)
        if carry is None and not has.any():
            return cls(_NO_INTS, _NO_FLOATS, _NO_BOOLS, _NO_BOOLS)
        at, energy = told.at[has], told.energy_wh[has]
        if carry:
            at, energy = joined(_one(carry.at), at), joined(np.array([carry.energy_wh]), energy)
        reset = joined(FALSE, energy[1:] < energy[:-1])
        near = joined((at[1:] - at[:-1] <= model.max_silence_ms) & ~reset[1:], FALSE)
        return cls(at, energy, reset, near)


def newest(marked: Bools) -> NDArray[np.intp]:
    """Index of the newest marked element at or before each element, -1 before the first; shape (n,)."""
    found: NDArray[np.intp] = np.maximum.accumulate(np.where(marked, np.arange(len(marked)), -1))
    return found


def _one(value: int | np.int64) -> Ints:
    return np.array([value], np.int64)


def _expires(at: Ints, feed: Feed, model: StateModel, carried: int | None, carried_count: int = 1) -> Ints:
    expires = feed.limit(at, model.max_silence_ms)
    if carried is not None:
        expires[:carried_count] = np.minimum(expires[:carried_count], carried)
    return expires
