"""What a machine does now, since when, and how old that is. Silence is UNKNOWN, never idle."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from fleet.network import Machine
from fleet.records import HOUR_SECONDS, Outlook
from fleet.states import STATE_CODE, UNKNOWN
from gateway.catalog import later
from gateway.draw.runs import Run
from gateway.live import Now
from gateway.words import Words

_LEAST_HOURS: Final = 24.0
_LEAST_COVERAGE: Final = 0.2
PERIODS_ALIVE: Final = 3
"""A feed is alive for so many of its longest normal distances between two readings."""


@dataclass(frozen=True, slots=True)
class Present:
    """The machine's present.

    Attributes:
        state: code of ``fleet.states``.
        since: since when it is in that state; None when that is not known.
        last: device time of the newest reading; None when there never was one.
        silent: the feed is late: what it said last is no longer shown as the present.
        basis: what the state rests on: ``state``, ``counter``, ``power``, ``none``.
        arriving: the feed is late by the device's own time alone: messages come, dated in the past.
        untold: why its states are not known, as its outlook says it.
    """

    state: int
    since: datetime | None
    last: datetime | None
    silent: bool
    basis: str
    power_w: float | None = None
    utilisation: float | None = None
    arriving: bool = False
    untold: str = ""


_PAST: Final = later("inconnu (relevés datés du passé)")
_UNTOLD: Final = later("inconnu (la machine ne le dit pas)")
_NOT_INFERRED: Final = later("inconnu (pas encore déduit de la puissance)")
_NOT_INFERABLE: Final = later("inconnu (son état ne se déduit pas)")
_NOT_DERIVED: Final = later("inconnu (pas encore établi)")


def told(now: Present, words: Words) -> str:
    """The state by its name; an unknown one with why: no data, or data that do not tell it."""
    if now.arriving:
        return words.say(_PAST)
    if now.state != UNKNOWN or now.silent:
        return words.state(now.state, now.basis)
    if now.basis == "state":
        return words.say(_UNTOLD)
    if now.untold not in ("", "few"):
        return words.say(_NOT_INFERABLE)
    return words.say(_NOT_INFERRED if now.power_w is not None else _NOT_DERIVED)


def patience(machine: Machine) -> timedelta:
    """How long the machine may be silent before its state is unknown."""
    return timedelta(seconds=PERIODS_ALIVE * machine.every)


def present(
    machine: Machine, outlook: Outlook | None, heard: Now | None, now: datetime, runs: Sequence[Run] = ()
) -> Present:
    """The present by the newest of: the state the machine says, its derived runs, its outlook."""
    last = newest(outlook, heard)
    basis = outlook.basis if outlook else "state" if heard and heard.state is not None else "none"
    if last is None:
        return Present(UNKNOWN, None, None, silent=True, basis=basis)
    if now - last > patience(machine):
        came = heard is not None and now - datetime.fromtimestamp(heard.arrived / 1000, UTC) <= patience(machine)
        return Present(UNKNOWN, last, last, silent=True, basis=basis, arriving=came)
    state, since = _state(outlook, heard, runs)
    return Present(
        state,
        since,
        last,
        silent=False,
        basis=basis,
        power_w=heard.power_w if heard else None,
        utilisation=heard.utilisation if heard else None,
        untold=outlook.untold if outlook else "",
    )


def newest(outlook: Outlook | None, heard: Now | None) -> datetime | None:
    """Device time of the newest reading known of."""
    times = [outlook.last_reading] if outlook and outlook.last_reading else []
    if heard is not None:
        times.append(datetime.fromtimestamp(heard.at / 1000, UTC))
    return max(times, default=None)


def bridged(runs: Sequence[Run], longest: float) -> list[Run]:
    """The runs without a last UNKNOWN of at most ``longest`` seconds: hours are derived a moment after a reading."""
    if len(runs) < 2 or runs[-1].state != UNKNOWN or runs[-1].end - runs[-1].start > longest:
        return list(runs)
    return [*runs[:-2], runs[-2]._replace(end=runs[-1].end)]


def too_little(outlook: Outlook | None, runs: Sequence[Run] | None) -> float | None:
    """Hours observed when they are too few for a share of anything to mean something; None when there are enough.

    Whole weeks by their coverage; the last seven days by their runs, since the first and the newest week are cut short.
    """
    if outlook is None:
        return None
    weeks = [week.get("coverage") or 0.0 for week in outlook.weekly]
    whole = 168 * sum(weeks[1:-1] if runs is not None else weeks)
    lately = sum(run.end - run.start for run in runs or () if run.state != UNKNOWN) / HOUR_SECONDS
    observed = max(whole, lately)
    return observed if observed < _LEAST_HOURS or outlook.coverage < _LEAST_COVERAGE else None


def _state(outlook: Outlook | None, heard: Now | None, runs: Sequence[Run]) -> tuple[int, datetime | None]:
    derived: tuple[int, datetime | None] | None = None
    if runs:
        derived = (runs[-1].state, datetime.fromtimestamp(runs[-1].start, UTC))
    elif outlook is not None:
        derived = (STATE_CODE.get(outlook.state, UNKNOWN), outlook.state_since)
    if heard is None or heard.state is None:
        return derived or (UNKNOWN, None)
    if derived is not None and derived[0] == heard.state:
        return derived  # the derived beginning is the older and the truer one
    since = datetime.fromtimestamp(heard.state_since / 1000, UTC) if heard.state_since is not None else None
    return heard.state, since
