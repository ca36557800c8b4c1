"""``/`` Capacités: what is offered for the coming two weeks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import QueryParams

from fleet.network import Trade
from fleet.trades import FAMILY_NAMES, Family
from gateway.access import Audience, Scope
from gateway.catalog import later
from gateway.draw.bar import from_windows, in_words, window_bar
from gateway.offers import OfferRow
from gateway.picture import Progress, Status
from gateway.publish import FIRST_DAY, LAST_DAY
from gateway.web import Page, page_of
from gateway.words import Words

router = APIRouter(include_in_schema=False)
_BEST: Final = 3
_LENT_WEEKS: Final = 12
STATUS_WORDS: Final[dict[Status, str]] = {
    "to-call": later("à appeler"),
    "talking": later("en discussion"),
    "refused": later("refusée"),
    "reserved": later("réservée"),
    "done": later("réalisée"),
}


UNITS: Final = {"m": "m", "mm": "mm", "kg": "kg", "t": "t", "c": "°C", "kw": "kW", "nm": "N·m"}
YES: Final = later("oui")
NO: Final = later("non")
ATTRIBUTES: Final = {
    "length": later("longueur"),
    "width": later("largeur"),
    "height": later("hauteur"),
    "door": later("porte"),
    "mass": later("masse"),
    "crane": later("pont"),
    "certificates": later("certificats"),
    "paint": later("peinture"),
    "liquide": later("liquide"),
    "poudre": later("poudre"),
    "oven": later("étuve"),
    "atex": later("ATEX"),
    "axes": later("axes"),
    "taper": later("cône"),
    "bar": later("barre"),
    "power": later("puissance"),
    "steel": later("acier"),
    "tonnage": later("tonnage"),
    "temperature": later("température"),
    "atmosphere": later("atmosphère"),
    "air": later("air"),
    "azote": later("azote"),
    "vide": later("vide"),
    "torque": later("couple"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters as asked for; ``problems`` are sentences on values that could not be read and are left aside."""

    trade: str = ""
    place: str = ""
    hours: int | None = None
    first: date | None = None
    last: date | None = None
    problems: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether anything is filtered."""
        return any((self.trade, self.place, self.hours, self.first, self.last))


@router.get("/")
async def capacity(page: Annotated[Page, Depends(page_of)]) -> Response:
    """The offers this visitor may read of."""
    if page.visitor.audience is Audience.STARTUP:
        return page.render("startup.html", families=_families(page))
    if page.visitor.audience is Audience.OPERATOR:
        return RedirectResponse("/network", 303)
    scope = _scope(page)
    offers = scope.offers()
    wanted = read_wanted(page.request.query_params, page.words)
    matching = [offer for offer in offers if fits(offer, wanted, page.words)]
    first = scope.today + timedelta(days=FIRST_DAY)
    return page.render(
        "capacity.html",
        audience=scope.audience,
        sentence=sentence(offers, page.words),
        rows=[_row(offer, first, page.words) for offer in matching],
        edition=_edition(page, scope, first),
        total=page.words.number(len(offers)),
        wanted=wanted,
        trades=sorted({(offer.trade.value, page.words.trade(offer.trade)) for offer in offers}, key=lambda t: t[1]),
        places=sorted({offer.commune for offer in offers}),
        statuses=[(value, page.words.say(STATUS_WORDS[value])) for value in get_args(Status)],
        **_figures(scope, offers, page.words),
    )


@router.post("/offers/{offer_id}")
async def follow_up(
    page: Annotated[Page, Depends(page_of)],
    offer_id: str,
    status: Annotated[Status, Form()],
    next_action: Annotated[str, Form(max_length=200)] = "",
    last_contact: Annotated[str, Form(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = "",
) -> Response:
    """Keep how far the coordinator is with an offer."""
    scope = page.scope(Audience.COORDINATOR)
    progress = Progress(status=status, next_action=next_action.strip(), last_contact=last_contact)
    await page.site.picture.set_progress(scope.offer_key(offer_id), progress)
    return RedirectResponse(f"/#o-{offer_id}", 303)


def _scope(page: Page) -> Scope:
    """A member reads what others show it; the committee's edition is open to the coordinator."""
    if page.visitor.audience is Audience.OWNER:
        return page.scope(Audience.OWNER, page.visitor.member)
    if page.request.query_params.get("audience") == Audience.NETWORK:
        return page.scope(Audience.NETWORK)
    return page.scope(Audience.COORDINATOR)


def _edition(page: Page, scope: Scope, first: date) -> dict[str, Any] | None:
    """What a print of the page shows instead: the network's edition, made from the network's own scope."""
    if scope.audience is Audience.NETWORK:
        return None
    offers = Scope(Audience.NETWORK, "", scope.picture, scope.live).offers()
    return {"sentence": sentence(offers, page.words), "rows": [_row(offer, first, page.words) for offer in offers]}


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


