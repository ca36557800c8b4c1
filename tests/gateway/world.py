"""A small network with a past: registry files on disk, hours, readings, outlooks and findings in a real store."""

import itertools
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np

from fleet import states
from fleet.batch import MachineKey, ReadingBatch, empty_rows
from fleet.network import Machine, Member, Place
from fleet.records import ChanceBasis, Document, EnergyUse, Finding, FindingStatus, FreeWindow, HourBucket, Outlook
from fleet.registry import Registry
from store.base import Store
from tests.gateway.world_registry import ZONE as ZONE

RULE = "structural-underuse"
WEEKS = 12
WINDOW_HOURS = 8.0
OLD = ChanceBasis(own_weeks=WEEKS, trade_share=0.08, siblings=1)
YOUNG = ChanceBasis(own_weeks=1.4, trade_share=0.52, siblings=0)
"""Of the laser, whose chances are its owner's alone."""


async def furnish(store: Store, fleet: Registry, now: datetime, *, silent: Iterable[str] = ("muette",)) -> None:
    """Give every machine that is not declared a week of hours, a day of power, an outlook and a finding."""
    for number, (member, machine) in enumerate(fleet.machines()):
        if machine.offer is not None and machine.offer.kind == "declared":
            continue
        rng = np.random.default_rng(number)
        last = now - timedelta(hours=30) if machine.id in silent else now - timedelta(seconds=20)
        buckets = list(_hours(member, machine, last, rng))
        await store.write_hours(buckets)
        await store.write_readings(_readings(member, machine, buckets, last, rng))
        outlook = _outlook(member, machine, buckets, now, last, rng)
        await store.write_documents([*_findings(member, machine, now, number), _document(outlook, "outlook", now)])


