"""One offer as its readers see it: everything in here may be shown to the audience it was made for."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from fleet.batch import MachineKey
from fleet.consent import View
from fleet.network import Machine, Member, Mode, Offer, Trade
from fleet.records import Outlook
from gateway.picture import Picture, Progress
from gateway.places import Position
from gateway.publish import Window

STEP: Final = 0.05
_WEEKS: Final = 2
_MONDAY_AT: Final = time(6)
_LONGEST_HISTORY: Final = 12
_ENOUGH_WEEKS: Final = 9
"""From so many weeks on, the lowest one is undercut by 1 week in 10 at most."""


@dataclass(frozen=True, slots=True)
class Week:
    """One complete week at level ``hours``: utilisation in steps of 5 points, with coverage."""

    monday: date
    utilisation: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One offer.

    Attributes:
        id: opaque; tells nothing of the member.
        member, machine: names, only at level ``hours``; else None.
        contact: whom to call; None is "via le coordinateur".
        kind: *declared* (typed, no probability) or *measured*.
        windows: half-days that are likely free, from D+2 to D+14; empty for a declared offer.
        hours: in the coming two weeks.
        weeks, at_least: level ``hours`` alone; ``at_least`` is (hours a week, n, N).
        position: of the commune, no finer; None when it is not known.
    """

    id: str
    trade: Trade
    commune: str
    mode: Mode
    kind: Literal["declared", "measured"]
    member: str | None
    machine: str | None
    contact: str | None
    note: str | None
    attributes: dict[str, str | float | bool]
    windows: tuple[Window, ...]
    hours: float | None
    since: date
    new: bool
    progress: Progress
    weeks: tuple[Week, ...] = ()
    at_least: tuple[float, int, int] | None = None
    published: date | None = None
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Promises:
    """What became of reservations: ``due`` were to take place before today, ``kept`` of them did.

    ``undated`` are reserved without a day, and so neither.
    """

    kept: int
    due: int
    undated: int


def offer_row(
    member: Member,
    machine: Machine,
    key: MachineKey,
    view: View,
    picture: Picture,
    opaque_id: str,
    monday: date,
    position: Position | None = None,
) -> OfferRow:
    """The row for a reader with that view; ``view.windows`` must be true and the machine have an offer."""
    offer = machine.offer or Offer()
    published = picture.published.get(key) if view.probability else None
    windows = published.windows if published else ()
    since = offer.since or (published.since if published else monday)
    named = view.identity == "name"
    weeks, at_least = _hours(picture.outlooks.get(key), view, picture) if view.hours else ((), None)
    return OfferRow(
        id=opaque_id,
        trade=machine.trade,
        commune=member.place.commune,
        mode=offer.mode,
        kind=offer.kind,
        member=member.name if named else None,
        machine=machine.name if named else None,
        contact=offer.contact,
        note=offer.note,
        attributes=machine.attributes,
        windows=windows,
        hours=_two_weeks(offer, windows),
        since=since,
        new=since >= monday,
        progress=picture.progress.get(key, Progress()),
        weeks=weeks,
        at_least=at_least,
        published=published.day if published else None,
        position=position,
    )


def without_progress(row: OfferRow) -> OfferRow:
    """The offer as others than the coordinator read it: how far it is with a member is the two parties' own."""
    return replace(row, progress=Progress())


def promises(offers: Iterable[OfferRow], today: date) -> Promises:
    """By the newest word on each offer: a done one has taken place, a reserved one is due once its day has passed."""
    kept = due = undated = 0
    for offer in offers:
        said = offer.progress
        if said.status == "done":
            kept, due = kept + 1, due + 1
        elif said.status == "reserved":
            undated += not said.job_day
            due += bool(said.job_day) and date.fromisoformat(said.job_day) < today
    return Promises(kept, due, undated)


def _two_weeks(offer: Offer, windows: tuple[Window, ...]) -> float | None:
    """Declared: as the owner says. Measured: the job that fits in each listed half-day, added up."""
    if offer.kind == "declared":
        return _WEEKS * offer.hours_per_week if offer.hours_per_week is not None else None
    return sum(window.hours for window in windows)


def _hours(
    outlook: Outlook | None, view: View, picture: Picture
) -> tuple[tuple[Week, ...], tuple[float, int, int] | None]:
    """Complete weeks since the consent, from Monday 06:00 on; utilisation in steps of 5 points."""
    if outlook is None or view.since is None:
        return (), None
    local = picture.now().astimezone(picture.zone)
    this_monday = local.date() - timedelta(days=local.weekday())
    ready = datetime.combine(this_monday, _MONDAY_AT, picture.zone) <= local
    end = this_monday if ready else this_monday - timedelta(weeks=1)
    entries = [
        (monday, entry)
        for entry in outlook.weekly
        if view.since <= (monday := date.fromisoformat(entry["monday"])) < end
    ][-_LONGEST_HISTORY:]
    weeks = [
        Week(monday, _stepped(entry.get("utilisation")), _stepped(entry.get("coverage"))) for monday, entry in entries
    ]
    return tuple(weeks), _at_least(
        [hours for _, entry in entries if (hours := entry.get("shareable_hours")) is not None]
    )


def _at_least(weekly: Sequence[float]) -> tuple[float, int, int] | None:
    """(hours, n, N) by the k-th lowest visible week, k = floor((N + 1) / 10); whole hours, never rounded up."""
    if len(weekly) < _ENOUGH_WEEKS:
        return None
    least = float(math.floor(sorted(weekly)[(len(weekly) + 1) // 10 - 1]))
    return least, sum(hours >= least for hours in weekly), len(weekly)


def _stepped(share: float | None) -> float | None:
    return None if share is None else round(round(share / STEP) * STEP, 2)
