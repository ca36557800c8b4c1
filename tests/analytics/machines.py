"""A member, its machine and hours of it by a pattern: what the tests of analytics begin from."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from fleet.network import Calendar, Day, Holidays, Machine, Member, Network, Place, Shift, Trade
from fleet.records import HOUR_SECONDS, Energies7, HourBucket, Seconds7
from fleet.states import PRODUCING, STANDBY, UNKNOWN

PARIS = ZoneInfo("Europe/Paris")
PLACE = Place(commune="Saverne")
NETWORK = Network(
    name="Essai", place=PLACE, timezone="Europe/Paris", holidays=Holidays(country="FR", subdivision="6AE")
)
WEEKDAYS = tuple(Day)[:5]
TWO_SHIFTS = Shift(days=WEEKDAYS, start=time(6), end=time(22))
EVENINGS = Shift(days=WEEKDAYS, start=time(14), end=time(22))
CALENDAR = Calendar(staffed=(TWO_SHIFTS,), offered=(EVENINGS,))

Pattern = Callable[[datetime], int]
"""State of a whole hour, by its local start."""


def machine(**changes: Any) -> Machine:
    """A machining centre: L_min 4 h, b 1 h, no hold."""
    given = {"id": "mill", "name": "Mill", "trade": Trade.MACHINING, "minimum_hours": 4.0, "changeover_hours": 1.0}
    return Machine(**{**given, **changes})


def member(*machines: Machine, calendar: Calendar = CALENDAR, **changes: Any) -> Member:
    """A member with these machines."""
    given = {"slug": "acme", "name": "Acme", "place": PLACE, "calendar": calendar, "machines": machines or (machine(),)}
    return Member(**{**given, **changes})


def local(year: int, month: int, day: int, hour: int = 0) -> datetime:
    """An instant by the clock of Paris."""
    return datetime(year, month, day, hour, tzinfo=PARIS)


def bucket(hour: int, *runs: tuple[int, int], machine: str = "mill") -> HourBucket:
    """An hour of (offset in seconds, state) runs, the first at 0."""
    ends = [*(offset for offset, _ in runs[1:]), HOUR_SECONDS]
    seconds = [0.0] * 7
    for (offset, state), end in zip(runs, ends, strict=True):
        seconds[state] += end - offset
    spent: Seconds7 = tuple(seconds)  # type: ignore[assignment]  # seven by construction
    return HourBucket("acme", machine, hour, spent, None, None, 12, 0, 0, None, "state", tuple(runs), "{}", "v1")


def hours(start: datetime, end: datetime, pattern: Pattern, machine: str = "mill") -> list[HourBucket]:
    """Whole hours of [start, end), each in the state that the pattern gives."""
    first, last = (int(at.timestamp()) for at in (start, end))
    return [
        bucket(hour, (0, pattern(datetime.fromtimestamp(hour, UTC).astimezone(PARIS))), machine=machine)
        for hour in range(first, last, HOUR_SECONDS)
    ]


def metered(buckets: list[HourBucket], watts: dict[int, float]) -> list[HourBucket]:
    """The hours with the energy that these powers by state make."""
    found = []
    for one in buckets:
        used: Energies7 = tuple(spent * watts.get(state, 0.0) / 3600 for state, spent in enumerate(one.seconds))  # type: ignore[assignment]  # seven by construction
        seconds = sum(one.seconds) - one.seconds[UNKNOWN]
        found.append(replace(one, energy_wh=sum(used), energy_by_state=used, metered_s=seconds))
    return found


def mornings(at: datetime) -> int:
    """Produces on weekdays from 6 to 9, else stands by: 3 of 16 staffed hours."""
    return PRODUCING if at.weekday() < 5 and 6 <= at.hour < 9 else STANDBY


def all_day(at: datetime) -> int:
    """Produces on weekdays from 6 to 20: 14 of 16 staffed hours."""
    return PRODUCING if at.weekday() < 5 and 6 <= at.hour < 20 else STANDBY
