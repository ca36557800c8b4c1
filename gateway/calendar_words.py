"""A calendar in words: shifts, what is offered, closures."""

from datetime import date, datetime, time, timedelta
from typing import Any

from fleet.network import Calendar, Shift
from gateway.words import DASH, Words


def calendar_lines(calendar: Calendar, words: Words) -> dict[str, Any]:
    """Staffed and offered shifts and closures in words."""
    monday = date(2024, 1, 1)
    order = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    def shift(one: Shift) -> str:
        days = ", ".join(words.date(monday + timedelta(days=order.index(day)), "EEE") for day in one.days)
        start, end = (datetime.combine(monday, at, words.zone) for at in (one.start, one.end))
        until = words.clock(end) if one.end != time.min else words.hour(24)  # midnight ends a day, it begins none
        return f"{days} {words.clock(start)} {DASH} {until}"

    return {
        "staffed": [shift(one) for one in calendar.staffed],
        "offered": [shift(one) for one in calendar.offered],
        "closures": [
            (words.date(c.first, "d MMMM y"), words.date(c.last, "d MMMM y"), c.reason) for c in calendar.closures
        ],
    }
