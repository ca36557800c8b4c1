"""``/requests`` Besoins: what members look for, and which offers may serve it. For the coordinator alone."""

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from fleet.edit import EditRefused
from fleet.network import Trade
from fleet.trades import TRADES
from gateway import attributes, days
from gateway.access import Audience, Hidden, Scope
from gateway.catalog import later
from gateway.matching import Match, matches, unserved
from gateway.need import Need, is_open, new_id
from gateway.offers import OfferRow
from gateway.pages.rows import title, who
from gateway.places import Position, positions
from gateway.web import Page, page_of
from gateway.words import Words

router = APIRouter(include_in_schema=False)
_SHOWN: Final = 3
_CLOSED_SHOWN: Final = 5
_MOST_HOURS: Final = 2000
_NUMBER: Final = later("un nombre plus grand que zéro est attendu")
_TOO_MANY: Final = later("au plus 2000 heures")
_SIZE: Final = later("une à trois longueurs en mètres sont attendues, comme 6 x 3 x 2,5")
_DATE: Final = later("une date à venir est attendue")
_PLACE: Final = later("cette commune n'est celle d'aucun membre dont le lieu est connu")

Parsed = TypeVar("Parsed")
Text = Annotated[str, Form(max_length=200)]


@router.get("/requests")
async def requests(page: Annotated[Page, Depends(page_of)]) -> Response:
    """The open needs with the offers that may serve them, and the form for a new one."""
    scope = page.scope(Audience.COORDINATOR)
    offered = scope.offered()
    places = positions(scope.picture.registry)
    needs = sorted(scope.picture.needs.values(), key=lambda need: (need.before, need.created))
    found = [(need, matches(need, offered.values(), places.get(need.commune), page.words)) for need in needs]
    open_ = [(need, served) for need, served in found if need.closed is None]
    closed = sorted((need for need in needs if need.closed), key=lambda need: need.closed or need.created, reverse=True)
    shown = {match.offer.id for _, served in open_ for match in served[:_SHOWN]}
    page.looked(scope, [key for key, offer in offered.items() if offer.id in shown], "offer")
    counts = [len(served) for need, served in open_ if is_open(need, scope.today)]
    return page.render(
        "requests.html",
        open=[_card(need, served, scope, page.words) for need, served in open_],
        closed=[{"need": need, "text": in_words(need, page.words)} for need in closed[:_CLOSED_SHOWN]],
        counted=len(counts),
        unserved=unserved(counts),
        trades=_trades(page.words),
        communes=_communes(offered.values(), places, scope),
        home=scope.picture.registry.network.place.commune,
        today=scope.today,
        just_closed=page.request.query_params.get("closed", ""),
    )


@router.post("/requests")
async def add(
    page: Annotated[Page, Depends(page_of)],
    trade: Annotated[Trade, Form()],
    hours: Text,
    before: Text,
    size: Text = "",
    commune: Text = "",
    km: Text = "",
    note: Text = "",
) -> Response:
    """Write a need down.

    Raises:
        EditRefused: a field cannot be read; nothing is kept.
    """
    scope, words = page.scope(Audience.COORDINATOR), page.words
    asked = _read(words, "Heures de travail", hours, attributes.number, _NUMBER)
    if asked is None or asked > _MOST_HOURS:
        raise EditRefused(words.say("Heures de travail"), repr(hours), words.say(_TOO_MANY if asked else _NUMBER))
    latest = _read(words, "Au plus tard le", before, days.read, _DATE)
    if latest is None or latest < scope.today:
        raise EditRefused(words.say("Au plus tard le"), repr(before), words.say(_DATE))
    place = commune.strip()
    if place and place not in positions(scope.picture.registry):
        raise EditRefused(words.say("Commune"), repr(place), words.say(_PLACE))
    need = Need(
        id=new_id(),
        trade=trade,
        hours=asked,
        size=_read(words, "Dimensions utiles", size, attributes.size, _SIZE) or (),
        before=latest,
        commune=place,
        km=_read(words, "À moins de (km)", km, attributes.number, _NUMBER),
        note=note.strip(),
        created=page.now,
    )
    await page.site.picture.set_need(need)
    return RedirectResponse(f"/requests#need-{need.id}", 303)


@router.post("/requests/{need_id}/close")
async def close(page: Annotated[Page, Depends(page_of)], need_id: str) -> Response:
    """Close a need; it can be opened again."""
    need = _need(page, need_id)
    await page.site.picture.set_need(need.model_copy(update={"closed": page.now}))
    return RedirectResponse(f"/requests?closed={need.id}", 303)


@router.post("/requests/{need_id}/open")
async def reopen(page: Annotated[Page, Depends(page_of)], need_id: str) -> Response:
    """Open a closed need again."""
    need = _need(page, need_id)
    await page.site.picture.set_need(need.model_copy(update={"closed": None}))
    return RedirectResponse(f"/requests#need-{need.id}", 303)


def in_words(need: Need, words: Words) -> str:
    """``16 h, 6 × 3 m, au plus tard le vendredi 18 décembre, à moins de 40 km de Haguenau``."""
    parts = [words.unit(need.hours, "h", 1)]
    if need.size:
        parts.append(attributes.size_in_words(need.size, words))
    parts.append(words.say("au plus tard le %(day)s", day=words.date(need.before)))
    if need.km is not None and need.commune:
        km = words.unit(need.km, "km")
        parts.append(words.say("à moins de %(km)s de %(place)s", km=km, place=need.commune))
    elif need.commune:
        parts.append(words.say("pour %(place)s", place=need.commune))
    return ", ".join(parts)


def _need(page: Page, need_id: str) -> Need:
    page.scope(Audience.COORDINATOR)
    need = page.site.picture.needs.get(need_id)
    if need is None:
        raise Hidden(need_id)
    return need


def _card(need: Need, served: list[Match], scope: Scope, words: Words) -> dict[str, Any]:
    return {
        "need": need,
        "trade": words.trade(need.trade),
        "text": in_words(need, words),
        "late": not is_open(need, scope.today),
        "count": len(served),
        "matches": [_match(match, words) for match in served[:_SHOWN]],
        "more": len(served) - _SHOWN,
        "url": f"/?trade={need.trade.value}&all=1",
    }


def _match(match: Match, words: Words) -> dict[str, Any]:
    return {
        "id": match.offer.id,
        "title": title(match.offer, words),
        "who": who(match.offer, words),
        "commune": match.offer.commune,
        "km": words.unit(match.km, "km") if match.km is not None else "",
        "hours": words.unit(match.hours, "h") if match.hours is not None else "",
        "verify": ", ".join(match.verify),
    }


def _read(words: Words, field: str, text: str, parse: Callable[[str], Parsed], rule: str) -> Parsed | None:
    if not text.strip():
        return None
    try:
        return parse(text.strip())
    except (ValueError, OverflowError) as error:
        raise EditRefused(words.say(field), repr(text), words.say(rule)) from error


def _trades(words: Words) -> list[tuple[str, str]]:
    lent = [trade for trade, facts in TRADES.items() if facts.family is not None]
    return sorted(
        ((trade.value, words.trade(trade)) for trade in lent), key=lambda pair: (pair[0] == Trade.OTHER, pair[1])
    )


def _communes(offers: Any, places: dict[str, Position], scope: Scope) -> list[str]:
    """Suggestions: none but communes of offers that are shown, and the network's."""
    shown: list[OfferRow] = list(offers)
    names = {scope.picture.registry.network.place.commune, *(offer.commune for offer in shown)}
    return sorted(names & set(places))
