"""What is derived of one machine beyond its hours: figures of its weeks, the 168-hour grid, free windows to come."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import capacity, energy, near, unseen, utilisation
from analytics import trade as trades
from analytics.chances import FleetProfile, Kin
from analytics.history import WEEK_HOURS, History, local_hours, monday, utc, week_of, week_start
from fleet.calendars import CalendarHours, calendar_hours, calendar_of, staffed_week
from fleet.network import Machine, Member, Network
from fleet.records import HOUR_SECONDS, ChanceBasis, FreeWindow, HourBucket, Outlook
from fleet.states import STATES, UNKNOWN
from fleet.tariffs import tariff
from fleet.trades import changeover_hours, hold_after_hours, minimum_hours

WEEKS: Final = 12
"""Local weeks that the figures rest on, the running one not counted."""
AHEAD_HOURS: Final = 14 * 24
NEAR_HOURS: Final = 4 * 24
"""How far ahead the last days and the present are told of: from there on they change a chance by a point or two."""
LEARNED_WEEKS: Final = 2.0
"""Observed weeks below which chances are the owner's alone: in two most hours of the week come twice."""
MOST_OF_TRADE: Final = 0.5
"""The same for what rests on the trade by more than this share, as where little was observed at a time."""
OFFERED_COVERAGE: Final = 0.7
"""A week's shareable hours count when this share of its offered hours was observed."""


class Live(NamedTuple):
    """The present, from whoever knows it better than the newest hour: the ledger's carry."""

    state: str
    since: datetime | None
    last_reading: datetime | None


def kin_of(member: Member, machine: Machine, network: Network, history: History) -> Kin:
    """The machine as its owner's others learn from it."""
    closed = calendar_hours(member, machine, network, history.start, len(history)).closed
    staffed = staffed_week(calendar_of(member, machine))
    return Kin(machine.id, history, closed, trades.family_of(machine.trade), staffed)


def fleet_profile(kin: Iterable[Kin]) -> FleetProfile:
    """What these machines teach one another; make one a member, of its own machines (``fleet.consent``)."""
    return FleetProfile(kin)


def build(
    member: Member,
    machine: Machine,
    network: Network,
    hours: History | Sequence[HourBucket],
    profile: FleetProfile | None,
    now: datetime,
    *,
    window_hours: float | None = None,
    live: Live | None = None,
    correction: NDArray[np.float64] | None = None,
    untold: str = "",
) -> Outlook:
    """The outlook of one machine at ``now``.

    Args:
        hours: its hours on the member's clock, or its buckets in any order; what begins at ``now`` or later is ignored.
        profile: what the member's own machines teach; None for nothing.
        window_hours: length of the windows, rounded up to whole hours; L_min + b of the machine when None.
        live: the present; when None it is read off the newest hour, and the newest reading is not known.
        correction: what recent days and the present add to the log odds of windows from the next whole hour on
            (``analytics.recent``).
        untold: why its states are not known (``analytics.untold``).

    Raises:
        ValueError: buckets of two machines, or an hour twice.
    """
    timezone = member.timezone or network.timezone
    history = hours if isinstance(hours, History) else History.from_buckets(hours, timezone)
    history = history.between(week_start(week_of(now, timezone) - WEEKS, timezone), math.ceil(now.timestamp()))
    history = _from_first_observed(history)
    calendar = calendar_hours(member, machine, network, history.start, len(history))
    at = now.timestamp()
    calendar_use = utilisation.use(history, None, at)
    staffed = calendar.staffed & ~calendar.lent
    staffed_use = utilisation.use(history, staffed, at)
    least, weekly = _weeks(history, calendar, machine, now)
    grid, grid_coverage = utilisation.by_hour_of_week(history)
    length = window_length(machine, window_hours)
    live = live or newest(history, machine, at)
    ahead = windows_ahead(member, machine, network, history, profile, now, length)
    return Outlook(
        member=member.slug,
        machine=machine.id,
        as_of=now,
        weeks=len(weekly),
        state=live.state,
        state_since=live.since,
        last_reading=live.last_reading,
        basis=history.basis,
        utilisation=staffed_use.share if calendar.staffed_known else None,
        utilisation_calendar=calendar_use.share,
        coverage=calendar_use.coverage or 0.0,
        shareable_hours_per_week=least.hours if least else None,
        shareable_in_weeks=(least.weeks, least.of) if least else None,
        weekly=weekly,
        grid=grid,
        grid_coverage=grid_coverage,
        free=ahead.windows if ahead.proven else [],
        assumed=[] if ahead.proven else ahead.windows,
        near=[] if correction is None else told_now(ahead.windows, correction[:NEAR_HOURS], now),
        chance_basis=ahead.basis,
        window_hours=float(length),
        model=history.model,
        long_block_share=capacity.long_block_share(history),
        utilisation_most=unseen.most(history, staffed) if calendar.staffed_known else None,
        energy=energy.newest_weeks(history, at, tariff(member, network)),
        untold=untold,
    )


class Ahead(NamedTuple):
    """Windows to come with their chances, and what these rest on; None when there are none."""

    windows: list[FreeWindow]
    basis: ChanceBasis | None

    @property
    def proven(self) -> bool:
        """Whether they rest on the machine's own weeks enough to be told to others."""
        basis = self.basis
        return basis is not None and basis.own_weeks >= LEARNED_WEEKS and basis.trade_share <= MOST_OF_TRADE


