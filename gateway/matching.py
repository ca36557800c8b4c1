"""Which offers may serve a need."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway import attributes
from gateway.filters import PLACE
from gateway.need import Need
from gateway.offers import OfferRow
from gateway.places import Position, kilometres
from gateway.words import Words


class Match(NamedTuple):
    """An offer that may serve a need: its likely hours until the date (None: declared), distance, what to verify."""

    offer: OfferRow
    hours: float | None
    km: float | None
    verify: tuple[str, ...]


def matches(need: Need, offers: Iterable[OfferRow], origin: Position | None, words: Words) -> list[Match]:
    """The offers that may serve the need: nothing to verify first, then most likely hours, then nearest.

    Trade, hours until the date, distance and size are hard; what is not known of an offer is to be verified.
    """
    found = [match for offer in offers if (match := _match(need, offer, origin, words)) is not None]
    return sorted(found, key=lambda m: (len(m.verify), -(m.hours or 0), m.km if m.km is not None else 1e9, m.offer.id))


def unserved(counts: Sequence[int]) -> int:
    """How many needs have no offer at all, by the number of offers of each."""
    return sum(count == 0 for count in counts)


def _match(need: Need, offer: OfferRow, origin: Position | None, words: Words) -> Match | None:
    if offer.trade != need.trade or offer.progress.status == "refused":
        return None
    km = kilometres(origin, offer.position)
    if need.km is not None and km is not None and km > need.km:
        return None
    fits = attributes.takes(offer.attributes, need.size) if need.size else True
    if fits is False:
        return None
    verify = []
    hours = None
    if offer.kind == "declared":
        verify.append(words.say("créneau"))
    else:
        hours = sum(window.hours for window in offer.windows if words.local(window.end).date() <= need.before)
        if hours < need.hours:
            return None
    if fits is None:
        verify.append(attributes.name_of("size", words))
    if need.km is not None and km is None:
        verify.append(words.say(PLACE))
    return Match(offer, hours, km, tuple(verify))
