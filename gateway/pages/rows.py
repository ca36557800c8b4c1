"""An offer as one row of a page."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

from gateway import attributes
from gateway.catalog import french, later
from gateway.draw.bar import from_windows, in_words, window_bar
from gateway.filters import Fit
from gateway.offers import OfferRow
from gateway.picture import Status
from gateway.publish import FIRST_DAY, LAST_DAY
from gateway.words import Words

_BEST: Final = 3
STATUS_WORDS: Final[dict[Status, str]] = {
    "to-call": later("à appeler"),
    "talking": later("en discussion"),
    "refused": later("refusée"),
    "reserved": later("réservée"),
    "done": later("réalisée"),
}


def rows(fits: Iterable[Fit], first: date, words: Words) -> list[dict[str, Any]]:
    """What the page shows of these offers; ``first`` is the first day of the bars of what was not published yet."""
    return [_row(fit, first, words) for fit in fits]


def who(offer: OfferRow, words: Words) -> str:
    """The member, or whom to call, or "via le coordinateur"."""
    parts = [part for part in (offer.member, offer.contact) if part]
    if offer.machine and french(offer.machine).casefold() != words.trade(offer.trade).casefold():
        parts.insert(0, words.trade(offer.trade))
    return " · ".join(parts) if offer.member or offer.contact else words.say("via le coordinateur")


def title(offer: OfferRow, words: Words) -> str:
    """The machine's name where it may be shown, else its trade."""
    return offer.machine or words.trade(offer.trade)


def day(iso: str, words: Words) -> str:
    """An ISO date as ``3 mars``; nothing for nothing."""
    return words.date(date.fromisoformat(iso), "d MMMM") if iso else ""


def _row(fit: Fit, first: date, words: Words) -> dict[str, Any]:
    offer = fit.offer
    halves = from_windows(offer.windows)
    if offer.published is not None:  # its own day: between midnight and 06:00, yesterday's still holds
        first = offer.published + timedelta(days=FIRST_DAY)
    best = sorted(halves, key=lambda half: (-half.chance, half.start))[:_BEST]
    return {
        "offer": offer,
        "title": title(offer, words),
        "who": who(offer, words),
        "km": words.unit(fit.km, "km") if fit.km is not None else "",
        "verify": ", ".join(fit.verify),
        "attributes": attributes.in_words(offer.attributes, words),
        "best": [in_words(half, words, near=True) for half in best],
        "bar": window_bar(halves, first, LAST_DAY - FIRST_DAY + 1, words) if halves else None,
        "hours": _hours(offer, words),
        "status": words.say(STATUS_WORDS[offer.progress.status]),
        "contact_day": day(offer.progress.last_contact, words),
        "job_day": day(offer.progress.job_day, words),
    }


def _hours(offer: OfferRow, words: Words) -> str:
    if offer.hours is None:
        return ""
    hours = words.unit(offer.hours, "h")
    if offer.windows:
        job = words.unit(offer.windows[0].hours, "h")
        return words.say("%(hours)s en deux semaines, par travaux de %(job)s", hours=hours, job=job)
    return words.say("%(hours)s en deux semaines", hours=hours)
