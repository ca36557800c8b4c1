"""What is derived of one machine beyond its hours: figures of its weeks, the 168-hour grid, free windows to come."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from analytics.availability import FleetProfile
from analytics.history import History
from fleet.network import Machine, Member, Network
from fleet.records import HourBucket, Outlook


def fleet_profile(histories: Iterable[History]) -> FleetProfile:
    """The shape of the week of these machines; make one a member, of its own machines (``fleet.consent``)."""
    return FleetProfile(tuple(histories))


def build(
    member: Member,
    machine: Machine,
    network: Network,
    hours: History | Sequence[HourBucket],
    profile: FleetProfile | None,
    now: datetime,
    *,
    window_hours: float | None = None,
) -> Outlook:
    """The outlook of one machine at ``now``."""
    raise NotImplementedError
