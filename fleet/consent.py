"""What a recipient sees of a machine on a date: the table of ``docs/consent.md`` as one pure function.

The levels are not a ladder: ``stream`` does not include the name, ``offers`` does not include the flag. Nothing in
force, an unknown machine and an unknown recipient all give the same answer: :data:`NOTHING`.

Raising (a level, a later end, a further quantity) takes an engineer and the member's signatory; lowering takes either
of them and holds at once. :func:`raises` tells which of the two a change is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from fleet.batch import MachineKey
from fleet.network import Consent, Level, Machine, Member, Trade
from fleet.topics import SLUG

COORDINATOR: Final = "coordinator"
MEMBERS: Final = "members"
"""Recipient "all members"; a consent of level ``none`` for ``member:<slug>`` excludes that one."""
_MEMBER: Final = "member:"
_STARTUP: Final = "startup:"
_HISTORY: Final = timedelta(weeks=12)

Identity = Literal["none", "attributes", "name", "pseudonym"]


@dataclass(frozen=True, slots=True)
class View:
    """What one recipient may know of one machine on one day. Whatever is false or None must not be rendered, nor told
    apart from "does not exist" when :attr:`exists` is false.

    Attributes:
        levels: the levels in force.
        owner: the recipient is the machine's own member: everything below is allowed, unrounded and at once.
        exists: false answers like a missing machine (404).
        identity: nothing; trade, attributes, commune, mode and badge; member's and machine's name; or a pseudonym.
        windows: approved windows, at half-day grain, refreshed daily, from D+2 to D+14.
        probability: three classes, 9/10, 8/10, 2/3; never for a declared offer.
        hours: weekly utilisation and the 12-week grid in steps of 5 points with coverage, complete weeks only.
        finding: rules whose flag the owner answered with *proposer*.
        quantities: columns of readings that a stream may carry.
        since: first day of history that may be shown; None when there is no history.
    """

    levels: frozenset[Level] = frozenset()
    owner: bool = False
    exists: bool = False
    identity: Identity = "none"
    windows: bool = False
    probability: bool = False
    hours: bool = False
    findings: frozenset[str] = frozenset()
    quantities: frozenset[str] = frozenset()
    since: date | None = None


NOTHING: Final = View()
PUBLISHABLE: Final = frozenset({"structural-underuse"})
"""Rules whose flag may ever be shown to another than the owner: what a machine lacks is no competitor's to know."""


def see(members: Mapping[str, Member], key: MachineKey, recipient: str, on: date) -> View:
    """What ``recipient`` sees of the machine on that day.

    ``recipient`` is ``coordinator``, ``member:<slug>`` or ``startup:<slug>``; anything else sees nothing.
    """
    member = members.get(key.member)
    machine = next((machine for machine in member.machines if machine.id == key.machine), None) if member else None
    if member is None or machine is None or not is_recipient(recipient):
        return NOTHING
    if recipient == f"{_MEMBER}{member.slug}":
        return _owner(member, machine)
    standing = [
        consent
        for consent in in_force(member, machine.id, recipient, on)
        if recipient_rule(member.slug, consent) is None
    ]
    granted = [consent for consent in standing if _accepted(members, member, consent, recipient, on)]
    return _view(member, machine, granted, on)


def in_force(member: Member, machine: str, recipient: str, on: date) -> list[Consent]:
    """The consents for this recipient on that day, above ``none``; first and last day included.

    A ``none`` in force for the recipient wins over everything, also over what all members may see.
    """
    addressed = {recipient, MEMBERS} if recipient.startswith(_MEMBER) else {recipient}
    current = [
        consent
        for consent in member.consents
        if consent.machine == machine
        and consent.recipient in addressed
        and consent.since <= on
        and (consent.until is None or on <= consent.until)
    ]
    withdrawn = {consent.recipient for consent in current if consent.level is Level.NONE}
    return [] if withdrawn else current


def is_recipient(recipient: str) -> bool:
    """Whether this names one recipient: the coordinator, a member or a start-up."""
    kind, colon, slug = recipient.partition(":")
    return recipient == COORDINATOR or (f"{kind}{colon}" in (_MEMBER, _STARTUP) and bool(SLUG.fullmatch(slug)))


def recipient_rule(owner: str, consent: Consent) -> str | None:
    """Which rule the recipient of a consent breaks, as a sentence; None when it breaks none."""
    recipient = consent.recipient
    if recipient != MEMBERS and not is_recipient(recipient):
        return "must be 'coordinator', 'members', 'member:<slug>' or 'startup:<slug>'"
    if recipient == f"{_MEMBER}{owner}":
        return "a member needs no consent for its own machines"
    startup = recipient.startswith(_STARTUP)
    if consent.level is Level.STREAM and not startup:
        return "level 'stream' is for a start-up alone: 'startup:<slug>'"
    if consent.level in (Level.OFFERS, Level.HOURS) and startup:
        return (
            f"level {consent.level.value!r} is for the coordinator and for members; a start-up has 'stream' or 'none'"
        )
    if consent.level is Level.HOURS and recipient == MEMBERS:
        return "level 'hours' is for the coordinator, or bilateral with one member: 'member:<slug>'"
    return None