def _hours(member: Member, machine: Machine, last: datetime, rng: np.random.Generator) -> Iterable[HourBucket]:
    end = int(last.timestamp())
    code, load = states.OFF, 0.35 + 0.5 * rng.random()
    for hour in range((end - 8 * 86_400) // 3600 * 3600, end, 3600):
        passed = min(3600, end - hour)
        segments: list[tuple[int, int]] = []
        for offset in range(0, passed, 600):
            before, code = code, _next(code, datetime.fromtimestamp(hour + offset, ZONE), load, rng)
            if code != before or not segments:
                segments.append((offset, code))
        seconds = [0.0] * 7
        for (offset, state), until in zip(segments, [*(s[0] for s in segments[1:]), passed], strict=True):
            seconds[state] += until - offset
        yield HourBucket(
            member.slug,
            machine.id,
            hour,
            (seconds[0], seconds[1], seconds[2], seconds[3], seconds[4], seconds[5], seconds[6]),
            1000.0,
            3,
            60,
            0,
            0,
            9000.0,
            "state",
            tuple(segments),
            "",
            "w",
            (1000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
            float(passed),
        )


def _next(code: int, at: datetime, load: float, rng: np.random.Generator) -> int:
    if at.weekday() >= 5 or not 5 <= at.hour < 21:
        return states.OFF
    if rng.random() > 0.18 and code != states.OFF:
        return code
    choice = rng.random()
    if choice < load:
        return states.PRODUCING
    rest = (choice - load) / (1 - load)
    if rest > 0.97:
        return states.FAULT
    return states.SETUP if rest < 0.2 else states.MAINTENANCE if rest > 0.93 else states.STANDBY


_WATTS = {states.PRODUCING: 18_000, states.SETUP: 6_000, states.STANDBY: 1_500, states.OFF: 40}


def _readings(
    member: Member, machine: Machine, buckets: list[HourBucket], last: datetime, rng: np.random.Generator
) -> ReadingBatch:
    end = int(last.timestamp())
    times, watts = [], []
    for bucket in buckets[-26:]:
        bounds = [*bucket.segments, (3600, states.OFF)]
        for (offset, code), (until, _) in itertools.pairwise(bounds):
            for second in range(offset, until, 120):
                if bucket.hour + second <= end:
                    times.append(bucket.hour + second)
                    watts.append(_WATTS.get(code, 800) * (0.9 + 0.2 * rng.random()))
    rows = empty_rows(len(times))
    rows["at_ns"] = np.array(times, dtype=np.int64) * 1_000_000_000
    rows["arrived_ms"] = np.array(times, dtype=np.int64) * 1000
    rows["power_w"] = watts
    return ReadingBatch((MachineKey(member.slug, machine.id),), rows)


def _outlook(
    member: Member, machine: Machine, buckets: list[HourBucket], now: datetime, last: datetime, rng: np.random.Generator
) -> Outlook:
    grid: list[float | None] = []
    for hour in range(168):
        day, clock = divmod(hour, 24)
        busy = (
            0.0 if day >= 5 or not 5 <= clock < 21 else float(np.clip(0.75 - 0.03 * clock + 0.1 * rng.normal(), 0, 1))
        )
        grid.append(None if hour == 130 else busy)
    monday = now.astimezone(ZONE).date() - timedelta(days=now.astimezone(ZONE).weekday())
    weekly = [
        {
            "monday": (monday - timedelta(weeks=back)).isoformat(),
            "utilisation": round(0.3 + 0.2 * rng.random(), 3),
            "utilisation_calendar": round(0.12 + 0.05 * rng.random(), 3),
            "coverage": 0.97,
            "shareable_hours": round(18 + 10 * rng.random(), 1),
        }
        for back in range(WEEKS, 0, -1)
    ]
    state, offset = buckets[-1].segments[-1][1], buckets[-1].segments[-1][0]
    young = machine.id == "laser-1"
    return Outlook(
        member=member.slug,
        machine=machine.id,
        as_of=now,
        weeks=WEEKS,
        state=states.STATES[state].value,
        state_since=datetime.fromtimestamp(buckets[-1].hour + offset, UTC),
        last_reading=last,
        basis="state",
        utilisation=0.372,
        utilisation_calendar=0.177,
        coverage=0.968,
        shareable_hours_per_week=21.5,
        shareable_in_weeks=(11, 12),
        weekly=weekly,
        grid=grid,
        grid_coverage=[0.4 if hour in (100, 101) else 0.97 for hour in range(168)],
        free=[] if young else list(_free(now, rng)),
        assumed=list(_free(now, rng)) if young else [],
        chance_basis=YOUNG if young else OLD,
        window_hours=WINDOW_HOURS,
        model="w",
        long_block_share=0.83,
        energy=None if machine.id == "muette" else energy(now),
    )


def energy(now: datetime) -> EnergyUse:
    """Four weeks of a machine that idles; the figures are found nowhere else."""
    return EnergyUse(
        since=now - timedelta(weeks=4), until=now, measured=0.971, total_kwh=1930.2, idle_kwh=412.3, setup_kwh=118.0,
        off_kwh=7.6, off_told=True, idle_eur=74.2, idle_kg_co2e=21.4, eur_per_kwh=0.18, eur_origin="network",
        co2_g_per_kwh=52.0, co2_origin="default", co2_source="",
    )  # fmt: skip


def _free(now: datetime, rng: np.random.Generator) -> Iterable[FreeWindow]:
    """Offered 05:00 to 21:00 from Monday to Friday: windows of 8 h from each hour 05 to 13."""
    today = now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    for ahead in range(15):
        day = today + timedelta(days=ahead)
        if day.weekday() >= 5:
            continue
        for hour in range(5, 14):
            start = day.replace(hour=hour)
            if now < start < now + timedelta(days=14):
                chance = float(np.clip(0.45 + 0.05 * (hour - 5) + 0.08 * rng.normal() + 0.02 * day.weekday(), 0, 0.99))
                yield FreeWindow(start=start, end=start + timedelta(hours=8), probability=chance)


def _findings(member: Member, machine: Machine, now: datetime, number: int) -> list[Document]:
    cases = (
        (FindingStatus.FLAGGED, "used 37 % of staffed hours over 12 weeks, surely below 40 %"),
        (FindingStatus.INSUFFICIENT_EVIDENCE, "calendar"),
        (FindingStatus.CLEAR, "used 71 % of staffed hours"),
    )
    status, reason = cases[0 if machine.id in ("cabine-1", "laser-1") else 1 + number % 2]
    finding = Finding(
        member=member.slug,
        machine=machine.id,
        rule=RULE,
        status=status,
        since=now - timedelta(days=9),
        reason=reason,
        evidence={"utilisation": 0.372, "threshold": 0.4, "weeks": 12, "coverage": 0.968, "probability": 0.97},
    )
    return [_document(finding, f"finding/{RULE}", now)]


def _document(body: Outlook | Finding, kind: str, now: datetime) -> Document:
    return Document(
        member=body.member,
        machine=body.machine,
        kind=kind,
        at=int(now.timestamp() * 1000),
        body=body.model_dump_json(),
    )


def outlook(now: datetime) -> Outlook:
    """An outlook of some machine."""
    member = Member(slug="m", name="M", place=Place(commune="X"), machines=(Machine(id="x", name="X"),))
    rng = np.random.default_rng(1)
    return _outlook(member, member.machines[0], list(_hours(member, member.machines[0], now, rng)), now, now, rng)


def touched(machine: str, at: datetime, **quantities: object) -> bytes:
    """The body of ``net/v1/touched/<member>`` with one machine."""
    at_ms = int(at.timestamp() * 1000)
    return json.dumps(
        {"at": at_ms, "machines": {machine: {"at": at_ms, "arrived": at_ms, "hours": [], **quantities}}}
    ).encode()


def health(program: str, at: datetime, **figures: object) -> bytes:
    """The body of ``net/v1/health/<program>``."""
    return json.dumps(
        {
            "program": program,
            "alive": True,
            "at": int(at.timestamp() * 1000),
            "version": "0.1.0",
            "pid": 1,
            "registry_digest": "",
            "broker": {"connected": True, "since": None, "session_losses": 0},
            "store": {"ok": True, "since": None, "error": None},
            **figures,
        }
    ).encode()
