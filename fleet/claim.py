"""A machine out of a device that speaks and belongs to none, and back again: one way for the command and the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleet import edit, registry
from fleet.batch import MachineKey
from fleet.edit import EditRefused
from fleet.network import Machine, Member
from fleet.topics import slugify
from fleet.trade_guess import TradeGuess

_EVERY: Final = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_DEFAULT_EVERY: Final = 300


@dataclass(frozen=True)
class Proposal:
    """What a device is taken for.

    Attributes:
        topic: of the feed, a filter where several topics of the device carry readings.
        channel: which part of a payload with several; None for the whole or the only one.
        score, reason: of format and channel, 0 to 1.
        name: the topic level that names the device.
        every: longest normal distance of two readings, seconds.
    """

    topic: str
    format: str
    channel: str | None
    score: float
    reason: str
    name: str
    trade: TradeGuess
    every: int


def proposed_fields(member: Member, found: Proposal, name: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the machine that ``found`` would become; what is given and not None goes before what was guessed.

    ``given`` may have id, trade, every, rated_w, format, channel, scale_w.

    Raises:
        ValueError: nothing of the name can stand in an id.
    """
    chosen = {key: value for key, value in given.items() if value is not None}
    shown = found.name.replace("-", " ").replace("_", " ")
    fields: dict[str, Any] = {
        "id": machine_id(found.name if name is None else name, [one.id for one in member.machines]),
        "name": name or other_name(member.machines, shown[:1].upper() + shown[1:]),
        "trade": found.trade.trade.value,
        "every": found.every,
    } | {key: chosen[key] for key in ("id", "trade", "every", "rated_w") if key in chosen}
    feed = {"topic": found.topic, "format": found.format, "channel": found.channel}
    feed |= {key: chosen[key] for key in ("format", "channel", "scale_w") if key in chosen}
    fields["feeds"] = [{key: value for key, value in feed.items() if value}]
    return fields


def claim(folder: Path, slug: str, fields: Mapping[str, Any]) -> Machine:
    """Write the machine into its member's file; what its device sent before becomes readings.

    Raises:
        fleet.edit.EditRefused: a value breaks a rule, or a machine of the member has this name; the file is as it was.
        OSError: the disk refuses.
    """
    machines, name = _machines(folder, slug), str(fields.get("name", ""))
    if (known := named(machines, name)) is not None:
        offered = other_name(machines, name)
        raise EditRefused(
            "name", repr(name), f"{slug} has {known.id!r} of this name already: take {offered!r}, or another"
        )
    return edit.add_machine(folder, slug, fields).machines[-1]


def release(folder: Path, key: MachineKey) -> None:
    """Take a claim back: the machine, its consents and answers leave the file, and its device is unclaimed from its
    next message on. What is stored stays until its retention ends.

    Raises:
        fleet.edit.EditRefused: there is no such machine.
        OSError: the disk refuses.
    """
    edit.remove_machine(folder, key)


def named(machines: Sequence[Machine], name: str) -> Machine | None:
    """The machine that people would take for one of this name: capitals, accents, spaces and hyphens aside."""
    return next((one for one in machines if _plain(one.name) == _plain(name)), None)


def other_name(machines: Sequence[Machine], name: str) -> str:
    """The name if it is free, else the next one of its kind: ``Cabine 1 (2)``."""
    numbered = (f"{name[:190]} ({number})" for number in range(2, len(machines) + 3))
    return next(one for one in (name, *numbered) if named(machines, one) is None)


def _machines(folder: Path, slug: str) -> Sequence[Machine]:
    """Those that the member has already; what is wrong with the folder or the file is for the edit to say."""
    try:
        member = registry.load(folder).members.get(slug)
    except registry.RegistryMissing:
        return ()
    return () if member is None else member.machines


def _plain(name: str) -> str:
    try:
        return slugify(name)
    except ValueError:
        return name.casefold()


def usual_interval(first_ms: int, last_ms: int, messages: int) -> int:
    """The next usual interval above one and a half times the mean distance of a device's messages, seconds."""
    if messages < 3:
        return _DEFAULT_EVERY
    mean_s = (last_ms - first_ms) / 1000 / (messages - 1)
    return next((every for every in _EVERY if every >= 1.5 * mean_s), _EVERY[-1])


def machine_id(name: str, taken: Sequence[str]) -> str:
    """A free id for a machine of this name.

    Raises:
        ValueError: nothing of the name can stand in an id.
    """
    wanted = slugify(name)
    numbered = (f"{wanted[:60]}-{number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(one for one in numbered if one not in taken)
