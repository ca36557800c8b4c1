"""Days and instants that people send: only those of this century, so that no sum of them leaves the calendar."""

from datetime import date, datetime
from typing import Final

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100
RULE: Final = f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}"


def read(text: str) -> date:
    """An ISO date.

    Raises:
        ValueError: it is none, or lies before 2000 or after 2100.
    """
    day = date.fromisoformat(text)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"{text!r} {RULE}")
    return day


def plausible(moment: datetime) -> datetime:
    """The moment itself.

    Raises:
        ValueError: it lies before 2000 or after 2100.
    """
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(RULE)
    return moment
