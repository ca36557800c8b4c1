"""What may be told of the network as a whole: numbers without names, each for its audience alone."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from fleet import consent
from fleet.batch import MachineKey
from fleet.network import Level, Machine, Member
from fleet.trades import TRADES
from gateway.access import Audience, Scope
from gateway.present import newest, patience

_CONTRIBUTORS: Final = 5
_LARGEST_TWO: Final = 0.6
_ROUNDED_TO_H: Final = 50.0


def connected(scope: Scope) -> tuple[int, int]:
    """Members with at least one live feed, and all members; for the operator alone.

    Raises:
        Hidden: another audience asks.
    """
    scope.require(Audience.OPERATOR)
    alive = {key.member for key, silent in _feeds(scope) if not silent}
    return len(alive), len(scope.picture.registry.members)


def silent(scope: Scope) -> int:
    """Number of machines that have sent readings and are silent now; for the operator alone.

    Raises:
        Hidden: another audience asks.
    """
    scope.require(Audience.OPERATOR)
    return sum(late for _, late in _feeds(scope))


def silent_feeds(scope: Scope) -> list[tuple[MachineKey, datetime]]:
    """The silent machines and their last reading, longest silence first; plumbing, for the operator alone.

    Raises:
        Hidden: another audience asks.
    """
    scope.require(Audience.OPERATOR)
    late = [(key, last) for key, quiet in _feeds(scope) if quiet and (last := _last(scope, key))]
    return sorted(late, key=lambda item: item[1])


def connected_today(scope: Scope) -> tuple[int, int]:
    """Members of which a machine was heard as of 06:00, and all members: once a day."""
    feeds, members = scope.picture.feeds, scope.picture.registry.members
    alive = {m.slug for m, x in scope.picture.registry.machines() if feeds and feeds.alive(MachineKey(m.slug, x.id))}
    return len(alive), len(members)


def silent_today(scope: Scope) -> int | None:
    """Number of machines whose hours are shown here that were not heard as of 06:00; None for the network.

    At level ``offers`` unknown, busy and not offered look alike, so only ``hours`` and one's own count.
    """
    feeds = scope.picture.feeds
    if scope.audience is Audience.NETWORK:
        return None
    keys = [MachineKey(m.slug, x.id) for m, x in scope.picture.registry.machines()]
    return sum((view := scope.view(key)).owner or view.hours for key in keys if feeds and feeds.silent(key))


def hours_lent(scope: Scope, back: timedelta) -> float | None:
    """Hours reserved and marked lent, from that long ago until now, on the machines whose offers are shown here.

    None for an owner, and for the network unless five members lent and no two hold more than 60 % of it.
    """
    if scope.audience is Audience.OWNER:
        return None
    lent = _lent(scope, back)
    if scope.audience is not Audience.NETWORK:
        return sum(lent.values())
    total, largest = sum(lent.values()), sum(sorted(lent.values())[-2:])
    enough = len(lent) >= _CONTRIBUTORS and largest <= _LARGEST_TWO * total
    return round(total / _ROUNDED_TO_H) * _ROUNDED_TO_H if enough else None


def streamed_families(scope: Scope) -> dict[str, int]:
    """Number of machines by family of trade whose owners agreed to a stream for a start-up; no names, no places.

    Raises:
        Hidden: another audience asks.
    """
    scope.require(Audience.STARTUP)
    families: dict[str, int] = {}
    for member, machine in scope.picture.registry.machines():
        family = TRADES[machine.trade].family
        if family is not None and _streamed(member, machine, scope.today):
            families[family] = families.get(family, 0) + 1
    return families


def _lent(scope: Scope, back: timedelta) -> dict[str, float]:
    """Hours lent by member, of those that lent anything."""
    now = scope.picture.now()
    lent: dict[str, float] = {}
    for member, machine in scope.picture.registry.machines():
        if scope.view(MachineKey(member.slug, machine.id)).windows:
            zone = scope.picture.registry.zone(member.slug)
            for one in machine.reservations:
                start, end = (at if at.tzinfo else at.replace(tzinfo=zone) for at in (one.start, one.end))
                if one.lent:
                    time = max(timedelta(0), min(end, now) - max(start, now - back))
                    lent[member.slug] = lent.get(member.slug, 0.0) + time / timedelta(hours=1)
    return {slug: hours for slug, hours in lent.items() if hours}


def _streamed(member: Member, machine: Machine, on: date) -> bool:
    return any(
        entry.level is Level.STREAM
        for recipient in {entry.recipient for entry in member.consents if entry.machine == machine.id}
        for entry in consent.in_force(member, machine.id, recipient, on)
    )


def _last(scope: Scope, key: MachineKey) -> datetime | None:
    return newest(scope.picture.outlooks.get(key), scope.live.machines.get(key))


def _feeds(scope: Scope) -> Iterator[tuple[MachineKey, bool]]:
    """The machines that ever spoke, and whether each is silent now."""
    now = scope.picture.now()
    for member, machine in scope.picture.registry.machines():
        key = MachineKey(member.slug, machine.id)
        last = _last(scope, key)
        if last is not None:
            yield key, now - last > patience(machine)
