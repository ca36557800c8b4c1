"""``/connect/new``: what to type into a device, field by field; its login, shown once."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from bus import login_requests, logins
from bus.login_requests import MOST, MOST_OF_ALL, PATIENCE_S, Answer, Asked
from fleet.families import FAMILIES
from fleet.topics import SLUG
from gateway import sheets
from gateway.access import Audience, Scope
from gateway.catalog import later
from gateway.config import Door
from gateway.web import Page, page_of

router = APIRouter(include_in_schema=False)
_NAME: Final = later("des lettres minuscules sans accent, des chiffres et des traits d'union, comme cabine-1")
_EXISTS: Final = later("cet identifiant existe déjà : prenez un autre nom, ou retirez-le d'abord")
_DISK: Final = later("les fichiers du courtier ne peuvent pas être écrits : demandez à l'exploitant")
_MANY: Final = later("votre entreprise a déjà %(most)s identifiants : faites retirer ceux qui ne servent plus")
_FULL: Final = later(
    "le courtier a déjà %(all)s identifiants, cette page n'en crée pas davantage : demandez à l'exploitant"
)
_NOBODY: Final = later("le programme qui crée les identifiants ne répond pas : demandez à l'exploitant")
_FIRST: Final = "tasmota"
_LOOKS_EVERY_S: Final = 0.2
_REFUSED: Final[dict[str | None, tuple[str, int]]] = {
    "exists": (_EXISTS, 422),
    "many": (_MANY, 422),
    "full": (_FULL, 503),
    "refused": (_NAME, 422),
    "failed": (_DISK, 503),
    None: (_NOBODY, 503),
}


@router.get("/connect/new")
async def new(page: Annotated[Page, Depends(page_of)], member: str, family: str = _FIRST, device: str = "") -> Response:
    """The fields of one family, with the member's broker and topic; the password is not in it."""
    return _render(page, page.scope(Audience.OWNER, member), family, device.strip())


@router.post("/connect/new")
async def login(
    page: Annotated[Page, Depends(page_of)],
    member: Annotated[str, Form(max_length=80)],
    family: Annotated[str, Form(max_length=40)] = _FIRST,
    device: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """Make the device's login at the broker and show it, this once: it is kept nowhere."""
    scope, name = page.scope(Audience.OWNER, member), device.strip()
    scope.own_machines()  # hidden here, before a login of no member is made
    door = sheets.door_of(page.site.config, scope.picture.registry.network)
    if not (door.logins or door.requests) or not SLUG.fullmatch(name):
        error = "" if SLUG.fullmatch(name) else _NAME
        return _render(page, scope, family, name, error=error, status_code=422)
    said, password = await _made(door, member, name)
    if said != "made":
        error, status_code = _REFUSED[said]
        return _render(page, scope, family, name, error=error, status_code=status_code)
    return _render(page, scope, family, name, password=password)


async def _made(door: Door, member: str, device: str) -> tuple[Answer | None, str]:
    """Make the login, or ask for it: the answer, None when there is none, and the password."""
    try:
        if door.logins:
            _, password = await asyncio.to_thread(logins.add_device, door.logins, member, device, MOST)
            return "made", password
        if door.requests and login_requests.served(door.requests):
            return await _asked(await asyncio.to_thread(login_requests.ask, door.requests, member, device))
    except logins.TooManyLogins:
        return "many", ""
    except logins.LoginRefused:
        return "exists", ""
    except OSError:
        return "failed", ""
    return None, ""


async def _asked(asked: Asked) -> tuple[Answer | None, str]:
    """Wait for the answer; a request that nobody took up is withdrawn, so that no login is made for nobody."""
    waited = 0.0
    while (said := login_requests.answer(asked)) is None:
        if waited >= PATIENCE_S and (login_requests.withdraw(asked) or waited >= 2 * PATIENCE_S):
            break
        await asyncio.sleep(_LOOKS_EVERY_S)
        waited += _LOOKS_EVERY_S
    return said, asked.password


def _render(
    page: Page, scope: Scope, family: str, name: str, *, password: str = "", error: str = "", status_code: int = 200
) -> Response:
    scope.own_machines()  # hidden here unless there is such a member
    network = scope.picture.registry.network
    door = sheets.door_of(page.site.config, network)
    chosen = family if family in FAMILIES else _FIRST
    if name and not SLUG.fullmatch(name):
        error = error or _NAME
    context: dict[str, Any] = {
        "member": scope.picture.registry.members[scope.member],
        "families": sheets.families(page.words),
        "family": chosen,
        "family_name": page.words.say(sheets.NAMES[chosen]),
        "device": name,
        "error": page.words.say(error, **_limits(page)) if error else "",
        "door": sheets.told(door, page.words),
        "login": f"{scope.member}.{name}",
        "password": password,
        "sheet": sheets.rows(chosen, scope.member, name, door, page.words, password) if name and not error else None,
        "command": f"resilian device add {scope.member} {name or 'APPAREIL'} --family {chosen} --broker {door.address}",
    }
    return page.render("connect_new.html", status_code=status_code, **context)


def _limits(page: Page) -> dict[str, str]:
    return {"most": page.words.number(MOST), "all": page.words.number(MOST_OF_ALL)}
