"""The ledger: readings of one machine become hours. Pure, columnar, and the same however the readings come.

An hour is a function of the carry at its start, its readings, the first readings after it (which say what the machine
did since the last ones before) and the state model. Folding a whole history at once, hour by hour, late, or again
gives equal buckets.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from analytics.carry import HOUR_MS, Carry, parse
from analytics.carry_rows import carries
from analytics.samples import TRUE, Ints, Samples, distinct, fresh, joined, samples
from analytics.states import StateModel
from analytics.timeline import BASES, Basis, Channels, Runs, next_change, runs
from analytics.used import Used
from fleet.batch import NO_INT, MachineKey, Rows
from fleet.records import HourBucket, Seconds7
from fleet.states import PRODUCING, STANDBY, STATES, UNKNOWN

_STATES: Final = len(STATES)


@dataclass(frozen=True, slots=True)
class Folded:
    """What :func:`fold` makes of a span.

    Attributes:
        hours: the buckets, by hour; an hour without sign of life is left out and means UNKNOWN.
        state: code of the state in force at the end.
        since_ms: since when, epoch ms; None when since before the first hour.
        next_ms: when the state will change, or a reading of the future counts, unless something else arrives; or None.
        last_ms: device time of the newest reading, carried ones included, epoch ms; or None.
        alive: whether the feed is alive at the end.
    """

    hours: list[HourBucket]
    state: int
    since_ms: int | None
    next_ms: int | None
    last_ms: int | None
    alive: bool


def fold(
    key: MachineKey,
    rows: Rows,
    model: StateModel,
    *,
    start: int,
    now_ms: int,
    carry: str = "",
    standing: Collection[int] = (),
) -> Folded:
    """Fold a machine's rows into its hours.

    Args:
        rows: all its readings from ``start`` on, in any order, duplicates allowed; rows at or after ``now_ms`` wait.
        start: first hour to derive, epoch seconds.
        now_ms: end of the last hour, or an instant inside it; nothing later is derived.
        carry: ``HourBucket.carry`` of the newest bucket before ``start``, made by the same model; "" without one.
        standing: hours that have a bucket already and get a new one even when they are silent now.

    Raises:
        ValueError: a row is older than ``start``.
    """
    told = samples(rows, now_ms)
    start_ms = start * 1000
    if len(told) and told.at[0] < start_ms:
        raise ValueError(f"machine {key.machine}: a reading at {told.at[0]} ms is older than the first hour {start} s")
    carried: Carry | None = parse(carry) if carry else None
    channels = Channels.of(told, model, carried, now_ms)
    found = runs(channels, model, start_ms)
    hours = _hours(told, found, start_ms, now_ms, standing)
    buckets = _buckets(key, channels, found, hours, now_ms, model)
    waiting = rows["at_ns"] // 1_000_000
    waiting = waiting[waiting >= now_ms]
    change = next_change(found, channels, now_ms)
    following = [int(waiting.min())] if len(waiting) else []
    following += [] if change is None else [change]
    last = int(told.at[-1]) if len(told) else carried.last if carried else None
    state, since = _current(found, now_ms, carried)
    alive = bool(found.alive[max(0, int(found.start.searchsorted(now_ms)) - 1)])
    return Folded(buckets, state, since, min(following, default=None), last, alive)


def _current(found: Runs, now_ms: int, carried: Carry | None) -> tuple[int, int | None]:
    passed = found.state[: max(1, int(found.start.searchsorted(now_ms)))]
    differs = np.flatnonzero(passed != passed[-1])
    since = int(differs[-1]) + 1 if len(differs) else 0
    return int(passed[-1]), None if since == 0 and carried else int(found.start[since])


def _hours(told: Samples, found: Runs, start_ms: int, now_ms: int, standing: Collection[int]) -> Ints:
    """Starts of the hours to write, epoch ms: with a reading, with a sign of life, or with a bucket already."""
    begin, end = found.start, found.ends(now_ms)
    live = found.alive & (begin < now_ms)
    first, last = begin[live] // HOUR_MS, (np.minimum(end[live], now_ms) - 1) // HOUR_MS
    alive = _ranges(first, last + 1)
    kept = np.fromiter((hour // 3600 for hour in standing), np.int64)
    hours: Ints = distinct(joined(told.at // HOUR_MS, alive, kept)) * HOUR_MS
    return hours[(hours >= start_ms) & (hours < now_ms)]


def _ranges(first: Ints, end: Ints) -> Ints:
    """Concatenation of the ranges [first, end), all of them not empty."""
    lengths = end - first
    starts = np.cumsum(lengths) - lengths
    spread: Ints = np.repeat(first - starts, lengths) + np.arange(int(lengths.sum()))
    return spread


def _buckets(
    key: MachineKey, channels: Channels, found: Runs, hours: Ints, now_ms: int, model: StateModel
) -> list[HourBucket]:
    if not len(hours):
        return []
    count = len(hours)
    ends = np.minimum(hours + HOUR_MS, now_ms)
    low = found.start.searchsorted(hours, side="right") - 1
    high = found.start.searchsorted(ends)
    piece = _ranges(low, high)
    hour = np.repeat(np.arange(count), high - low)
    begin = np.maximum(found.start[piece], hours[hour])
    end = np.minimum(found.ends(now_ms)[piece], ends[hour])
    millis, bases = _millis(hour, found.state[piece], found.basis[piece], found.share[piece], end - begin, count)
    seconds = cast(list[Seconds7], list(map(tuple, (millis / 1000).tolist())))
    basis: list[Basis] = [BASES[index] for index in np.where(bases.any(axis=1), bases.argmax(axis=1), 3).tolist()]
    used = Used.of(channels, hours, hour, found.state[piece], found.watts[piece], end - begin)
    segments = _segments(hour, found.state[piece], begin - hours[hour], end - hours[hour], count)
    carry = carries(channels, hours + HOUR_MS, model)
    member, machine = key.member, key.machine
    starts = (hours // 1000).tolist()
    versions = [model.version_at(hour) for hour in starts] if model.before else [model.version] * count
    columns = zip(
        starts, seconds, used.total(), *_told(channels, hours), basis, segments, carry, versions,
        used.by_state(), used.metered_s.tolist(), strict=True,
    )  # fmt: skip
    return [
        HourBucket(
            member, machine, start, split, wh, pieces, number, conflicts, resets, peak, base, runs_, carry_, version,
            energies, metered,
        )
        for start, split, wh, pieces, number, conflicts, resets, peak, base, runs_, carry_, version, energies, metered
        in columns
    ]  # fmt: skip


def _millis(
    hour: NDArray[np.int64], state: NDArray[np.uint8], basis: NDArray[np.uint8],
    share: NDArray[np.float64], length: Ints, count: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Milliseconds of each hour in each state, shape (count, 7), and on each basis but none, shape (count, 3)."""
    place = hour * _STATES + state
    millis = _sums(place, length, count * _STATES).reshape(count, _STATES)
    partly = np.flatnonzero(share > 0)
    if len(partly):
        idle = length[partly] - np.rint(share[partly] * length[partly])
        spare = _sums(hour[partly], idle, count)
        millis[:, PRODUCING] -= spare
        millis[:, STANDBY] += spare
    bases = _sums(hour * 4 + basis, length * (state != UNKNOWN), count * 4)
    return millis, bases.reshape(count, 4)[:, :3]


