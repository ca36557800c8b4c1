"""The one place that decides who may know what. Pages, API and streams get their data from a :class:`Scope`; numbers
of the network as a whole are in :mod:`gateway.counts`.

What may not be seen and what does not exist answer alike: :class:`Hidden`, shown as 404.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from fleet import consent
from fleet.batch import MachineKey
from fleet.consent import View
from fleet.network import Level, Machine, Member
from fleet.records import Finding, Outlook
from gateway.live import Live
from gateway.offers import OfferRow, offer_row
from gateway.picture import Picture
from gateway.places import positions
from gateway.present import Present, present

_SECRET: Final = secrets.token_bytes(32)
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


def _excludes_someone(member: Member | None, key: MachineKey, on: date) -> bool:
    """Whether the owner keeps the machine from any member: then it cannot lie on the committee's table."""
    return member is not None and any(
        entry.machine == key.machine
        and entry.level is Level.NONE
        and entry.since <= on
        and (entry.until is None or on <= entry.until)
        for entry in member.consents
    )
