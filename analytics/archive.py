"""The archive task: histories to walk through, models to learn, outlooks and findings to make; one at a time.

In this order: histories before models before outlooks, for each rests on the one before. Before all of them come the
findings of single machines that have just changed: the others take as long as they take.
"""

import asyncio
from typing import Final

from analytics import notices
from analytics.derive import rederive
from analytics.desk import Desk
from analytics.floor import QUIET_MS, Floor
from analytics.history import utc
from analytics.power import DAY_MS
from analytics.refresh import Refreshed, Seat, judge_again, refresh, span
from analytics.states import LEARN_WEEKS, learn_again, learn_at, monday_ms, resolve
from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS, Finding

MODEL: Final = "model"
WORTH_TELLING: Final = 500
"""Dirty hours from which catching up is told as progress."""
_FAR_MS: Final = 2**52


async def step(floor: Floor) -> bool:
    """Do one piece of work; whether there was one.

    Raises:
        store.base.StoreError: the piece is not done; do it again.
    """
    now_ms = floor.now_ms()
    if floor.urgent:
        await _judge(floor, next(iter(floor.urgent)))
        return True
    if floor.behind:
        await _walk(floor, floor.desks.get(next(iter(floor.behind))), next(iter(floor.behind)))
        return True
    floor.progress = None
    for desk in floor.desks.values():
        if desk.learn_due_ms is not None and desk.learn_due_ms <= now_ms:
            await learn_desk(floor, desk)
            return True
    member = floor.members_due.pop_next(now_ms)
    if member is None:
        return False
    try:
        await _refresh(floor, member)
    except BaseException:
        floor.refresh(member)
        raise
    return True


def next_ms(floor: Floor) -> int | None:
    """When the next piece of work will be due unless something happens, epoch ms."""
    due = [desk.learn_due_ms for desk in floor.desks.values() if desk.learn_due_ms is not None]
    members = floor.members_due.next_ms()
    return min([*due, *([] if members is None else [members])], default=None)


async def learn_desk(floor: Floor, desk: Desk) -> None:
    """Learn the machine's model from its last weeks, and have its hours derived again when it is a new one.

    Raises:
        store.base.StoreError: nothing has changed.
    """
    last = await floor.store.last_reading(desk.key, _FAR_MS)
    last_ms = int(last.rows["at_ns"][0]) // 1_000_000 if len(last) else None
    at_ms = _as_of(floor.now_ms(), last_ms)
    start_ms = monday_ms(at_ms) - LEARN_WEEKS * 7 * DAY_MS
    batch = await floor.store.read_readings([desk.key], start_ms, at_ms)
    silence_ms, rated_w = desk.model.max_silence_ms, desk.machine.rated_w
    learned = await asyncio.to_thread(learn_at, batch.rows, silence_ms, at_ms, rated_w, desk.learned)
    if learned != desk.learned:
        await floor.notices.write([(desk.key, MODEL, learned.to_json())], floor.now_ms())
    desk.learned, desk.learn_due_ms = learned, None
    adopt(floor, desk)


def _as_of(now_ms: int, last_ms: int | None) -> int:
    """The instant to learn for: of a recording from years ago, the day after its end."""
    return now_ms if last_ms is None else min(now_ms, last_ms + DAY_MS)


def adopt(floor: Floor, desk: Desk) -> None:
    """Put the model in force that follows from the machine's file and from what is learned."""
    model = resolve(desk.machine, desk.learned)
    if model != desk.model:
        desk.model, desk.everything = model, True
        floor.fall_behind(desk.key)


