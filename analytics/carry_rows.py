"""The carries at the ends of many hours at once, as the JSON of :mod:`analytics.carry`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.samples import Ints
from analytics.states import StateModel
from analytics.timeline import Channels
from fleet.states import NO_STATE


def carries(channels: Channels, ends: Ints, model: StateModel) -> list[str]:
    """What each hour that ends at ``ends`` (epoch ms) hands to the next; "" before the first reading."""
    feed = channels.feed
    if not len(feed.at):
        return [""] * len(ends)
    index = _newest_before(ends, feed.at)
    last = feed.at[index].tolist()
    alive, held = feed.expires[index].tolist(), feed.held[index].tolist()
    parts = [_use(channels, ends, model), _counter(channels, ends, model), _power(channels, ends, model)]
    parts.append(_energy(channels, ends))
    return [
        f"[{at},{until},{state},{use},{counter},{power},{energy}]" if some >= 0 else ""
        for some, at, until, state, use, counter, power, energy in zip(
            index.tolist(), last, alive, held, *parts, strict=True
        )
    ]


def _use(channels: Channels, ends: Ints, model: StateModel) -> list[str]:
    uses = channels.uses
    index = _newest_before(ends, uses.at)
    carried = channels.carry.use.expires if channels.carry and channels.carry.use else None
    expires = _expires_before(channels, uses.at, index, ends, model, carried)
    return _texts(index, uses.at, expires, uses.share)


def _counter(channels: Channels, ends: Ints, model: StateModel) -> list[str]:
    counts = channels.counts
    index = _newest_before(ends, counts.at)
    carried = channels.carry.counter.expires if channels.carry and channels.carry.counter else None
    expires = _expires_before(channels, counts.at, index, ends, model, carried)
    return _texts(index, counts.at, expires, counts.count, counts.rose_at, counts.verdict)


def _power(channels: Channels, ends: Ints, model: StateModel) -> list[str]:
    powers = channels.powers
    index = _newest_before(ends, powers.at)
    carried = channels.carry.power.expires if channels.carry and channels.carry.power else None
    expires = _expires_before(channels, powers.at, index, ends, model, carried, 2)
    before = np.append(powers.settled[:1], powers.settled[:-1])
    settled = np.where(powers.begins, before, powers.level) if len(powers.at) else powers.level
    if not model.by_power:
        settled = np.full(len(powers.at), NO_STATE, dtype=np.uint8)
    working = powers.working.astype(np.int64)
    return _texts(index, powers.at, expires, powers.power_w, working, powers.level, settled, powers.worked_at)


def _energy(channels: Channels, ends: Ints) -> list[str]:
    energies = channels.energies
    index = _newest_before(ends, energies.at)
    if not len(energies.at):
        return ["null"] * len(ends)
    rows = zip(index.tolist(), energies.at[index].tolist(), energies.energy_wh[index].tolist(), strict=True)
    return [f"[{when},{value!r}]" if some >= 0 else "null" for some, when, value in rows]


def _newest_before(ends: Ints, at: Ints) -> NDArray[np.int64]:
    return (at.searchsorted(ends) - 1).astype(np.int64)


def _expires_before(
    channels: Channels, at: Ints, index: NDArray[np.int64], ends: Ints, model: StateModel,
    carried: int | None, carried_count: int = 1,
) -> Ints:  # fmt: skip
    """Until when the newest words count as far as it is known at ``ends``: a later death has not happened yet."""
    if not len(at):
        return ends
    spoken = at[index]
    plain = spoken + model.max_silence_ms
    if carried is not None:
        plain = np.where(index < carried_count, carried, plain)
    death = channels.feed.limit(spoken, model.max_silence_ms)
    return np.where(death < ends, np.minimum(plain, death), plain)


def _texts(index: NDArray[np.int64], at: Ints, expires: Ints, *columns: NDArray[Any]) -> list[str]:
    """Each end's newest row as a JSON list, "null" before the first; ``expires`` is by end, the columns by sample."""
    if not len(at):
        return ["null"] * len(index)
    picked = [at[index].tolist(), expires.tolist(), *(column[index].tolist() for column in columns)]
    rows = zip(index.tolist(), *picked, strict=True)
    return [str(list(row[1:])).replace(" ", "") if row[0] >= 0 else "null" for row in rows]