def raises(before: Iterable[Consent], after: Iterable[Consent]) -> bool:
    """Whether ``after`` shows anything that ``before`` does not: it then takes the member's signatory too.

    Both are the consents of one machine. A new recipient or level, an earlier beginning (history), a later end, a
    further quantity or purpose and a lifted exclusion raise; everything else lowers.
    """
    old, new = list(before), list(after)
    excluded = {consent.recipient for consent in old if consent.level is Level.NONE}
    still = {consent.recipient for consent in new if consent.level is Level.NONE}
    if excluded - still and any(consent.level is not Level.NONE for consent in new):
        return True
    return any(
        consent.level is not Level.NONE and not any(_within(consent, earlier) for earlier in old) for consent in new
    )


def _within(consent: Consent, earlier: Consent) -> bool:
    return (
        (consent.machine, consent.recipient, consent.level, consent.purpose)
        == (earlier.machine, earlier.recipient, earlier.level, earlier.purpose)
        and consent.since >= earlier.since
        and (earlier.until is None or (consent.until is not None and consent.until <= earlier.until))
        and set(consent.quantities) <= set(earlier.quantities)
    )


def answers_to(rule: str) -> tuple[str, ...]:
    """The answers that an owner can give to a flag of the rule; any but structural under-use stays with the owner."""
    return ("propose", "reserve", "wrong") if rule in PUBLISHABLE else ("reserve", "wrong")


def published_rules(member: Member, machine: str) -> frozenset[str]:
    """Rules whose flag of this machine the owner's newest answer publishes (*proposer*); never one of another rule."""
    newest: dict[str, tuple[float, str]] = {}
    for answer in member.answers:
        at = answer.at.timestamp()
        if answer.machine == machine and at >= newest.get(answer.rule, (at, ""))[0]:
            newest[answer.rule] = (at, answer.answer)
    return frozenset(rule for rule, (_, answer) in newest.items() if answer == "propose" and rule in PUBLISHABLE)


def may_be_offered(machine: Machine) -> bool:
    """Whether the machine can be lent at all; a utility, such as a compressor, never is."""
    return machine.shareable and machine.trade is not Trade.UTILITY


def _accepted(members: Mapping[str, Member], owner: Member, consent: Consent, recipient: str, on: date) -> bool:
    """``hours`` between members hold only when both have accepted: the other one grants ``hours`` in return."""
    if consent.level is not Level.HOURS or not recipient.startswith(_MEMBER):
        return True
    other = members.get(recipient.removeprefix(_MEMBER))
    if other is None:
        return False
    return any(
        granted.level is Level.HOURS
        for machine in other.machines
        for granted in in_force(other, machine.id, f"{_MEMBER}{owner.slug}", on)
    )


def _owner(member: Member, machine: Machine) -> View:
    return View(
        levels=frozenset(),
        owner=True,
        exists=True,
        identity="name",
        windows=True,
        probability=True,
        hours=True,
        findings=frozenset(answer.rule for answer in member.answers if answer.machine == machine.id),
        quantities=frozenset({"state", "utilisation", "power_w", "energy_wh", "count"}),
        since=date.min,
    )


def _view(member: Member, machine: Machine, granted: list[Consent], on: date) -> View:
    levels = frozenset(consent.level for consent in granted)
    if not levels:
        return NOTHING
    hours, streams = Level.HOURS in levels, [consent for consent in granted if consent.level is Level.STREAM]
    windows = bool(levels & {Level.OFFERS, Level.HOURS}) and may_be_offered(machine) and _offered(machine, on)
    return View(
        levels=levels,
        exists=True,
        identity="name" if hours else "attributes" if Level.OFFERS in levels else "pseudonym",
        windows=windows,
        probability=windows and machine.offer is not None and machine.offer.kind == "measured",
        hours=hours,
        findings=published_rules(member, machine.id) if hours else frozenset(),
        quantities=frozenset(quantity for consent in streams for quantity in consent.quantities),
        since=_history(granted, on),
    )


def _offered(machine: Machine, on: date) -> bool:
    offer = machine.offer
    return (
        offer is not None and (offer.since is None or offer.since <= on) and (offer.until is None or on <= offer.until)
    )


def _history(granted: list[Consent], on: date) -> date | None:
    """From the consent's date; of ``hours`` 12 weeks at most. ``offers`` alone show windows valid now."""
    starts = [consent.since for consent in granted if consent.level is Level.STREAM]
    starts += [max(consent.since, on - _HISTORY) for consent in granted if consent.level is Level.HOURS]
    return min(starts, default=None)
