"""``/connect/new``: what to type into a device, field by field; its login, shown once."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from bus import logins
from fleet.families import FAMILIES
from fleet.topics import SLUG
from gateway import sheets
from gateway.access import Audience, Scope
from gateway.catalog import later
from gateway.web import Page, page_of

router = APIRouter(include_in_schema=False)
_NAME: Final = later("des lettres minuscules sans accent, des chiffres et des traits d'union, comme cabine-1")
_EXISTS: Final = later("cet identifiant existe déjà : prenez un autre nom, ou retirez-le d'abord")
_DISK: Final = later("les fichiers du courtier ne peuvent pas être écrits : demandez à l'exploitant")
_MANY: Final = later("votre entreprise a déjà deux cents identifiants : faites retirer ceux qui ne servent plus")
_FIRST: Final = "tasmota"
MOST: Final = 200
"""Logins of one member that this page makes: whoever reaches it cannot fill the broker's files."""


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
    folder = sheets.door_of(page.site.config, scope.picture.registry.network).logins
    if folder is None or not SLUG.fullmatch(name):
        return _render(page, scope, family, name, error=_NAME if folder else "", status_code=422)
    try:
        _, password = await asyncio.to_thread(logins.add_device, folder, member, name, MOST)
    except logins.TooManyLogins:
        return _render(page, scope, family, name, error=_MANY, status_code=422)
    except logins.LoginRefused:
        return _render(page, scope, family, name, error=_EXISTS, status_code=422)
    except OSError:
        return _render(page, scope, family, name, error=_DISK, status_code=503)
    return _render(page, scope, family, name, password=password)


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
        "error": page.words.say(error) if error else "",
        "door": sheets.told(door, page.words),
        "login": f"{scope.member}.{name}",
        "password": password,
        "sheet": sheets.rows(chosen, scope.member, name, door, page.words, password) if name and not error else None,
        "command": f"resilian device add {scope.member} {name or 'APPAREIL'} --family {chosen} --broker {door.address}",
    }
    return page.render("connect_new.html", status_code=status_code, **context)
