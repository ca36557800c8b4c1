"""``/machines/<member>/<machine>``: everything an owner may know of one machine."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import numpy as np
from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from numpy.typing import NDArray

from fleet import calendars
from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS, FindingStatus, HourBucket, Outlook
from gateway import devices, evidence, refusals, troubles
from gateway.access import Audience, Hidden, OwnMachine, Scope
from gateway.basis import basis_in_words
from gateway.calendar_words import calendar_lines
from gateway.catalog import later
from gateway.draw.bar import Half, in_words, window_bar
from gateway.draw.grid import week_grid
from gateway.draw.runs import Run, runs_of, seconds_by_state
from gateway.draw.strip import strip
from gateway.expected import expected
from gateway.looked import Look
from gateway.pages import calibration, energy, home
from gateway.picture import STORE_PATIENCE_S, Picture
from gateway.present import bridged, patience, present, too_little
from gateway.publish import halves
from gateway.web import Page, page_of
from gateway.words import Words, states_of
from store.base import StoreError

router = APIRouter(include_in_schema=False)
_DAY_S: Final = 86_400
_SPANS: Final = {"24h": _DAY_S, "7d": 7 * _DAY_S}
_OWNER_DAYS: Final = 14
_BEST: Final = 5

Power = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Past:
    """What the store says of the last seven days; ``runs`` is None when it did not answer.

    Attributes:
        conflicts: instants at which two readings contradict each other.
        resets: how often a counter stepped back.
    """

    now: float
    runs: list[Run] | None
    power: Power | None
    conflicts: int = 0
    resets: int = 0


@router.get("/machines/{machine_id}")
async def by_id(page: Annotated[Page, Depends(page_of)], machine_id: str) -> Response:
    """``member.machine``, or a machine's id alone when only one of those this visitor may see has it."""
    member, dot, machine = machine_id.partition(".")
    keys = [MachineKey(m.slug, x.id) for m, x in page.site.picture.registry.machines()]
    wanted = [key for key in keys if (key == (member, machine) if dot else key.machine == machine_id)]
    visible = [key for key in wanted if page.visitor.may(Audience.OWNER, key.member)]
    if len(visible) != 1:
        raise Hidden(machine_id)
    return RedirectResponse(f"/machines/{visible[0].member}/{visible[0].machine}", 307)


@router.get("/machines/{member}/{machine}")
async def machine_page(page: Annotated[Page, Depends(page_of)], member: str, machine: str) -> Response:
    """The owner's page of one machine."""
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    past = await read_past(scope.picture, own)
    runs = past.runs or []
    heard = scope.live.machines.get(own.key)
    if runs:
        own = _with_present(own, present(own.machine, own.outlook, heard, page.now, runs))
    words = page.words
    codes = states_of(_basis(own), {run.state for run in runs})
    refused = refusals.refused_now(member, own.machine, scope.live.rejects.get(member), heard, own.present.last)
    page.looked(scope, [own.key], "machine")
    return page.render(
        "machine.html",
        own=own,
        id=f"{member}.{machine}",
        past=past,
        day=draw(past, "24h", own, words),
        week=draw(past, "7d", own, words),
        day_rows=_rows(runs, past.now - _DAY_S, _basis(own), words),
        week_rows=_days(runs, past.now, codes, words),
        codes=codes,
        basis=_basis(own),
        refused=refusals.told(refused, words) if refused else None,
        arriving=own.present.arriving,
        slow=troubles.slow_clock(own.machine, heard, page.now, words),
        awaited=next(iter(expected([own], devices.waiting(scope)[0])), None),
        on_weeks=_on_weeks(own.outlook, words),
        thin=too_little(own.outlook, past.runs),
        grid=_grid(own, scope),
        grid_days=_day_names(words),
        outlook=own.outlook,
        energy=energy.told(own.outlook, words),
        findings=[_finding(own, rule, words) for rule in in_order(own)],
        consents=_consents(own, scope),
        looks=[_look(look, scope, words) for look in page.site.looks.of(own.key)],
        marks=calibration.shown(own, heard, page),
        calendar=calendar_lines(scope.picture.registry.calendar(own.key), words),
        rests_on=basis_in_words(own.outlook, own.machine, words),
        **_windows(own.outlook, scope, words),
    )


