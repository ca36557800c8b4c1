"""The filters of the page of offers, the order of its rows, and what of an offer must still be verified."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple, TypeVar

from starlette.datastructures import QueryParams

from fleet.network import Trade
from gateway import attributes, days
from gateway.attributes import Size
from gateway.catalog import later
from gateway.offers import OfferRow
from gateway.places import Position, kilometres
from gateway.words import Words

PLACE: Final = later("distance")
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters as asked for; ``problems`` are sentences on values that could not be read and are left aside.

    Attributes:
        place: commune from which distances are told; empty for the network's own.
        km: the longest such distance.
        hours: length of one window.
        attribute, least: name of an attribute, and what it must reach or contain.
    """

    trade: str = ""
    place: str = ""
    km: float | None = None
    hours: int | None = None
    first: date | None = None
    last: date | None = None
    size: Size = ()
    attribute: str = ""
    least: str = ""
    problems: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.trade or self.km or self.hours or self.first or self.last or self.further)

    @property
    def further(self) -> bool:
        """Whether any of the rarer filters is set."""
        return bool(self.size or self.attribute)


class Fit(NamedTuple):
    """An offer that answers the filters: how far it is, and names of what is not known and must be verified."""

    offer: OfferRow
    km: float | None
    verify: tuple[str, ...]


def read_wanted(query: QueryParams, words: Words) -> Wanted:
    """The filters of the form; one that cannot be read is named and left aside."""
    problems: list[str] = []

    def read(name: str, parse: Callable[[str], Parsed]) -> Parsed | None:
        text = query.get(name, "").strip()
        if not text:
            return None
        try:
            return parse(text)
        except (ValueError, OverflowError):
            problems.append(words.say("Filtre laissé de côté : « %(value)s » ne peut pas être lu.", value=text[:40]))
            return None

    trade = read("trade", Trade)
    return Wanted(
        trade=trade.value if trade else "",
        place=query.get("place", "").strip()[:80],
        km=read("km", attributes.number),
        hours=read("hours", lambda text: round(attributes.number(text))),
        first=read("first", days.read),
        last=read("last", days.read),
        size=read("size", attributes.size) or (),
        attribute=query.get("attribute", "").strip()[:80],
        least=query.get("least", "").strip()[:80],
        problems=tuple(problems),
    )


def fit(offer: OfferRow, wanted: Wanted, origin: Position | None, words: Words) -> Fit | None:
    """The offer with its distance from ``origin`` when it answers the filters, else None.

    Length and dates ask for one likely window; declared offers pass them. What is not known passes, and is named.
    """
    if wanted.trade and offer.trade != wanted.trade:
        return None
    km = kilometres(origin, offer.position)
    if wanted.km and km is not None and km > wanted.km:
        return None
    if not _timely(offer, wanted, words):
        return None
    asked: list[tuple[bool | None, str]] = [(None if wanted.km and km is None else True, words.say(PLACE))]
    if wanted.size:
        asked.append((attributes.takes(offer.attributes, wanted.size), attributes.name_of("size", words)))
    if wanted.attribute:
        answer = attributes.answers(offer.attributes, offer.trade, wanted.attribute, wanted.least, words)
        asked.append((answer, attributes.name_of(wanted.attribute, words)))
    if any(answer is False for answer, _ in asked):
        return None
    return Fit(offer, km, tuple(name for answer, name in asked if answer is None))


def surest(fits: Sequence[Fit]) -> list[Fit]:
    """Most sure hours first: by hours at 9 in 10, then at 8 in 10, then at 2 in 3; equal ones by distance."""

    def key(one: Fit) -> tuple[Any, ...]:
        hours = [-sum(w.hours for w in one.offer.windows if w.chance == chance) for chance in (9, 8, 6)]
        declared = one.offer.hours or 0 if one.offer.kind == "declared" else 0
        return (
            *hours,
            -declared,
            one.km if one.km is not None else 1e9,
            one.offer.trade,
            one.offer.commune,
            one.offer.id,
        )

    return sorted(fits, key=key)


def _timely(offer: OfferRow, wanted: Wanted, words: Words) -> bool:
    if offer.kind == "declared" or not (wanted.hours or wanted.first or wanted.last):
        return True
    return any(
        window.hours >= (wanted.hours or 0)
        and (wanted.first is None or words.local(window.end).date() >= wanted.first)
        and (wanted.last is None or words.local(window.start).date() <= wanted.last)
        for window in offer.windows
    )
