"""What of a machine's outlook others may read: windows at half-day grain, in three classes, from D+2 to D+14.

Made once a day at 06:00 local and then left alone, so that two looks an hour apart tell nothing of the machine's
present (``docs/consent.md``). The bounds of a half-day follow the offered calendar alone, never what the machine did.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from fleet.records import FreeWindow, Outlook

KIND: Final = "published"
FIRST_DAY: Final = 2
LAST_DAY: Final = 14
_AT: Final = time(6)
_LATE_HISTORY: Final = 0.02

Class = Literal[9, 8, 6]
LEAST: Final[tuple[tuple[float, Class], ...]] = ((0.9, 9), (0.8, 8), (2 / 3, 6))


class Window(BaseModel):
    """A half-day in which a job of ``hours`` fits with the chance of its class: 9 and 8 in 10, or 6 for 2 in 3."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: datetime
    end: datetime
    hours: float
    chance: Class


class Published(BaseModel):
    """The document of kind ``published``: what holds since 06:00 of ``day``; ``since`` is the first such day.

    ``basis`` is how many complete weeks it rests on, a week half observed counting half.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    since: date
    windows: tuple[Window, ...]
    basis: float = 0.0


def publishing_day(now: datetime, zone: ZoneInfo) -> date:
    """The local day whose 06:00 has passed last."""
    local = now.astimezone(zone)
    return local.date() if local.time() >= _AT else local.date() - timedelta(days=1)


def publish(outlook: Outlook, day: date, zone: ZoneInfo, since: date | None = None) -> Published:
    """What to show of the outlook on that day, to whoever the owner allows."""
    kept = [
        window for window in outlook.free if FIRST_DAY <= (window.start.astimezone(zone).date() - day).days <= LAST_DAY
    ]
    windows = tuple(
        Window(start=start.astimezone(UTC), end=end.astimezone(UTC), hours=outlook.window_hours, chance=chance)
        for start, end, probability in halves(kept, outlook.window_hours, zone)
        if (chance := chance_class(probability)) is not None
    )
    return Published(day=day, since=since or day, windows=windows, basis=basis(outlook, day))


def is_due(known: Published | None, outlook: Outlook, day: date) -> bool:
    """Whether to publish now: nothing is published for that day, or history has arrived since.

    Only complete weeks count, so what the machine does now never makes a window appear or vanish.
    """
    return known is None or known.day < day or basis(outlook, day) - known.basis >= _LATE_HISTORY


def basis(outlook: Outlook, day: date) -> float:
    """Weeks before that of ``day`` by the part that was observed, added up."""
    monday = (day - timedelta(days=day.weekday())).isoformat()
    return sum(week.get("coverage") or 0.0 for week in outlook.weekly if str(week.get("monday", "")) < monday)


def halves(windows: Iterable[FreeWindow], hours: float, zone: ZoneInfo) -> list[tuple[datetime, datetime, float]]:
    """Half-days as (start, end, chance that a job of ``hours`` fits), in order.

    Each local day's offered span is cut in two when a job fits in each part, else left whole.
    """
    found = []
    for day in _by_day(windows, zone).values():
        for start, end in _cut(day, hours):
            inside = [window.probability for window in day if start <= window.start and window.end <= end]
            if inside:
                found.append((start, end, max(inside)))
    return sorted(found)


def chance_class(probability: float) -> Class | None:
    """The class of a probability; None below 2 in 3: not listed."""
    return next((chance for least, chance in LEAST if probability >= least - 1e-9), None)


def _by_day(windows: Iterable[FreeWindow], zone: ZoneInfo) -> dict[date, list[FreeWindow]]:
    days: dict[date, list[FreeWindow]] = defaultdict(list)
    for window in windows:
        days[window.start.astimezone(zone).date()].append(window)
    return days


def _cut(windows: list[FreeWindow], hours: float) -> list[tuple[datetime, datetime]]:
    opens, closes = min(w.start for w in windows), max(w.end for w in windows)
    closes = min(closes, opens + timedelta(hours=24))
    middle = opens + timedelta(hours=(closes - opens) / timedelta(hours=2) // 1)
    if middle - opens < timedelta(hours=hours):
        return [(opens, closes)]
    return [(opens, middle), (middle, closes)]