def windows_ahead(
    member: Member,
    machine: Machine,
    network: Network,
    history: History,
    profile: FleetProfile | None,
    now: datetime,
    length: int,
    *,
    anywhere: bool = False,
) -> Ahead:
    """Windows of ``length`` hours from the next whole hour to 14 days on, one a start hour, with their chances.

    A window lies wholly inside the offered hours and touches no reservation. Nothing is listed when nothing is offered
    (with ``anywhere``, all hours but closed days are taken instead), nor for machines that are not shared, or are
    offered by declaration, without a meter.
    """
    start = -(-math.ceil(now.timestamp()) // HOUR_SECONDS) * HOUR_SECONDS
    ahead = calendar_hours(member, machine, network, start, AHEAD_HOURS + length)
    declared = machine.offer is not None and machine.offer.kind == "declared"
    if not machine.shareable or declared or not (ahead.offered_known or anywhere):
        return Ahead([], None)
    possible = (ahead.offered if ahead.offered_known else ~ahead.closed) & ~ahead.reserved
    inside = np.convolve(possible, np.ones(length, np.int64), "valid")[:AHEAD_HOURS] == length
    mine = kin_of(member, machine, network, history)
    told = (profile or FleetProfile()).told(mine, length, week_of(now, history.timezone))
    clock = local_hours(start, AHEAD_HOURS, history.timezone)
    windows = [
        FreeWindow.model_construct(
            start=utc(start + HOUR_SECONDS * hour),
            end=utc(start + HOUR_SECONDS * (hour + length)),
            probability=round(float(told.free[clock.hour_of_week[hour]]), 4),
        )
        for hour in np.flatnonzero(inside).tolist()
    ]
    own_weeks = float(history.observed.sum()) / (WEEK_HOURS * HOUR_SECONDS)
    basis = ChanceBasis(own_weeks=own_weeks, trade_share=told.trade_share, siblings=told.siblings)
    return Ahead(windows, basis if windows else None)


def told_now(free: Sequence[FreeWindow], correction: NDArray[np.float64], now: datetime) -> list[FreeWindow]:
    """The windows that the correction reaches, with their chances corrected by it."""
    first = -(-math.ceil(now.timestamp()) // HOUR_SECONDS)
    places = [round(window.start.timestamp()) // HOUR_SECONDS - first for window in free]
    reached = [(window, place) for window, place in zip(free, places, strict=True) if place < len(correction)]
    chances = near.moved(
        np.array([window.probability for window, _ in reached]), correction[[place for _, place in reached]]
    )
    return [
        FreeWindow.model_construct(start=window.start, end=window.end, probability=round(float(chance), 4))
        for (window, _), chance in zip(reached, chances, strict=True)
    ]


def window_length(machine: Machine, asked: float | None = None) -> int:
    """Whole hours of a window: those asked for, rounded up, else a useful job and its changeover (L_min + b)."""
    return max(1, math.ceil(minimum_hours(machine) + changeover_hours(machine) if asked is None else asked))


def job_of(machine: Machine) -> capacity.Job:
    """What a job on the machine needs: its own figures, else its trade's."""
    return capacity.Job(minimum_hours(machine), changeover_hours(machine), hold_after_hours(machine))


def shareable(
    history: History, offered: NDArray[np.bool_], reserved: NDArray[np.bool_], machine: Machine, now: datetime
) -> NDArray[np.float64]:
    """Shareable hours of each local week, shape (weeks,).

    NaN for weeks that are not whole or not over, that were too little observed, or that closed days left with less than
    half the usual offered hours.
    """
    weeks, found = capacity.weekly(history, offered, reserved, job_of(machine))
    if not len(weeks):
        return found
    seen = utilisation.weekly(history, offered)
    usual = float(np.median(seen.total[seen.total > 0])) if seen.total.any() else np.inf
    hours = np.bincount(history.clock.week - weeks[0], minlength=len(weeks))
    whole = (weeks < week_of(now, history.timezone)) & (hours >= WEEK_HOURS - 1)  # 167 when the clocks go forward
    return np.where(whole & (seen.total >= usual / 2) & (seen.coverage >= OFFERED_COVERAGE), found, np.nan)


def _weeks(
    history: History, calendar: CalendarHours, machine: Machine, now: datetime
) -> tuple[capacity.AtLeast | None, list[dict[str, Any]]]:
    """The promise of shareable hours, and one entry a local week, the running one last."""
    at = now.timestamp()
    whole = utilisation.weekly(history, None, at)
    staffed = utilisation.weekly(history, calendar.staffed & ~calendar.lent, at)
    hours = shareable(history, calendar.offered, calendar.reserved, machine, now)
    entries = [
        {
            "monday": monday(int(week)).isoformat(),
            "utilisation": _known(staffed.share[index]) if calendar.staffed_known else None,
            "utilisation_calendar": _known(whole.share[index]),
            "coverage": _known(whole.coverage[index]) or 0.0,
            "shareable_hours": _known(hours[index]),
        }
        for index, week in enumerate(whole.week)
    ]
    told = hours[~np.isnan(hours)] if machine.shareable and calendar.offered_known else hours[:0]
    return capacity.at_least(told), entries


def _from_first_observed(history: History) -> History:
    """Without the hours before anything was heard of the machine: they are not a gap in its feed."""
    heard = np.flatnonzero(history.observed > 0)
    first = int(heard[0]) if len(heard) else len(history)
    return history.between(history.start + HOUR_SECONDS * first, history.end)


def newest(history: History, machine: Machine, now: float) -> Live:
    """The state that the newest hour ends in; UNKNOWN when three of the feed's periods have passed since."""
    heard = np.flatnonzero(history.observed > 0)
    if history.last_state is None or not len(heard):
        return Live(STATES[UNKNOWN].value, None, None)
    ended = history.start + HOUR_SECONDS * (int(heard[-1]) + 1)
    if now - ended > 3 * machine.every:
        return Live(STATES[UNKNOWN].value, utc(ended), None)
    return Live(STATES[history.last_state].value, utc(history.last_since), None)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
