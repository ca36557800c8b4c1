"""``/`` Capacités: what is offered for the coming two weeks."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from fleet.batch import MachineKey
from fleet.trades import FAMILY_NAMES, Family
from gateway import attributes, counts, days
from gateway.access import Audience, Scope
from gateway.filters import Fit, Wanted, fit, read_wanted, surest
from gateway.matching import matches, unserved
from gateway.need import is_open
from gateway.offers import OfferRow, promises, without_progress
from gateway.pages.rows import STATUS_WORDS, rows
from gateway.picture import Progress, Status
from gateway.places import Position, positions
from gateway.publish import FIRST_DAY, publishing_day
from gateway.web import Page, page_of
from gateway.words import NOTHING, Words

router = APIRouter(include_in_schema=False)
_LENT_WEEKS: Final = 12
_AT_ONCE: Final = 20
_DAY: Final = r"^(\d{4}-\d{2}-\d{2})?$"


@router.get("/")
async def capacity(page: Annotated[Page, Depends(page_of)]) -> Response:
    """The offers this visitor may read of."""
    if page.visitor.audience is Audience.STARTUP:
        return page.render("startup.html", families=_families(page))
    if page.visitor.audience is Audience.OPERATOR:
        return RedirectResponse("/network", 303)
    scope = page.offers_scope()
    offered = scope.offered()
    offers = list(offered.values())
    wanted = read_wanted(page.request.query_params, page.words)
    places = positions(scope.picture.registry)
    communes = _communes(scope, offers, places)
    origin = wanted.place if wanted.place in communes else _home(scope)
    listed = offers if scope.audience is Audience.COORDINATOR else [without_progress(offer) for offer in offers]
    fits = surest([found for offer in listed if (found := fit(offer, wanted, places.get(origin), page.words))])
    shown, more, bare = _parted(fits, everything=page.request.query_params.get("all") == "1")
    first = publishing_day(page.now, scope.picture.zone) + timedelta(days=FIRST_DAY)
    page.looked(scope, _keys(offered, [*shown, *bare]), "offer")
    return page.render(
        "capacity.html",
        audience=scope.audience,
        sentence=sentence(offers, page.words),
        rows=rows(shown, first, page.words),
        bare=rows(bare, first, page.words),
        found=len(fits),
        more=more,
        more_url=_everything(page),
        published=max((offer.published for offer in offers if offer.published), default=None),
        edition=_edition(page, scope, first, places.get(_home(scope))),
        total=page.words.number(len(offers)),
        wanted=wanted,
        origin=origin,
        trades=sorted({(offer.trade.value, page.words.trade(offer.trade)) for offer in offers}, key=lambda t: t[1]),
        places=communes,
        features=_features(offers, page.words),
        size=attributes.size_in_words(wanted.size, page.words) if wanted.size else "",
        statuses=[(value, page.words.say(STATUS_WORDS[value])) for value in get_args(Status)],
        figures=_figures(scope, offers, places, page.words),
    )


@router.post("/offers/{offer_id}")
async def follow_up(
    page: Annotated[Page, Depends(page_of)],
    offer_id: str,
    status: Annotated[Status, Form()],
    next_action: Annotated[str, Form(max_length=200)] = "",
    last_contact: Annotated[str, Form(pattern=_DAY)] = "",
    job_day: Annotated[str, Form(pattern=_DAY)] = "",
) -> Response:
    """Keep how far the coordinator is with an offer."""
    scope = page.scope(Audience.COORDINATOR)
    progress = Progress(
        status=status,
        next_action=next_action.strip(),
        last_contact=_a_day(last_contact),
        job_day=_a_day(job_day),
    )
    await page.site.picture.set_progress(scope.offer_key(offer_id), progress)
    return RedirectResponse(f"/#o-{offer_id}", 303)


def sentence(offers: Sequence[OfferRow], words: Words) -> str:
    """How many offers for the next two weeks, how many hours, what is new since last Monday."""
    if not offers:
        return words.say("Aucune offre pour les deux semaines qui viennent.")
    hours = sum(offer.hours or 0 for offer in offers)
    new = sum(offer.new for offer in offers)
    text = words.count(
        "%(num)s offre pour les deux semaines qui viennent, jusqu'à %(hours)s",
        "%(num)s offres pour les deux semaines qui viennent, jusqu'à %(hours)s",
        len(offers),
        hours=words.unit(hours, "h"),
    )
    if not new:
        return text + words.say(" ; rien de nouveau depuis lundi.")
    return text + words.count(" ; %(num)s nouvelle depuis lundi.", " ; %(num)s nouvelles depuis lundi.", new)


def _parted(fits: Sequence[Fit], *, everything: bool) -> tuple[list[Fit], int, list[Fit]]:
    """What is shown at once, how many more there are, and those without a window that is sure enough.

    What the coordinator has begun to follow up is always shown.
    """
    bare = [one for one in fits if _is_bare(one.offer)]
    full = [one for one in fits if not _is_bare(one.offer)]
    if everything:
        return full, 0, bare
    shown = [one for place, one in enumerate(full) if place < _AT_ONCE or one.offer.progress.status != "to-call"]
    return shown, len(full) - len(shown), bare


def _everything(page: Page) -> str:
    asked = [(name, value) for name, value in page.request.query_params.multi_items() if name != "all"]
    return f"/?{urlencode([*asked, ('all', '1')])}#offers-title"


def _is_bare(offer: OfferRow) -> bool:
    return offer.kind == "measured" and not offer.windows and offer.progress.status == "to-call"


def _keys(offered: Mapping[MachineKey, OfferRow], shown: Sequence[Fit]) -> list[MachineKey]:
    ids = {one.offer.id for one in shown}
    return [key for key, offer in offered.items() if offer.id in ids]


def _home(scope: Scope) -> str:
    """The commune from which distances are told when none is chosen: the reader's own, else the network's."""
    member = scope.picture.registry.members.get(scope.member)
    return (member or scope.picture.registry.network).place.commune


def _communes(scope: Scope, offers: Sequence[OfferRow], places: Mapping[str, Position]) -> list[str]:
    """Communes to choose from: none but those of offers that are shown, and the reader's own."""
    return sorted({name for name in (_home(scope), *(offer.commune for offer in offers)) if name in places})