def _sums(place: NDArray[np.integer], weights: NDArray[Any], count: int) -> NDArray[np.float64]:
    return np.bincount(place, weights=weights, minlength=count).astype(np.float64)


def _told(
    channels: Channels, hours: Ints
) -> tuple[list[int | None], list[int], list[int], list[int], list[float | None]]:
    """Pieces, readings, conflicts, resets and highest power of each hour."""
    told, counts, energies = channels.told, channels.counts, channels.energies
    of_hour = hours.searchsorted(told.at, side="right") - 1
    count = len(hours)
    readings = _sums(of_hour, told.readings, count).astype(np.int64).tolist()
    conflicts = _sums(of_hour, told.conflict, count).astype(np.int64).tolist()
    counted, metered = told.counter != NO_INT, ~np.isnan(told.energy_wh)
    pieces = np.zeros(count, dtype=np.int64)
    np.add.at(pieces, of_hour[counted], _newest(counts.pieces, counted))
    resets = _sums(of_hour[counted], _newest(counts.reset, counted), count)
    resets += _sums(of_hour[metered], _newest(energies.reset, metered), count)
    has = np.bincount(of_hour[counted], minlength=count).tolist()
    powered = ~np.isnan(told.power_w)
    peak = np.full(count, -np.inf)
    np.maximum.at(peak, of_hour[powered], told.power_w[powered])
    return (
        [number if any_ else None for number, any_ in zip(pieces.tolist(), has, strict=True)],
        readings,
        conflicts,
        resets.astype(np.int64).tolist(),
        [None if value == -np.inf else value for value in peak.tolist()],
    )


def _newest(column: NDArray[Any], told: NDArray[np.bool_]) -> NDArray[Any]:
    """A channel's column without what was carried in."""
    return column[len(column) - int(told.sum()) :]


def _segments(
    hour: NDArray[np.int64], state: NDArray[np.uint8], begin: Ints, end: Ints, count: int
) -> list[tuple[tuple[int, int], ...]]:
    """Runs of one state in whole seconds: boundaries are rounded, runs that vanish by it are left out."""
    new = fresh(hour) | fresh(state)
    hour, state, begin, end = hour[new], state[new], begin[new], end[joined(new[1:], TRUE)]
    offset, until = (begin + 500) // 1000, (end + 500) // 1000
    stays = offset < until
    if not stays.all():
        lone = np.bincount(hour[stays], minlength=count) == 0
        stays |= lone[hour] & (offset == 0) & fresh(hour)
        hour, state, offset = hour[stays], state[stays], offset[stays]
        new = fresh(hour) | fresh(state)
        hour, state, offset = hour[new], state[new], offset[new]
    pairs = list(zip(offset.tolist(), state.tolist(), strict=True))
    edges = hour.searchsorted(np.arange(count + 1)).tolist()
    return [tuple(pairs[low:high]) for low, high in pairwise(edges)]
