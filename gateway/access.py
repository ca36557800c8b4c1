"""The one place that decides who may know what. Pages, API and streams get their data from a :class:`Scope`.

What may not be seen and what does not exist answer alike: :class:`Hidden`, shown as 404.
"""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from fleet import consent
from fleet.batch import MachineKey
from fleet.consent import View
from fleet.network import Level, Machine, Member
from fleet.records import Finding, Outlook
from fleet.trades import TRADES
from gateway.live import Live
from gateway.offers import OfferRow, offer_row
from gateway.picture import Picture
from gateway.places import positions
from gateway.present import Present, newest, patience, present

_SECRET: Final = secrets.token_bytes(32)
_CONTRIBUTORS: Final = 5
_LARGEST_TWO: Final = 0.6
_ROUNDED_TO_H: Final = 50.0
_ANY_MEMBER: Final = "member:" + "0" * 64
"""A recipient that only a consent for all members reaches."""


class Hidden(LookupError):
    """Not there, or not for this visitor: never told apart."""


class Audience(StrEnum):
    """For whom a page is drawn."""

    OWNER = "owner"
    COORDINATOR = "coordinator"
    NETWORK = "network"
    OPERATOR = "operator"
    STARTUP = "startup"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks. Without a chosen role (no accounts yet, loopback only) every page opens for its own audience."""

    audience: Audience | None = None
    member: str = ""

    def may(self, audience: Audience, member: str = "") -> bool:
        """Whether the visitor belongs to that audience (the owner: of that member)."""
        if self.audience is None:
            return True
        if self.audience is Audience.COORDINATOR and audience is Audience.NETWORK:
            return True
        return self.audience is audience and self.member == member


@dataclass(frozen=True, slots=True)
class OwnMachine:
    """A machine with everything its owner may know."""

    member: Member
    machine: Machine
    key: MachineKey
    outlook: Outlook | None
    findings: dict[str, Finding]
    present: Present


@dataclass(frozen=True)
class Scope:
    """What one audience may see. ``member`` is the owner's; made by :func:`scope_of`."""

    audience: Audience
    member: str
    picture: Picture
    live: Live

    @property
    def today(self) -> date:
        """The network's local day, by which consents hold."""
        return self.picture.now().astimezone(self.picture.zone).date()

    def view(self, key: MachineKey) -> View:
        """What this audience sees of the machine today."""
        members = self.picture.registry.members
        if self.audience is Audience.NETWORK and _excludes_someone(members.get(key.member), key, self.today):
            return consent.NOTHING
        return consent.see(members, key, self._recipient, self.today)

    def own(self, key: MachineKey) -> OwnMachine:
        """A machine of the owner's.

        Raises:
            Hidden: there is none, or it is another member's.
        """
        member, machine = self.picture.registry.members.get(key.member), self.picture.registry.machine(key)
        if self.audience is not Audience.OWNER or key.member != self.member or member is None or machine is None:
            raise Hidden(f"{key.member}.{key.machine}")
        outlook, heard = self.picture.outlooks.get(key), self.live.machines.get(key)
        return OwnMachine(
            member,
            machine,
            key,
            outlook,
            self.picture.findings.get(key, {}),
            present(machine, outlook, heard, self.picture.now()),
        )

    def own_machines(self) -> list[OwnMachine]:
        """The owner's machines in the order of its file.

        Raises:
            Hidden: there is no such member.
        """
        member = self.picture.registry.members.get(self.member)
        if self.audience is not Audience.OWNER or member is None:
            raise Hidden(self.member)
        return [self.own(MachineKey(member.slug, machine.id)) for machine in member.machines]

    def offers(self) -> list[OfferRow]:
        """The offers this audience may read of, by trade, then place; never the owner's own."""
        return sorted(self.offered().values(), key=lambda row: (row.trade, row.commune, row.id))

    def offered(self) -> dict[MachineKey, OfferRow]:
        """The same offers by machine: for the log of looks, never for a page."""
        monday = self.today - timedelta(days=self.today.weekday())
        places = positions(self.picture.registry)
        rows = {}
        for member, machine in self.picture.registry.machines():
            key = MachineKey(member.slug, machine.id)
            view = self.view(key)
            if view.owner or not view.windows or machine.offer is None:
                continue
            position = places.get(member.place.commune)
            rows[key] = offer_row(member, machine, key, view, self.picture, opaque(key), monday, position)
        return rows

    def offer_key(self, opaque_id: str) -> MachineKey:
        """The machine behind an offer's opaque id.

        Raises:
            Hidden: no offer of this id is shown to this audience.
        """
        for member, machine in self.picture.registry.machines():
            key = MachineKey(member.slug, machine.id)
            if opaque(key) == opaque_id and self.view(key).windows:
                return key
        raise Hidden(opaque_id)

    def connected(self) -> tuple[int, int]:
        """Members with at least one live feed, and all members; for the operator alone.

        Raises:
            Hidden: another audience asks.
        """
        self.require(Audience.OPERATOR)
        alive = {key.member for key, silent in self._feeds() if not silent}
        return len(alive), len(self.picture.registry.members)

    def silent(self) -> int:
        """Number of machines that have sent readings and are silent now; for the operator alone.

        Raises:
            Hidden: another audience asks.
        """
        self.require(Audience.OPERATOR)
        return sum(silent for _, silent in self._feeds())

    def connected_today(self) -> tuple[int, int]:
        """Members of which a machine was heard as of 06:00, and all members: numbers without names, once a day."""
        feeds, members = self.picture.feeds, self.picture.registry.members
        alive = {m.slug for m, x in self.picture.registry.machines() if feeds and feeds.alive(MachineKey(m.slug, x.id))}
        return len(alive), len(members)

    def silent_today(self) -> int | None:
        """Number of machines whose hours are shown here that were not heard as of 06:00; None for the network.

        At level ``offers`` unknown, busy and not offered look alike, so only ``hours`` and one's own count.
        """
        feeds = self.picture.feeds
        if self.audience is Audience.NETWORK:
            return None
        keys = [MachineKey(m.slug, x.id) for m, x in self.picture.registry.machines()]
        return sum((view := self.view(key)).owner or view.hours for key in keys if feeds and feeds.silent(key))

    def hours_lent(self, back: timedelta) -> float | None:
        """Hours reserved and marked lent, from that long ago until now, on the machines whose offers are shown here.

        None for an owner, and for the network unless five members lent and no two hold more than 60 % of it.
        """
        if self.audience is Audience.OWNER:
            return None
        lent = self._lent(back)
        if self.audience is not Audience.NETWORK:
            return sum(lent.values())
        total, largest = sum(lent.values()), sum(sorted(lent.values())[-2:])
        enough = len(lent) >= _CONTRIBUTORS and largest <= _LARGEST_TWO * total
        return round(total / _ROUNDED_TO_H) * _ROUNDED_TO_H if enough else None

    def _lent(self, back: timedelta) -> dict[str, float]:
        """The same by member, of those that lent anything."""
        now = self.picture.now()
        lent: dict[str, float] = {}
        for member, machine in self.picture.registry.machines():
            if self.view(MachineKey(member.slug, machine.id)).windows:
                zone = self.picture.registry.zone(member.slug)
                for one in machine.reservations:
                    start, end = (at if at.tzinfo else at.replace(tzinfo=zone) for at in (one.start, one.end))
                    if one.lent:
                        time = max(timedelta(0), min(end, now) - max(start, now - back))
                        lent[member.slug] = lent.get(member.slug, 0.0) + time / timedelta(hours=1)
        return {slug: hours for slug, hours in lent.items() if hours}

    def streamed_families(self) -> dict[str, int]:
        """Number of machines by family of trade whose owners agreed to a stream for a start-up; no names, no places."""
        self.require(Audience.STARTUP)
        families: dict[str, int] = {}
        for member, machine in self.picture.registry.machines():
            family = TRADES[machine.trade].family
            if family is not None and _streamed(member, machine, self.today):
                families[family] = families.get(family, 0) + 1
        return families

    def silent_feeds(self) -> list[tuple[MachineKey, datetime]]:
        """The silent machines and their last reading, longest silence first; plumbing, for the operator alone.

        Raises:
            Hidden: another audience asks.
        """
        self.require(Audience.OPERATOR)
        late = [(key, last) for key, silent in self._feeds() if silent and (last := self._last(key))]
        return sorted(late, key=lambda item: item[1])

    def require(self, *audiences: Audience) -> None:
        """Raises:
        Hidden: this scope is for none of these audiences.
        """
        if self.audience not in audiences:
            raise Hidden(self.audience)

    @property
    def _recipient(self) -> str:
        if self.audience is Audience.COORDINATOR:
            return consent.COORDINATOR
        if self.audience is Audience.NETWORK:
            return _ANY_MEMBER
        return f"member:{self.member}" if self.audience is Audience.OWNER else ""

    def _last(self, key: MachineKey) -> datetime | None:
        return newest(self.picture.outlooks.get(key), self.live.machines.get(key))

    def _feeds(self) -> Iterator[tuple[MachineKey, bool]]:
        now = self.picture.now()
        for member, machine in self.picture.registry.machines():
            key = MachineKey(member.slug, machine.id)
            last = self._last(key)
            if last is not None:
                yield key, now - last > patience(machine)


def scope_of(visitor: Visitor, audience: Audience, picture: Picture, live: Live, member: str = "") -> Scope:
    """The scope in which the visitor gets a page made for that audience.

    Raises:
        Hidden: the visitor does not belong to it.
    """
    if not visitor.may(audience, member):
        raise Hidden(audience)
    return Scope(audience, member, picture, live)


def opaque(key: MachineKey) -> str:
    """A name for an offer that tells nothing of its member; the same until the program ends."""
    return hashlib.blake2s(f"{key.member}/{key.machine}".encode(), key=_SECRET, digest_size=9).hexdigest()


def _streamed(member: Member, machine: Machine, on: date) -> bool:
    return any(
        entry.level is Level.STREAM
        for recipient in {entry.recipient for entry in member.consents if entry.machine == machine.id}
        for entry in consent.in_force(member, machine.id, recipient, on)
    )


def _excludes_someone(member: Member | None, key: MachineKey, on: date) -> bool:
    """Whether the owner keeps the machine from any member: then it cannot lie on the committee's table."""
    return member is not None and any(
        entry.machine == key.machine
        and entry.level is Level.NONE
        and entry.since <= on
        and (entry.until is None or on <= entry.until)
        for entry in member.consents
    )