async def _walk(floor: Floor, desk: Desk | None, key: MachineKey) -> None:
    if desk is None:
        floor.behind.pop(key, None)
        return
    _tell_progress(floor, key)
    if desk.learned is None:
        await learn_desk(floor, desk)
    async with floor.head:
        pass  # a look that began before the machine fell behind is over now, and the next one leaves it alone
    now_ms, model = floor.now_ms(), desk.model
    hours = floor.backlog.hours(key, now_ms)
    dirty = {*hours, *desk.unfinished()}
    if not desk.booted:
        dirty |= await _boot(floor, desk, dirty)
    if desk.learned is not None and any(hour * 1000 < desk.learned.until_ms for hour in hours):
        desk.learn_due_ms = now_ms + QUIET_MS
    kept_days = desk.member.retention_days
    keep_before = (now_ms // DAY_MS - kept_days + 1) * 86_400 if kept_days else 0
    tail, present, written = await rederive(
        floor.store, key, model, dirty, now_ms, everything=desk.everything, keep_before=keep_before
    )
    floor.derived_hours += written
    floor.backlog.done(key, hours)
    desk.tail, desk.booted = tail, True
    if present is not None:
        desk.now_is(present)
    if desk.model is model:
        desk.everything = False
        floor.behind.pop(key, None)
    floor.rest(desk)
    floor.refresh(desk.member.slug)
    floor.heads_up.set()


async def _boot(floor: Floor, desk: Desk, dirty: set[int]) -> set[int]:
    """Hours to derive for a machine that is new to this run of the worker, besides those that were touched."""
    last = await floor.store.last_reading(desk.key, _FAR_MS)
    if not len(last):
        return set()
    hour = int(last.rows["at_ns"][0]) // (HOUR_SECONDS * 10**9) * HOUR_SECONDS
    standing = await floor.store.read_hours([desk.key], hour, hour + HOUR_SECONDS)
    if hour in dirty or standing:
        desk.everything |= bool(standing) and standing[0].model != desk.model.version_at(hour)
        return {hour}
    # its readings came while no member's file named it: every hour it ever had is dirty
    return {row.hour for row in await floor.store.read_dirty(0) if row.machine == desk.key} | {hour}


def _tell_progress(floor: Floor, key: MachineKey) -> None:
    if floor.progress is None and len(floor.backlog) < WORTH_TELLING:
        return
    done = floor.progress["done"] + 1 if floor.progress else 0
    floor.progress = {"done": done, "waiting": len(floor.behind), "member": key.member, "machine": key.machine}


async def _judge(floor: Floor, key: MachineKey) -> None:
    """The findings of one machine, with what its member's machines taught the last time."""
    desk = floor.desks.get(key)
    if desk is not None and desk.prior is not None and key not in floor.behind:
        now, network = utc(floor.now_ms() / 1000), floor.registry.network
        buckets = await floor.store.read_hours([key], *span(desk.member, network, now))
        found = await asyncio.to_thread(judge_again, desk.member, network, _seat(desk), desk.prior, buckets, now)
        await _publish(floor, desk, found)
    floor.urgent.pop(key, None)


def _seat(desk: Desk) -> Seat:
    return Seat(desk.machine, desk.live(), desk.feed_alive, desk.inferable, dict(desk.findings), desk.untold)


async def _refresh(floor: Floor, member: str) -> None:
    began_ms = floor.now_ms()
    known, desks = floor.registry.members.get(member), floor.desks_of(member)
    floor.members_due.set(member, (began_ms // 3_600_000 + 1) * 3_600_000)
    if known is None or not desks:
        floor.members_due.set(member, None)
        return
    for desk in desks:
        last_ms = desk.present.last_ms if desk.present else None
        if desk.learned is not None and learn_again(desk.learned, _as_of(began_ms, last_ms)):
            desk.learn_due_ms = began_ms
    now = utc(began_ms / 1000)
    start, end = span(known, floor.registry.network, now)
    buckets = await floor.store.read_hours([desk.key for desk in desks], start, end)
    found = await asyncio.to_thread(refresh, known, floor.registry.network, list(map(_seat, desks)), buckets, now)
    for desk, refreshed in zip(desks, found, strict=True):
        await _say(floor, desk, refreshed)
    floor.refreshed_ms[member] = floor.now_ms()
    floor.busy_ms[member] = floor.refreshed_ms[member] - began_ms


async def _say(floor: Floor, desk: Desk, refreshed: Refreshed) -> None:
    now_ms = floor.now_ms()
    desk.prior = refreshed.prior
    desk.outlook_made(refreshed.outlook)
    body = desk.outlook_body(now_ms)
    if body is not None:
        await floor.notices.write([(desk.key, notices.OUTLOOK, body)], now_ms)
    await _publish(floor, desk, refreshed.findings)


async def _publish(floor: Floor, desk: Desk, found: list[Finding]) -> None:
    await floor.notices.judged(desk.key, desk.findings, found, floor.now_ms())
    desk.findings = {finding.rule: finding for finding in found}