@router.get("/machines/{member}/{machine}/strip/{span}")
async def strip_fragment(
    page: Annotated[Page, Depends(page_of)], member: str, machine: str, span: Literal["24h", "7d"]
) -> Response:
    """The drawing alone, for the page that is open to renew itself."""
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    past = await read_past(scope.picture, own)
    return HTMLResponse(draw(past, span, own, page.words) or "")


async def read_past(picture: Picture, own: OwnMachine) -> Past:
    """Seven days of states and one of power, as the store has them now."""
    now = picture.now()
    end = int(now.timestamp())
    hours = range((end - 7 * _DAY_S) // HOUR_SECONDS * HOUR_SECONDS, end + 1)
    try:
        async with asyncio.timeout(STORE_PATIENCE_S):
            buckets = await picture.store.read_hours([own.key], hours.start, hours.stop)
            readings = await picture.store.read_readings([own.key], (end - _DAY_S) * 1000, end * 1000)
    except (StoreError, TimeoutError) as error:
        picture.failed(error)
        return Past(end, None, None)
    picture.answered()
    watts = readings.rows["power_w"]
    power = (readings.rows["at_ns"] / 1e9, watts) if np.isfinite(watts).any() else None
    conflicts, resets = (sum(getattr(bucket, name) for bucket in buckets) for name in ("conflicts", "resets"))
    return Past(end, _known(buckets, end, own), power, conflicts, resets)


def draw(past: Past, span: str, own: OwnMachine, words: Words) -> Markup | None:
    """The strip of ``24h`` or ``7d``; None when the store did not answer."""
    if past.runs is None:
        return None
    start = past.now - _SPANS[span]
    runs = [run._replace(start=max(run.start, start)) for run in past.runs if run.end > start]
    title = words.say("États de %(name)s", name=own.machine.name)
    power = past.power if span == "24h" else None
    return strip(runs, start, past.now, words=words, title=title, power=power, basis=_basis(own))


def _known(buckets: list[HourBucket], end: int, own: OwnMachine) -> list[Run]:
    return bridged(runs_of(buckets, end - 7 * _DAY_S, end), patience(own.machine).total_seconds())


def _basis(own: OwnMachine) -> str:
    return own.outlook.basis if own.outlook else "state"


def _with_present(own: OwnMachine, now: Any) -> OwnMachine:
    return OwnMachine(own.member, own.machine, own.key, own.outlook, own.findings, now)


def _rows(runs: list[Run], start: float, basis: str, words: Words) -> list[tuple[str, str, str]]:
    """The last day's runs, newest first: from, state, length."""
    rows = []
    for run in reversed(runs):
        if run.end <= start:
            break
        begins = datetime.fromtimestamp(max(run.start, start), words.zone)
        rows.append(
            (words.moment(begins), words.state(run.state, basis), words.duration(run.end - max(run.start, start)))
        )
    return rows


def _days(runs: list[Run], now: float, codes: list[int], words: Words) -> list[tuple[str, list[str]]]:
    """Hours in each state, day by day, newest first."""
    rows = []
    today = datetime.fromtimestamp(now, words.zone).date()
    for back in range(7):
        day = today - timedelta(days=back)
        start = datetime(day.year, day.month, day.day, tzinfo=words.zone).timestamp()
        after = day + timedelta(days=1)
        end = min(now, datetime(after.year, after.month, after.day, tzinfo=words.zone).timestamp())
        inside = [
            Run(max(run.start, start), min(run.end, end), run.state)
            for run in runs
            if run.end > start and run.start < end
        ]
        totals = seconds_by_state(inside)
        rows.append((words.date(day), [words.number(totals[code] / 3600, 1) for code in codes]))
    return rows


def _grid(own: OwnMachine, scope: Scope) -> Any:
    if own.outlook is None or len(own.outlook.grid) != 168:
        return None
    calendar = scope.picture.registry.calendar(own.key)
    staffed = calendars.staffed_week(calendar)
    closed = [False] * 168 if staffed is None else [not open_ for open_ in staffed]
    return week_grid(own.outlook.grid, own.outlook.grid_coverage, closed)


def _on_weeks(outlook: Outlook | None, words: Words) -> str:
    """On which weeks the figures rest: a single one, which may have begun yesterday, by its Monday."""
    if outlook is None or not outlook.weeks:
        return words.say("aucune semaine encore")
    if outlook.weeks == 1 and outlook.weekly:
        monday = date.fromisoformat(outlook.weekly[0]["monday"])
        return words.say("semaine du %(monday)s", monday=words.date(monday, "d MMMM"))
    return words.count("sur %(num)s semaine", "sur %(num)s semaines", outlook.weeks)


def _day_names(words: Words) -> list[tuple[str, str]]:
    monday = date(2024, 1, 1)
    days = [monday + timedelta(days=number) for number in range(7)]
    return [(words.date(day, "EEEE"), words.date(day, "EEE").rstrip(".")) for day in days]


def _windows(outlook: Outlook | None, scope: Scope, words: Words) -> dict[str, Any]:
    if outlook is None or not outlook.free_to_owner:
        return {"bar": None, "best": [], "free_rows": []}
    found = [
        Half(start, end, outlook.window_hours, chance)
        for start, end, chance in halves(outlook.free_to_owner, outlook.window_hours, words.zone)
    ]
    sure = sorted((half for half in found if half.chance >= 0.5), key=lambda half: (-round(half.chance, 1), half.start))
    return {
        "bar": window_bar(found, scope.today, _OWNER_DAYS + 1, words, exact=True),
        "best": [in_words(half, words) for half in sure[:_BEST]],
        "free_rows": [(words.span(half.start, half.end), words.percent(half.chance)) for half in found],
    }


def in_order(own: OwnMachine) -> list[str]:
    """Rules by name, what is flagged before the rest."""
    return sorted(own.findings, key=lambda rule: (own.findings[rule].status is not FindingStatus.FLAGGED, rule))


def _finding(own: OwnMachine, rule: str, words: Words) -> dict[str, Any]:
    finding = own.findings[rule]
    given = home.answer_to(own, finding)
    return {
        "name": evidence.rule_name(rule, words),
        "status": evidence.status_name(finding.status, words),
        "flagged": finding.status is FindingStatus.FLAGGED,
        "why": evidence.why(finding, words, own.outlook),
        "answer": home.answer_in_words(given, words) if given else None,
        "offered": home.offered(own, finding),
        "since": finding.since,
        "rows": evidence.rows(finding, words),
        "weeks": evidence.weeks(finding, words),
    }


def _consents(own: OwnMachine, scope: Scope) -> list[dict[str, Any]]:
    names = scope.picture.registry.members
    today = scope.today
    return [
        {
            "recipient": entry.recipient,
            "member": names[slug].name if (slug := entry.recipient.removeprefix("member:")) in names else None,
            "level": entry.level.value,
            "purpose": entry.purpose,
            "since": entry.since,
            "until": entry.until,
            "now": entry.since <= today and (entry.until is None or today <= entry.until),
        }
        for entry in own.member.consents
        if entry.machine == own.machine.id
    ]


_ROLES: Final = {
    "owner": later("votre entreprise"),
    "coordinator": later("la coordination du réseau"),
    "network": later("l'édition pour tous les membres"),
}


def _look(look: Look, scope: Scope, words: Words) -> dict[str, Any]:
    member = scope.picture.registry.members.get(look.role.removeprefix("member:"))
    who = words.say(_ROLES[look.role]) if look.role in _ROLES else member.name if member else words.say("un membre")
    return {"at": look.at, "who": who[:1].upper() + who[1:], "what": look.what, "free": look.free}