def read_wanted(query: QueryParams, words: Words) -> Wanted:
    """The filters of the form; one that cannot be read is named and left aside."""
    problems: list[str] = []

    def read(name: str, parse: Any) -> Any:
        text = query.get(name, "").strip()
        if not text:
            return None
        try:
            return parse(text)
        except ValueError:
            problems.append(words.say("Filtre laissé de côté : « %(value)s » ne peut pas être lu.", value=text[:40]))
            return None

    hours = read("hours", lambda text: max(0, int(float(text.replace(",", ".")))))
    first, last = read("first", date.fromisoformat), read("last", date.fromisoformat)
    trade = read("trade", Trade)
    return Wanted(trade.value if trade else "", query.get("place", ""), hours, first, last, tuple(problems))


def fits(offer: OfferRow, wanted: Wanted, words: Words) -> bool:
    """Whether the offer answers the filters. Length and dates ask for one likely window; declared offers pass them."""
    if wanted.trade and offer.trade != wanted.trade:
        return False
    if wanted.place and offer.commune != wanted.place:
        return False
    if offer.kind == "declared" or not (wanted.hours or wanted.first or wanted.last):
        return True
    return any(
        window.hours >= (wanted.hours or 0)
        and (wanted.first is None or words.local(window.end).date() >= wanted.first)
        and (wanted.last is None or words.local(window.start).date() <= wanted.last)
        for window in offer.windows
    )


def _row(offer: OfferRow, first: date, words: Words) -> dict[str, Any]:
    halves = from_windows(offer.windows)
    best = sorted(halves, key=lambda half: (-half.chance, half.start))[:_BEST]
    caption = ""
    if offer.published:
        when = words.date(offer.published, "EEEE d MMMM")
        caption = words.say(
            "Demi-journées où un travail de %(hours)s tient, établies %(when)s à 6 h",
            hours=words.unit(offer.windows[0].hours if offer.windows else 0, "h"),
            when=when,
        )
    return {
        "offer": offer,
        "title": offer.machine or words.trade(offer.trade),
        "who": who(offer, words),
        "attributes": attributes(offer, words),
        "best": [in_words(half, words) for half in best],
        "bar": window_bar(halves, first, LAST_DAY - FIRST_DAY + 1, words) if halves else None,
        "caption": caption,
        "status": words.say(STATUS_WORDS[offer.progress.status]),
        "contact_day": words.date(date.fromisoformat(contact), "d MMMM")
        if (contact := offer.progress.last_contact)
        else "",
    }


def who(offer: OfferRow, words: Words) -> str:
    """The member, or whom to call, or "via le coordinateur"."""
    parts = [part for part in (offer.member, offer.contact) if part]
    if offer.machine and offer.machine.casefold() != words.trade(offer.trade).casefold():
        parts.insert(0, words.trade(offer.trade))
    return " · ".join(parts) if offer.member or offer.contact else words.say("via le coordinateur")


def attributes(offer: OfferRow, words: Words) -> str:
    """Attributes as name and value with its unit: ``longueur 1,2 m``."""
    return " · ".join(_attribute(name, value, words) for name, value in offer.attributes.items())


def _attribute(name: str, value: str | float | bool, words: Words) -> str:
    stem, _, suffix = name.rpartition("_")
    unit = UNITS.get(suffix) if stem else None
    label = stem if unit else name
    said = words.say(ATTRIBUTES[label]) if label in ATTRIBUTES else label.replace("_", " ")
    if isinstance(value, bool):
        return f"{said} {words.say(YES if value else NO)}"
    if isinstance(value, str):
        return f"{said} {words.say(ATTRIBUTES.get(value, value))}"
    return f"{said} {words.unit(value, unit, 2) if unit else words.number(value, 2)}"


def _families(page: Page) -> list[tuple[str, str]]:
    counts = page.scope(Audience.STARTUP).streamed_families()
    return [(FAMILY_NAMES[family][page.words.language], page.words.number(counts.get(family, 0))) for family in Family]


def _figures(scope: Scope, offers: Sequence[OfferRow], words: Words) -> dict[str, Any]:
    alive, total = scope.connected()
    return {
        "connected": words.say("%(n)s sur %(total)s", n=alive, total=total),
        "silent": words.number(scope.silent()),
        "lent": words.unit(scope.hours_lent(timedelta(weeks=_LENT_WEEKS)), "h"),
        "done": words.number(sum(offer.progress.status == "done" for offer in offers)),
        "reserved": words.number(sum(offer.progress.status == "reserved" for offer in offers)),
    }
