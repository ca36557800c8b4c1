"""One row a machine: what ``resilian report --json`` prints."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np

from analytics import capacity, energy, iso22400, recent, unseen, utilisation
from analytics.chances import FleetProfile
from analytics.history import History, utc
from analytics.outlook import (
    AHEAD_HOURS,
    fleet_profile,
    kin_of,
    newest,
    shareable,
    told_now,
    window_length,
    windows_ahead,
)
from analytics.profiles import Floats
from fleet.batch import MachineKey
from fleet.calendars import calendar_hours
from fleet.network import Machine, Member, Network
from fleet.records import HOUR_SECONDS, Finding, HourBucket
from fleet.registry import Registry
from fleet.states import STATES, UNKNOWN
from fleet.tariffs import tariff
from store.base import Store

SPAN: Final = timedelta(weeks=26)
"""Reported when no beginning is asked for; also as far back as the chances of free windows look."""


class Period(NamedTuple):
    """[start, end), epoch seconds."""

    start: float
    end: float


async def rows(
    store: Store, registry: Registry, start: datetime | None, end: datetime | None, now: datetime
) -> list[dict[str, Any]]:
    """Rows of every machine of the registry over [start, end), by member, then as in its file.

    Without ``end`` it is ``now``, or, for a store that heard nothing in 26 weeks (a recording), the end of its newest
    observed hour. Without ``start`` it is the first observed hour of the 26 weeks before the end. The first and the
    last hour count by the seconds inside. Free windows are those after the end.

    Raises:
        ValueError: the end is not after the start.
        StoreUnavailable: again later.
    """
    buckets = await _read(store, start, end or now)
    if end is None and not any(_known_seconds(bucket) for bucket in buckets):
        buckets = await _read(store, utc(0), now)
    period = _period(buckets, start, end, now)
    by_machine: dict[MachineKey, list[HourBucket]] = defaultdict(list)
    for bucket in buckets:
        by_machine[bucket.key].append(bucket)
    findings: dict[MachineKey, list[Finding]] = defaultdict(list)
    for document in await store.read_documents("finding"):
        findings[MachineKey(document.member, document.machine)].append(Finding.model_validate_json(document.body))
    told: list[dict[str, Any]] = []
    for member in registry.members.values():  # in a thread: the loop may be serving pages meanwhile
        told += await asyncio.to_thread(member_rows, member, registry.network, by_machine, period, findings)
    return told


def member_rows(
    member: Member,
    network: Network,
    buckets: dict[MachineKey, list[HourBucket]],
    period: Period,
    findings: dict[MachineKey, list[Finding]],
) -> list[dict[str, Any]]:
    """Rows of one member's machines; its own machines alone shape its chances of free windows."""
    timezone = member.timezone or network.timezone
    keys = [MachineKey(member.slug, machine.id) for machine in member.machines]
    since = min(period.start, period.end - SPAN.total_seconds())
    pasts = [_history(buckets[key], timezone, Period(since, period.end)) for key in keys]
    profile = fleet_profile(
        kin_of(member, machine, network, past) for machine, past in zip(member.machines, pasts, strict=True)
    )
    corrections = _corrections(member, network, pasts, period)
    return [
        {
            "member": member.slug,
            "machine": machine.id,
            "name": machine.name,
            **_figures(member, machine, network, _within(past, buckets[key], period), period),
            **_free(member, machine, network, past, profile, period, correction),
            "findings": [
                finding.model_dump(mode="json", include={"rule", "status", "since", "reason", "evidence"})
                for finding in findings[key]
            ],
        }
        for key, machine, past, correction in zip(keys, member.machines, pasts, corrections, strict=True)
    ]


def cut(bucket: HourBucket, period: Period) -> HourBucket:
    """The bucket with its time outside the period UNKNOWN; the same one when it lies inside.

    Of a bucket that is cut the energy is not told: it is known by the hour.
    """
    low, high = max(0.0, period.start - bucket.hour), min(float(HOUR_SECONDS), period.end - bucket.hour)
    if low == 0.0 and high == HOUR_SECONDS:
        return bucket
    begins = [float(begin) for begin, _ in bucket.segments]
    ends = [*begins[1:], float(sum(bucket.seconds))]
    seconds = [0.0] * len(STATES)
    inside = [(0, UNKNOWN)]
    for begin, end, (_, state) in zip(begins, ends, bucket.segments, strict=True):
        if min(end, high) > max(begin, low):
            seconds[state] += min(end, high) - max(begin, low)
            inside.append((int(max(begin, low)), state))
    inside.append((int(high), UNKNOWN))
    a, b, c, d, e, f, g = seconds
    part = replace(bucket, seconds=(a, b, c, d, e, f, g), segments=tuple(inside))
    return replace(part, energy_wh=None, energy_by_state=None, metered_s=0.0)