def _features(offers: Sequence[OfferRow], words: Words) -> list[tuple[str, str]]:
    names = {name for offer in offers for name in offer.attributes}
    return sorted(((name, attributes.label_of(name, words)) for name in names), key=lambda pair: pair[1])


def _edition(page: Page, scope: Scope, first: date, origin: Position | None) -> dict[str, Any] | None:
    """What a print of the page shows instead: the network's edition, made from the network's own scope."""
    if scope.audience is Audience.NETWORK:
        return None
    network = Scope(Audience.NETWORK, "", scope.picture, scope.live)
    offers = network.offers()
    fits = [found for offer in offers if (found := fit(without_progress(offer), Wanted(), origin, page.words))]
    return {
        "sentence": sentence(offers, page.words),
        "rows": rows(surest(fits), first, page.words),
        "figures": _figures(network, offers, {}, page.words),
    }


def _families(page: Page) -> list[tuple[str, str]]:
    told = counts.streamed_families(page.scope(Audience.STARTUP))
    return [(FAMILY_NAMES[family][page.words.language], page.words.number(told.get(family, 0))) for family in Family]


def _figures(scope: Scope, offers: Sequence[OfferRow], places: Mapping[str, Position], words: Words) -> dict[str, Any]:
    """The figures that this audience may read; None is left out."""
    alive, total = counts.connected_today(scope)
    silent, said = counts.silent_today(scope), promises(offers, scope.today)
    lent = counts.hours_lent(scope, timedelta(weeks=_LENT_WEEKS))
    figures: dict[str, str | None] = {
        "connected": words.say("%(n)s sur %(total)s", n=alive, total=total),
        "silent": words.number(silent) if silent is not None else None,
        "lent": words.unit(lent, "h") if scope.audience is not Audience.OWNER else None,
        "kept": words.say("%(n)s sur %(total)s", n=said.kept, total=said.due) if said.due else NOTHING,
        "reserved": words.number(sum(offer.progress.status == "reserved" for offer in offers)),
        "unserved": None,
    }
    if scope.audience is Audience.COORDINATOR:
        open_needs = [need for need in scope.picture.needs.values() if is_open(need, scope.today)]
        served = [len(matches(need, offers, places.get(need.commune), words)) for need in open_needs]
        figures["unserved"] = words.number(unserved(served)) if served else NOTHING
        figures["needs"] = words.number(len(served))
    return figures


def _a_day(text: str) -> str:
    """The ISO date, or nothing for what is no day of the calendar."""
    try:
        return days.read(text).isoformat() if text else ""
    except ValueError:
        return ""
