"""``/connect``: devices that speak but belong to no machine, claimed in one form; and what was claimed, live."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from fleet import claim
from fleet.batch import MachineKey
from fleet.edit import EditRefused
from fleet.network import Member, Trade
from gateway import attributes, collectors, devices, refusals, sheets, troubles
from gateway.access import Audience, Hidden, OwnMachine, Scope
from gateway.catalog import later
from gateway.devices import Group
from gateway.expected import expected
from gateway.pages import calibration
from gateway.pages.home import change
from gateway.web import Page, page_of

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=600)]
_LONGEST_NAME: Final = 200
_MOST_KW: Final = 100_000.0
_EXPECTED_SHOWN: Final = 10
_GONE: Final = later("cet appareil n'attend plus : il appartient déjà à une machine, ou son membre l'a retiré")
_NO_NAME: Final = later("donnez un nom à la machine, comme on l'appelle à l'atelier")
_SAME_NAME: Final = later("vous avez déjà une machine de ce nom ; un autre est proposé ici : gardez-le ou changez-le")
_LONG_NAME: Final = later("200 caractères au plus")
_NO_LETTER: Final = later("il faut au moins une lettre ou un chiffre")
_NO_TRADE: Final = later("choisissez un métier de la liste")
_NO_FORMAT: Final = later("choisissez un format de la liste")
_NO_RATED: Final = later("un nombre de kilowatts au-dessus de zéro, comme 45 ou 7,5 ; ou rien")


@dataclass(frozen=True)
class Asked:
    """What the form said, as it was typed; and what is wrong with it, by field."""

    topic: str = ""
    name: str = ""
    trade: str = ""
    format: str = ""
    channel: str = ""
    rated_kw: str = ""
    unit: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@router.get("/connect")
async def connect(page: Annotated[Page, Depends(page_of)], member: str = "", claimed: str = "") -> Response:
    """The member's devices without a machine; ``claimed`` is a machine that has just got its device."""
    if not member and page.visitor.audience is Audience.OWNER:
        member = page.visitor.member
    if not member:
        if page.visitor.audience is not None:
            raise Hidden("connect")
        return page.render("connect_choose.html", choices=_choices(page))
    return _render(page, page.scope(Audience.OWNER, member), claimed=claimed)


@router.get("/connect/devices")
async def fragment(page: Annotated[Page, Depends(page_of)], member: str) -> Response:
    """The list of devices alone, for the page that is open to renew itself."""
    scope = page.scope(Audience.OWNER, member)
    groups, _ = devices.waiting(scope)
    return page.render("connect_devices.html", **_devices(page, scope, groups, Asked()))


@router.get("/connect/machine")
async def claimed_fragment(page: Annotated[Page, Depends(page_of)], member: str, machine: str) -> Response:
    """What was claimed alone, for the page that waits for its first reading."""
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    return page.render("connect_claimed.html", **_claimed(page, scope, own))


@router.post("/connect/claim")
async def claim_device(
    page: Annotated[Page, Depends(page_of)],
    member: Text,
    topic: Text,
    name: Text = "",
    trade: Text = "",
    wire_format: Annotated[str, Form(alias="format", max_length=600)] = "",
    channel: Text = "",
    rated_kw: Text = "",
    unit: Text = "W",
) -> Response:
    """Make a machine of the device; what is wrong stands beside its field, and nothing is written then."""
    scope = page.scope(Audience.OWNER, member)
    groups, _ = devices.waiting(scope)
    asked = Asked(topic, name.strip(), trade, wire_format, channel, rated_kw.strip(), unit)
    group = next((group for group in groups if group.device.topic == topic), None)
    known = scope.picture.registry.members[member]
    errors = {"topic": _GONE} if group is None else _wrong(page, groups, asked, known)
    if errors.get("name") == _SAME_NAME:
        asked = replace(asked, name=claim.other_name(known.machines, asked.name))
    if group is not None and not errors:
        fields = _fields(known, group, asked)
        try:
            await change(page.site, lambda: claim.claim(page.site.config.fleet_dir, member, fields))
        except EditRefused as error:
            errors = {_field_of(error): error.rule}
        else:
            page.site.claimed[MachineKey(member, fields["id"])] = group.device
            return RedirectResponse(f"/connect?member={member}&claimed={fields['id']}#claimed", 303)
    told = {name: page.words.say(rule) for name, rule in errors.items()}
    return _render(page, scope, asked=replace(asked, errors=told), status_code=422)


def _wrong(page: Page, groups: list[Group], asked: Asked, member: Member) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not asked.name:
        errors["name"] = _NO_NAME
    elif len(asked.name) > _LONGEST_NAME:
        errors["name"] = _LONG_NAME
    elif not any(letter.isalnum() and letter.isascii() for letter in asked.name):
        errors["name"] = _NO_LETTER
    elif claim.named(member.machines, asked.name) is not None:
        errors["name"] = _SAME_NAME
    if asked.trade not in list(Trade):
        errors["trade"] = _NO_TRADE
    if asked.format not in dict(_formats(page, groups)):
        errors["format"] = _NO_FORMAT
    if asked.rated_kw and _kilowatts(asked.rated_kw) is None:
        errors["rated_kw"] = _NO_RATED
    return errors


