"""The head task: new readings and deadlines at the newest end of the machines' histories, within a second or so."""

import asyncio
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.derive import Present, advance
from analytics.desk import Desk
from analytics.floor import QUIET_MS, Floor
from analytics.notices import OUTLOOK
from fleet.batch import Rows
from fleet.records import HOUR_SECONDS, HourBucket

REACH_HOURS: Final = 48
"""Dirty hours further back than this are the archive task's."""
AT_ONCE: Final = 200
"""Machines whose readings are fetched by one query."""

ROWS_AT_ONCE: Final = 20_000
"""Dirty hours taken in before others have their turn."""

Entry = tuple[int, str]


async def look(floor: Floor) -> None:
    """Take in what the store has got and what time has brought, and derive it.

    Raises:
        store.base.StoreError: nothing is lost; look again.
    """
    async with floor.head:
        await _look(floor)


async def _look(floor: Floor) -> None:
    if floor.announced:
        await _read_dirty(floor)
    now_ms = floor.now_ms()
    due = floor.deadlines.pop_due(now_ms)
    heads: list[tuple[Desk, dict[int, int], Entry]] = []
    for key in dict.fromkeys([*due, *floor.backlog.machines]):
        desk = floor.desks.get(key)
        if desk is None:
            floor.backlog.drop(key)  # in no member's file; derived from the first hour on when it comes (back)
        elif key not in floor.behind:
            hours = floor.backlog.hours(key, now_ms)
            entry = _entry(desk, hours, now_ms)
            if entry is None:
                floor.fall_behind(key)
            else:
                heads.append((desk, hours, entry))
    try:
        for first in range(0, len(heads), AT_ONCE):
            await _derive(floor, heads[first : first + AT_ONCE], now_ms)
    except BaseException:
        for desk, _, _ in heads:
            floor.rest(desk)
        raise


async def _read_dirty(floor: Floor) -> None:
    floor.announced = False
    try:
        rows = await floor.store.read_dirty(floor.backlog.since_ms)
    except BaseException:
        floor.announced = True
        raise
    for first in range(0, len(rows), ROWS_AT_ONCE):
        floor.backlog.add(rows[first : first + ROWS_AT_ONCE])
        await asyncio.sleep(0)


def _entry(desk: Desk, hours: dict[int, int], now_ms: int) -> Entry | None:
    if not desk.booted or desk.everything:
        return None
    entry = desk.tail.entry(desk.first_dirty(hours, now_ms), desk.model)
    return entry if entry is not None and entry[0] * 1000 >= now_ms - REACH_HOURS * 3_600_000 else None


async def _derive(floor: Floor, heads: list[tuple[Desk, dict[int, int], Entry]], now_ms: int) -> None:
    start = min(entry[0] for _, _, entry in heads)
    end_ms = (now_ms // (HOUR_SECONDS * 1000) + 1) * HOUR_SECONDS * 1000
    batch = await floor.store.read_readings([desk.key for desk, _, _ in heads], start * 1000, end_ms)
    edges = np.searchsorted(batch.rows["machine"], np.arange(len(heads) + 1))
    rows = [batch.rows[low:high] for low, high in pairwise(edges)]
    found = await asyncio.to_thread(_fold_all, heads, rows, now_ms)
    changed = [bucket for buckets, _ in found for bucket in buckets]
    if changed:
        await floor.store.write_hours(changed)
    floor.derived_hours += len(changed)
    bodies = []
    for (desk, hours, _), (buckets, present) in zip(heads, found, strict=True):
        old = any(bucket.hour + HOUR_SECONDS <= present.at_ms // 1000 for bucket in buckets)
        desk.tail.update(buckets)
        desk.tail.trim()
        floor.backlog.done(desk.key, hours)
        urgent = desk.now_is(present)
        floor.rest(desk)
        if desk.learned is not None and any(hour * 1000 < desk.learned.until_ms for hour in hours):
            desk.learn_due_ms = now_ms + QUIET_MS
            floor.archives_up.set()
        if urgent:
            floor.judge(desk.key)
        elif old:
            floor.refresh(desk.member.slug)
        body = desk.outlook_body(now_ms)
        if body is not None:
            bodies.append((desk.key, OUTLOOK, body))
    await floor.notices.write(bodies, now_ms)


def _fold_all(
    heads: list[tuple[Desk, dict[int, int], Entry]], rows: list[Rows], now_ms: int
) -> list[tuple[list[HourBucket], Present]]:
    """In a thread: nothing of the desks changes meanwhile, for they are changed by the loop after this alone."""
    found = []
    for (desk, _, entry), mine in zip(heads, rows, strict=True):
        mine = mine[mine["at_ns"] >= entry[0] * 1_000_000_000]
        found.append(advance(desk.key, desk.tail, entry, mine, desk.model, now_ms))
    return found
