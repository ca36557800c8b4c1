"""What is true of a simulated machine's waste of energy in the weeks to come: what the rules of energy are judged by.

Kilowatt-hours on standby above off in stretches of two hours or more, and stretches outside the staffed blocks without
half an hour off in the twelve weeks to come, from the simulator's states and mean powers.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from analytics.rules import idle_but_drawing, never_off_at_night
from simulators.timeline import Timeline
from simulators.waste import idle_kwh, nights_on

AHEAD: Final = timedelta(weeks=4)
NIGHTS_AHEAD: Final = timedelta(weeks=12)
"""A machine of three shifts has one weekend a week: four would not tell a habit from chance."""
HOUR_MS: Final = 3_600_000
CONTESTED: Final = 1.5
"""A machine whose truth is within this factor of the level is counted apart, too."""


class Truth(NamedTuple):
    """What comes: kilowatt-hours a week on standby above off, those that are worth a flag, nights left on, nights."""

    idle_kwh: float
    least_kwh: float
    on: int
    nights: int


TRUE: Final[dict[str, Callable[[Truth], bool]]] = {
    idle_but_drawing.NAME: lambda truth: truth.idle_kwh >= truth.least_kwh,
    never_off_at_night.NAME: lambda truth: truth.on > never_off_at_night.OFTEN * truth.nights,
}
UNSURE: Final[dict[str, Callable[[Truth], bool]]] = {
    idle_but_drawing.NAME: lambda truth: truth.least_kwh / CONTESTED < truth.idle_kwh < truth.least_kwh * CONTESTED,
    never_off_at_night.NAME: lambda truth: 0.5 < truth.on / max(1, truth.nights) < 0.95,
}


def truth_of(timeline: Timeline, now: datetime, least_kwh: float) -> Truth:
    """What is true of the weeks to come; ``least_kwh`` as of ``idle_but_drawing.least_kwh``."""
    start, end, later = (round(at.timestamp() * 1000) for at in (now, now + AHEAD, now + NIGHTS_AHEAD))
    long, night = (hours * HOUR_MS for hours in (idle_but_drawing.LONG_HOURS, never_off_at_night.LEAST_HOURS))
    return Truth(
        idle_kwh(timeline, start, end, long), least_kwh, *nights_on(timeline, start, later, night, HOUR_MS // 2)
    )