def _figures(member: Member, machine: Machine, network: Network, history: History, period: Period) -> dict[str, Any]:
    calendar = calendar_hours(member, machine, network, history.start, len(history))
    total = period.end - period.start
    seconds = history.seconds.sum(axis=0)
    seconds[UNKNOWN] = max(0.0, total - float(np.delete(seconds, UNKNOWN).sum()))
    staffed = calendar.staffed & ~calendar.lent
    hours = shareable(history, calendar.offered, calendar.reserved, machine, utc(period.end))
    told = machine.shareable and calendar.offered_known
    least = capacity.at_least(hours[~np.isnan(hours)]) if told else None
    planned = staffed if calendar.staffed_known else None
    used = energy.use(history, period.start, period.end, tariff(member, network))
    return {
        "from": utc(period.start).isoformat(),
        "to": utc(period.end).isoformat(),
        "seconds": {state.value: float(value) for state, value in zip(STATES, seconds, strict=True)},
        "coverage": float(1.0 - seconds[UNKNOWN] / total),
        "utilisation": utilisation.use(history, staffed).share if calendar.staffed_known else None,
        "utilisation_most": unseen.most(history, staffed) if calendar.staffed_known else None,
        "utilisation_calendar": utilisation.use(history).share,
        "shareable_hours_per_week": least.hours if least else None,
        "shareable_in_weeks": [least.weeks, least.of] if least else None,
        "long_block_share": capacity.long_block_share(history),
        "energy": used.model_dump(mode="json") if used else None,
        "iso_22400": iso22400.figures(history, planned),
    }


def _corrections(member: Member, network: Network, pasts: Sequence[History], period: Period) -> list[Floats]:
    """What the last days and the state at the period's end change in the chances of each machine."""
    seen = [
        recent.Seen(
            past,
            calendar_hours(member, machine, network, past.start, len(past)).closed,
            window_length(machine),
            newest(past, machine, period.end).state,
        )
        for machine, past in zip(member.machines, pasts, strict=True)
    ]
    return recent.corrections(seen, utc(period.end), AHEAD_HOURS)


def _free(
    member: Member,
    machine: Machine,
    network: Network,
    past: History,
    profile: FleetProfile,
    period: Period,
    correction: Floats,
) -> dict[str, Any]:
    """Windows one after the other, each with its chance; over all open hours where no offered ones are stated."""
    end = utc(period.end)
    ahead = windows_ahead(member, machine, network, past, profile, end, window_length(machine), anywhere=True)
    told: list[dict[str, Any]] = []
    until = utc(0)
    for window in told_now(ahead.windows, correction, end):
        if window.start >= until:
            until = window.end
            told.append(window.model_dump(mode="json"))
    basis = ahead.basis.model_dump(mode="json") if ahead.basis else None
    free, assumed = (told, []) if ahead.proven else ([], told)
    return {"free": free, "assumed": assumed, "chance_basis": basis}


def _history(buckets: Sequence[HourBucket], timezone: str, period: Period) -> History:
    touching = [
        cut(bucket, period)
        for bucket in buckets
        if bucket.hour + HOUR_SECONDS > period.start and bucket.hour < period.end
    ]
    return History.from_buckets(touching, timezone, int(period.start), int(-(-period.end // 1)))


def _within(past: History, buckets: Sequence[HourBucket], period: Period) -> History:
    """The period's part of a history that ends with it."""
    if period.start % HOUR_SECONDS == 0:
        return past.between(int(period.start), past.end)
    return _history(buckets, past.timezone, period)


async def _read(store: Store, start: datetime | None, end: datetime) -> list[HourBucket]:
    """Hours from the start asked for, and at least those that the chances of free windows look back to."""
    first = end - SPAN if start is None else min(start, end - SPAN)
    return await store.read_hours(None, int(first.timestamp()) // HOUR_SECONDS * HOUR_SECONDS, int(end.timestamp()) + 1)


def _period(buckets: Sequence[HourBucket], start: datetime | None, end: datetime | None, now: datetime) -> Period:
    observed = [bucket.hour for bucket in buckets if _known_seconds(bucket)]
    last = (end or now).timestamp()
    if end is None and observed and max(observed) + HOUR_SECONDS <= (now - SPAN).timestamp():
        last = float(max(observed) + HOUR_SECONDS)
    earliest = last - SPAN.total_seconds()
    first = start.timestamp() if start else float(min((h for h in observed if h >= earliest), default=earliest))
    if last <= first:
        raise ValueError(f"the end {utc(last).isoformat()} is not after the start {utc(first).isoformat()}")
    return Period(first, last)


def _known_seconds(bucket: HourBucket) -> float:
    return sum(bucket.seconds) - bucket.seconds[UNKNOWN]
