"""``/machines/<member>/<machine>``: everything an owner may know of one machine."""

from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from fleet import calendars
from fleet.batch import MachineKey
from fleet.records import Outlook
from gateway import devices, refusals, troubles, untold
from gateway.access import Audience, Hidden, OwnMachine, Scope
from gateway.basis import basis_in_words
from gateway.calendar_words import calendar_lines
from gateway.catalog import later
from gateway.draw.bar import Half, in_words, window_bar
from gateway.draw.grid import week_grid
from gateway.expected import expected
from gateway.looked import Look
from gateway.pages import calibration, energy, machine_findings
from gateway.pages.machine_past import DAY_S, basis_of, day_rows, draw, read_past, week_rows
from gateway.present import present, too_little
from gateway.publish import halves
from gateway.web import Page, page_of
from gateway.words import Words, states_of

router = APIRouter(include_in_schema=False)
_OWNER_DAYS: Final = 14
_BEST: Final = 5


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
    codes = states_of(basis_of(own), {run.state for run in runs})
    refused = refusals.refused_now(member, own.machine, scope.live.rejects.get(member), heard, own.present.last)
    page.looked(scope, [own.key], "machine")
    return page.render(
        "machine.html",
        own=own,
        id=f"{member}.{machine}",
        past=past,
        day=draw(past, "24h", own, words),
        week=draw(past, "7d", own, words),
        day_rows=day_rows(runs, past.now - DAY_S, basis_of(own), words),
        week_rows=week_rows(runs, past.now, codes, words),
        codes=codes,
        basis=basis_of(own),
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
        consents=_consents(own, scope),
        looks=[_look(look, scope, words) for look in page.site.looks.of(own.key)],
        marks=calibration.shown(own, heard, page),
        calendar=calendar_lines(scope.picture.registry.calendar(own.key), words),
        rests_on=basis_in_words(own.outlook, own.machine, words),
        untold=untold.told(own.outlook.untold if own.outlook else "", words),
        **_windows(own.outlook, scope, words),
        **machine_findings.told(own, words),
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


def _with_present(own: OwnMachine, now: Any) -> OwnMachine:
    return OwnMachine(own.member, own.machine, own.key, own.outlook, own.findings, now)


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
