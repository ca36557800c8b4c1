"""The heavy part: outlooks and findings of all machines of one member from their stored hours. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from analytics import recent, rules
from analytics.history import History, week_of, week_start
from analytics.level import WeeklyPrior, prior_of
from analytics.outlook import NEAR_HOURS, WEEKS, Live, build, fleet_profile, kin_of, window_length
from analytics.rules import RuleContext
from analytics.rules.evidence import Evidence
from fleet.calendars import calendar_hours
from fleet.network import Machine, Member, Network
from fleet.records import HOUR_SECONDS, Finding, HourBucket, Outlook


class Seat(NamedTuple):
    """What is known of a machine beside its hours; ``findings``: in force, ``untold``: why no state is known."""

    machine: Machine
    live: Live
    feed_alive: bool
    inferable: bool
    findings: Mapping[str, Finding]
    untold: str = ""


class Refreshed(NamedTuple):
    """What is new of one machine; ``prior`` is what the member's other machines taught the rules of it."""

    outlook: Outlook
    findings: list[Finding]
    prior: WeeklyPrior


def span(member: Member, network: Network, now: datetime) -> tuple[int, int]:
    """The hours that outlooks and rules look at, epoch seconds: the running week and those before it."""
    timezone = member.timezone or network.timezone
    end = -(-int(now.timestamp() + 1) // HOUR_SECONDS) * HOUR_SECONDS
    return week_start(week_of(now, timezone) - WEEKS - 1, timezone), end


def refresh(
    member: Member, network: Network, seats: Sequence[Seat], buckets: Sequence[HourBucket], now: datetime
) -> list[Refreshed]:
    """Outlooks and findings of the member's machines at ``now``, in the order of ``seats``.

    Machines of one member teach one another the shape of a week and the level of use; another member's buckets are left
    out, if there are any.
    """
    start, end = span(member, network, now)
    timezone = member.timezone or network.timezone
    of_machine: dict[str, list[HourBucket]] = {seat.machine.id: [] for seat in seats}
    for bucket in buckets:
        if bucket.member == member.slug and bucket.machine in of_machine:
            of_machine[bucket.machine].append(bucket)
    histories = [History.from_buckets(of_machine[seat.machine.id], timezone, start, end) for seat in seats]
    profile = fleet_profile(
        kin_of(member, seat.machine, network, history) for seat, history in zip(seats, histories, strict=True)
    )
    contexts = [
        RuleContext(member, seat.machine, network, history, now, seat.feed_alive, seat.inferable, untold=seat.untold)
        for seat, history in zip(seats, histories, strict=True)
    ]
    priors = _priors(contexts)
    corrected = recent.corrections(
        [_seen(member, network, seat, context.history) for seat, context in zip(seats, contexts, strict=True)],
        now,
        NEAR_HOURS,
    )
    found = []
    for seat, context, prior, correction in zip(seats, contexts, priors, corrected, strict=True):
        outlook = build(
            member, seat.machine, network, context.history, profile, now,
            live=seat.live, correction=correction, untold=seat.untold,
        )  # fmt: skip
        judged = rules.judge(replace(context, prior=prior), seat.findings)
        found.append(Refreshed(outlook, judged, prior))
    return found


def judge_again(
    member: Member, network: Network, seat: Seat, prior: WeeklyPrior, buckets: Sequence[HourBucket], now: datetime
) -> list[Finding]:
    """The findings of one machine at ``now``, as :func:`refresh` makes them but with the ``prior`` of the last one.

    Args:
        buckets: those of the machine in :func:`span`.
    """
    timezone = member.timezone or network.timezone
    history = History.from_buckets(buckets, timezone, *span(member, network, now))
    context = RuleContext(
        member, seat.machine, network, history, now, seat.feed_alive, seat.inferable, prior, seat.untold
    )
    return rules.judge(context, seat.findings)


def _seen(member: Member, network: Network, seat: Seat, history: History) -> recent.Seen:
    calendar = calendar_hours(member, seat.machine, network, history.start, len(history))
    return recent.Seen(history, calendar.closed, window_length(seat.machine), seat.live.state)


def _priors(contexts: Sequence[RuleContext]) -> list[WeeklyPrior]:
    """For each machine what the member's other machines teach of levels."""
    weeks = []
    for context in contexts:
        evidence = Evidence(context)
        told = evidence.calendar.staffed_known and len(evidence.weekly.week) > 0
        weeks.append(evidence.weekly.share[evidence.ordinary] if told else None)
    return [
        prior_of([week for other, week in enumerate(weeks) if other != mine and week is not None])
        for mine in range(len(contexts))
    ]
