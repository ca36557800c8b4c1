"""Feeds that are not as they should be, for the operator: machines never seen, and clocks that are wrong."""

from datetime import UTC, datetime

from fleet.batch import MachineKey
from gateway import refusals
from gateway.access import Audience, Scope
from gateway.present import newest, patience


def never_seen(scope: Scope) -> list[MachineKey]:
    """Machines to be measured of which no reading ever came; plumbing, for the operator alone.

    Raises:
        Hidden: another audience asks.
    """
    scope.require(Audience.OPERATOR)
    return [
        key
        for member, machine in scope.picture.registry.machines()
        if not (machine.offer is not None and machine.offer.kind == "declared")
        and newest(scope.picture.outlooks.get(key := MachineKey(member.slug, machine.id)), scope.live.machines.get(key))
        is None
    ]


def wrong_clocks(scope: Scope) -> int:
    """Silent machines whose messages arrive all the same: dated long past, or refused for their time."""
    live, now, count = scope.live, scope.picture.now(), 0
    for member, machine in scope.picture.registry.machines():
        key = MachineKey(member.slug, machine.id)
        heard = live.machines.get(key)
        last = newest(scope.picture.outlooks.get(key), heard)
        if last is None or now - last <= patience(machine):
            continue
        refused = refusals.refused_now(member.slug, machine, live.rejects.get(member.slug), heard, last)
        late = heard is not None and now - datetime.fromtimestamp(heard.arrived / 1000, UTC) <= patience(machine)
        count += late or (refused is not None and refused.reason in refusals.CLOCK)
    return count
