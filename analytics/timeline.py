"""What a machine did, as runs: the channels laid over one another by trust, from the first hour on without end."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from analytics.carry import Carry
from analytics.channels import NEVER, UNTOLD, Counts, Energies, Feed, Powers, Uses
from analytics.samples import TRUE, Codes, Floats, Ints, Samples, distinct, joined
from analytics.states import StateModel
from fleet.states import NO_STATE, PRODUCING, STANDBY, UNKNOWN

Basis = Literal["state", "counter", "power", "none"]
BASES: Final[tuple[Basis, ...]] = ("state", "counter", "power", "none")
_STATE, _COUNTER, _POWER, _NONE = range(4)


@dataclass(frozen=True, slots=True)
class Channels:
    """Everything one machine said in a span of hours, after what was carried into it."""

    told: Samples
    feed: Feed
    uses: Uses
    counts: Counts
    powers: Powers
    energies: Energies
    carry: Carry | None

    @classmethod
    def of(cls, told: Samples, model: StateModel, carry: Carry | None, now_ms: int) -> "Channels":
        """The channels of the samples as they are known at ``now_ms``."""
        feed = Feed.of(told, model, carry)
        return cls(
            told,
            feed,
            Uses.of(told, feed, model, carry.use if carry else None),
            Counts.of(told, feed, model, carry.counter if carry else None),
            Powers.of(told, feed, model, carry.power if carry else None, now_ms),
            Energies.of(told, model, carry.energy if carry else None),
            carry,
        )


@dataclass(frozen=True, slots=True)
class Runs:
    """Spans in which nothing changes, shape (n,); each ends where the next begins, the last one never.

    Attributes:
        start: epoch ms; the first one is the start of the first hour.
        state: code of ``fleet.states``.
        basis: index in ``BASES``.
        alive: whether the feed was.
        share: part of the run that is PRODUCING where a utilisation says so (the rest is STANDBY), else NaN.
        watts: rate of energy use, NaN where neither an energy counter nor power tells it.
    """

    start: Ints
    state: Codes
    basis: Codes
    alive: NDArray[np.bool_]
    share: Floats
    watts: Floats

    def ends(self, now_ms: int) -> Ints:
        """Where each run ends, the last one at ``now_ms``."""
        ends: Ints = joined(self.start[1:], np.array([now_ms], np.int64))
        return ends


def runs(channels: Channels, model: StateModel, start_ms: int) -> Runs:
    """The runs from ``start_ms`` on."""
    feed, uses, counts, powers = channels.feed, channels.uses, channels.counts, channels.powers
    changes = [np.array([start_ms]), feed.at]
    changes += [_lapses(one.at, one.expires) for one in (feed, uses, counts, powers) if len(one.at)]
    start = distinct(joined(*changes))
    start = start[start >= start_ms]
    count = len(start)
    state = np.full(count, UNKNOWN, dtype=np.uint8)
    basis = np.full(count, _NONE, dtype=np.uint8)
    share = np.full(count, np.nan)
    _, alive = _at(start, feed.at, feed.expires)
    if len(powers.at) and model.by_power:
        index, fresh = _at(start, powers.at, powers.expires)
        fresh &= powers.settled[index] != NO_STATE
        state[fresh], basis[fresh] = powers.settled[index[fresh]], _POWER
    if len(counts.at) and model.counter:
        index, fresh = _at(start, counts.at, counts.expires)
        fresh &= counts.ahead[index] != UNTOLD
        state[fresh] = np.where(counts.ahead[index[fresh]] == 1, PRODUCING, STANDBY)
        basis[fresh] = _COUNTER
    if len(uses.at):
        index, fresh = _at(start, uses.at, uses.expires)
        share[fresh] = uses.share[index[fresh]]
        state[fresh], basis[fresh] = np.where(share[fresh] > 0, PRODUCING, STANDBY), _STATE
    index, _ = _at(start, feed.at, feed.expires)
    held = feed.held[index] if len(feed.at) else np.full(count, NO_STATE, dtype=np.uint8)
    published = alive & (held != NO_STATE)
    state[published], basis[published], share[published] = held[published], _STATE, np.nan
    state[~alive], basis[~alive], share[~alive] = UNKNOWN, _NONE, np.nan
    return Runs(start, state, basis, alive, share, _watts(start, channels, alive))


def lumps(channels: Channels) -> tuple[Ints, Floats]:
    """Energy used over gaps, (n,) times and watt-hours: it is known when the counter is read again, not before.

    What the last power before the gap has already told is left out; a gap in which power was read tells itself.
    """
    energies, powers = channels.energies, channels.powers
    if not len(energies.at):
        return energies.at, energies.energy_wh
    far = np.flatnonzero(~energies.near[:-1] & ~energies.reset[1:])
    begin, end = energies.at[far], energies.at[far + 1]
    used = energies.energy_wh[far + 1] - energies.energy_wh[far]
    if len(powers.at) and len(far):
        inside = powers.at.searchsorted(end) > powers.at.searchsorted(begin, side="right")
        index, fresh = _at(begin, powers.at, powers.expires)
        held = np.maximum(np.minimum(powers.expires[index], end) - begin, 0)
        used -= np.where(fresh, np.maximum(powers.power_w[index], 0.0) * held / 3_600_000, 0.0)
        used[inside] = 0.0
    return end, np.maximum(used, 0.0)


def next_change(found: Runs, channels: Channels, now_ms: int) -> int | None:
    """When the state will change unless something arrives, epoch ms, or None when it will not."""
    later = int(found.start.searchsorted(now_ms))
    pending = int(found.start[later]) if later < len(found.start) else int(NEVER)
    pending = min(pending, channels.powers.settles_at)
    return pending if pending < NEVER else None


def _lapses(at: Ints, expires: Ints) -> Ints:
    """The expiries that no newer sample forestalls."""
    lapsed: Ints = expires[joined(expires[:-1] < at[1:], TRUE)]
    return lapsed


def _at(moments: Ints, at: Ints, expires: Ints) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Index of the newest sample at or before each moment, and whether there is one that still counts then."""
    index = at.searchsorted(moments, side="right") - 1
    if not len(at):
        return index, np.zeros(len(moments), dtype=np.bool_)
    fresh: NDArray[np.bool_] = (index >= 0) & (moments < expires[index])
    return index, fresh


def _watts(start: Ints, channels: Channels, alive: NDArray[np.bool_]) -> Floats:
    """Rate of energy use: the energy counter's where two of its readings are near, else the power read last."""
    energies, powers = channels.energies, channels.powers
    watts = np.full(len(start), np.nan)
    if len(powers.at):
        index, fresh = _at(start, powers.at, powers.expires)
        fresh &= alive
        watts[fresh] = np.maximum(powers.power_w[index[fresh]], 0.0)
    if len(energies.at) > 1:
        index = energies.at.searchsorted(start, side="right") - 1
        spread = (index >= 0) & energies.near[index]
        index = index[spread]
        rise = energies.energy_wh[index + 1] - energies.energy_wh[index]
        watts[spread] = rise * 3_600_000.0 / (energies.at[index + 1] - energies.at[index])
    return watts