def _fields(member: Member, group: Group, asked: Asked) -> dict[str, Any]:
    guess = group.guess
    channel = asked.channel or (guess.channel if guess and guess.format == asked.format else None)
    rated = _kilowatts(asked.rated_kw) if asked.rated_kw else None
    given = {
        "trade": asked.trade,
        "rated_w": rated and rated * 1000,
        "scale_w": 1000.0 if asked.unit == "kW" else None,
        "channel": channel or None,
    }
    return claim.proposed_fields(member, group.proposal(asked.format, channel), asked.name, given)


def _kilowatts(text: str) -> float | None:
    try:
        value = attributes.number(text)
    except ValueError:
        return None
    return value if 0 < value <= _MOST_KW else None


def _field_of(error: EditRefused) -> str:
    last = error.field.rpartition(".")[2].partition("[")[0]
    return {"rated_w": "rated_kw", "id": "name"}.get(last, last if last in ("name", "trade", "format") else "topic")


def _render(
    page: Page, scope: Scope, *, claimed: str = "", asked: Asked | None = None, status_code: int = 200
) -> Response:
    groups, folded = devices.waiting(scope)
    machines = [own for own in scope.own_machines() if own.machine.feeds or own.present.last is not None]
    just = next((own for own in machines if own.machine.id == claimed), None)
    return page.render(
        "connect.html",
        status_code=status_code,
        folded=folded,
        connected=[_connected(own) for own in machines],
        released=bool(page.request.query_params.get("released")),
        families=sheets.families(page.words),
        door=sheets.told(sheets.door_of(page.site.config, scope.picture.registry.network), page.words),
        **(_claimed(page, scope, just) if just else {"just": None}),
        **_devices(page, scope, groups, asked or Asked()),
    )


def _claimed(page: Page, scope: Scope, own: OwnMachine) -> dict[str, Any]:
    """A machine that has just got its device, and its marks."""
    marks = calibration.shown(own, scope.live.machines.get(own.key), page)
    return {"just": _just(page, scope, own), "marks": marks, "own": own}


def _devices(page: Page, scope: Scope, groups: list[Group], asked: Asked) -> dict[str, Any]:
    return {
        "member": scope.picture.registry.members[scope.member],
        "cards": [{**devices.card(group, page.now, page.words), "form": _form(group, asked)} for group in groups],
        "expected": expected(_without_device(page, scope), groups)[:_EXPECTED_SHOWN],
        "trades": sorted(
            ((trade.value, page.words.trade(trade)) for trade in Trade), key=lambda pair: page.words.order(pair[1])
        ),
        "formats": _formats(page, groups),
        "asked": asked,
    }


def _without_device(page: Page, scope: Scope) -> list[OwnMachine]:
    """The member's machines but for those made of a device that spoke: theirs is the right topic."""
    return [own for own in scope.own_machines() if own.key not in page.site.claimed]


def _form(group: Group, asked: Asked) -> dict[str, Any]:
    """What stands in the form: what was typed, else what was guessed."""
    guess = group.guess
    mine = asked if asked.topic == group.device.topic else Asked()
    return {
        "name": mine.name,
        "trade": mine.trade or group.trade.trade.value,
        "format": mine.format or (guess.format if guess else ""),
        "channel": mine.channel or (guess.channel if guess else "") or "",
        "channels": guess.channels if guess else [],
        "rated_kw": mine.rated_kw,
        "unit": mine.unit or "W",
        "errors": mine.errors,
        "first_error": next((name for name in ("name", "trade", "format", "rated_kw") if name in mine.errors), ""),
    }


def _formats(page: Page, groups: list[Group]) -> list[tuple[str, str]]:
    return devices.known_formats(collectors.formats(page.site.live), groups, page.words)


def _just(page: Page, scope: Scope, own: OwnMachine) -> dict[str, Any]:
    heard = scope.live.machines.get(own.key)
    refused = refusals.refused_now(
        scope.member, own.machine, scope.live.rejects.get(scope.member), heard, own.present.last
    )
    return {
        "own": own,
        "id": f"{own.key.member}.{own.key.machine}",
        "power_w": heard.power_w if heard else None,
        "refused": refusals.told(refused, page.words) if refused else None,
        "arriving": own.present.arriving,
        "slow": troubles.slow_clock(own.machine, heard, page.now, page.words),
        "before": page.site.claimed.get(own.key),
        "power": troubles.own_power(own.machine, heard.highest_w if heard else None, page.words),
        "seen": any(entry.machine == own.machine.id and entry.level != "none" for entry in own.member.consents),
    }


def _connected(own: OwnMachine) -> dict[str, Any]:
    return {
        "own": own,
        "id": f"{own.key.member}.{own.key.machine}",
        "topics": [feed.topic for feed in own.machine.feeds],
        "shared": own.machine.offer is not None or any(c.machine == own.machine.id for c in own.member.consents),
    }


def _choices(page: Page) -> list[dict[str, Any]]:
    """The members, those with devices that wait first."""
    picture, live = page.site.picture, page.site.live
    found = []
    for slug, member in picture.registry.members.items():
        groups, _ = devices.waiting(Scope(Audience.OWNER, slug, picture, live))
        found.append({"slug": slug, "member": member, "waiting": len(groups)})
    return sorted(found, key=lambda one: -one["waiting"])
