"""From the text of a registry file to its model, or to problems that name key, value, rule and line.

Beside what the models check field by field, the rules that join several fields stand here: names and topics that must
not meet twice, feeds that must stay below their member, spans that must not end before they begin.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from fleet.calendars import holiday_dates
from fleet.consent import recipient_rule
from fleet.network import VERSION, Machine, Member, Network
from fleet.toml_lines import find_line
from fleet.topics import reading_topic

_Model = TypeVar("_Model", bound=BaseModel)
_SHOWN: Final = 80  # characters of a wrong value that are repeated in a message


@dataclass(frozen=True, slots=True)
class RegistryProblem:
    """What is wrong in one registry file.

    Attributes:
        file: relative to the fleet's folder, such as ``members/dupont.toml``.
        key: path such as ``machines[2].feeds[0].topic``; "" for the file as a whole.
        value: the value as it stands there, shortened; "" when there is none.
        rule: what it breaks, as a sentence without full stop.
        line: line of the key, or of the closest table around it, counted from 1; None when not known.
    """

    file: str
    key: str
    value: str
    rule: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        what = f" {self.key}" if self.key else ""
        value = f" = {self.value}" if self.value else ""
        return f"{place}{':' if what else ''}{what}{value}: {self.rule}"


def parse_network(text: str, file: str = "network.toml") -> tuple[Network | None, list[RegistryProblem]]:
    """The network of a file's text; None with at least one problem when it breaks a rule. Never raises for content."""
    version = _version(text)
    if version > VERSION:
        rule = f"made for a newer program; this one reads version {VERSION}: install a newer one"
        return None, [RegistryProblem(file, "version", str(version), rule, find_line(text, "version"))]
    network, problems = _parse(Network, text, file)
    if network is not None and network.holidays is not None:
        try:
            holiday_dates(network.holidays, 2025, 2025)
        except ValueError as error:
            key = "holidays.subdivision" if network.holidays.subdivision else "holidays.country"
            value = network.holidays.subdivision or network.holidays.country
            return None, [RegistryProblem(file, key, _shown(value), str(error), find_line(text, key))]
    return network, problems


def _version(text: str) -> int:
    """What the file says, before anything is said of keys that only a newer program knows; 0 when that is no number."""
    try:
        version = tomllib.loads(text).get("version", VERSION)
    except (tomllib.TOMLDecodeError, RecursionError):
        return 0
    return version if isinstance(version, int) else 0


def parse_member(text: str, slug: str, file: str | None = None) -> tuple[Member | None, list[RegistryProblem]]:
    """The member of a file's text; None with at least one problem when it breaks a rule. Never raises for content.

    ``slug`` is the file's name without ``.toml``, which the member's own slug must equal.
    """
    name = f"members/{slug}.toml" if file is None else file
    member, problems = _parse(Member, text, name)
    if member is None:
        return None, problems
    found = [
        RegistryProblem(name, key, _shown(value), rule, find_line(text, key))
        for key, value, rule in (
            *_name(member, slug),
            *_machines(member),
            *_feeds(member),
            *_spans(member),
            *_refs(member),
        )
    ]
    return (None, found) if found else (member, [])


def problems_of(error: ValidationError, file: str, text: str = "") -> list[RegistryProblem]:
    """What a model's validation found, in the words of the registry."""
    found = []
    for item in error.errors(include_url=False):
        key = key_path(item["loc"])
        rule = _rule(item["type"], item["msg"])
        value = "" if item["type"] == "missing" else _shown(item["input"])
        found.append(RegistryProblem(file, key, value, rule, find_line(text, key) if text else None))
    return found


def key_path(levels: Sequence[int | str]) -> str:
    """``("machines", 2, "feeds", 0, "topic")`` as ``machines[2].feeds[0].topic``; counted from 0."""
    path = ""
    for level in levels:
        path += f"[{level}]" if isinstance(level, int) else f".{level}" if path else level
    return path


def _parse(model: type[_Model], text: str, file: str) -> tuple[_Model | None, list[RegistryProblem]]:
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = re.search(r"at line (\d+)", str(error))
        return None, [RegistryProblem(file, "", "", f"not TOML: {error}", int(where[1]) if where else None)]
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, problems_of(error, file, text)


def _rule(kind: str, message: str) -> str:
    if kind == "missing":
        return "this key is required"
    if kind == "extra_forbidden":
        return "no such key"
    return message.removeprefix("Value error, ")


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else value.isoformat() if isinstance(value, date) else repr(value)
    if isinstance(value, str):
        text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


_Found = Iterator[tuple[str, object, str]]


def _name(member: Member, slug: str) -> _Found:
    if member.slug != slug:
        yield "slug", member.slug, f"must equal the file's name, {slug!r}"


def _machines(member: Member) -> _Found:
    seen: dict[str, int] = {}
    for index, machine in enumerate(member.machines):
        if machine.id in seen:
            yield f"machines[{index}].id", machine.id, f"machines[{seen[machine.id]}] has this id already"
        seen.setdefault(machine.id, index)


def _feeds(member: Member) -> _Found:
    canonical = {reading_topic(member.slug, machine.id): machine.id for machine in member.machines}
    claimed: dict[tuple[str, str | None], str] = {}
    for index, machine in enumerate(member.machines):
        for place, feed in enumerate(machine.feeds):
            key = f"machines[{index}].feeds[{place}].topic"
            if feed.topic.split("/")[1] != member.slug:
                yield (
                    key,
                    feed.topic,
                    f"lies below another member; it must begin with m/{member.slug}/ or spBv1.0/{member.slug}/",
                )
            elif not filter_is_valid(feed.topic):
                yield key, feed.topic, "'+' must fill a whole level and '#' must be the last level, alone"
            elif canonical.get(feed.topic, machine.id) != machine.id:
                yield key, feed.topic, f"is the own topic of machine {canonical[feed.topic]!r}"
            elif (feed.topic, feed.channel) in claimed:
                owner = claimed[feed.topic, feed.channel]
                yield key, feed.topic, f"machine {owner!r} has this topic and channel already"
            claimed.setdefault((feed.topic, feed.channel), machine.id)


def filter_is_valid(pattern: str) -> bool:
    """Whether the wildcards of an MQTT topic filter stand where MQTT allows them (MQTT 5, 4.7.1)."""
    levels = pattern.split("/")
    return "\0" not in pattern and all(
        not ("+" in level and level != "+") and not ("#" in level and (level != "#" or index != len(levels) - 1))
        for index, level in enumerate(levels)
    )


def _spans(member: Member) -> _Found:
    calendars: list[tuple[str, Any]] = [("calendar", member.calendar)]
    for index, machine in enumerate(member.machines):
        if machine.calendar is not None:
            calendars.append((f"machines[{index}].calendar", machine.calendar))
        yield from _machine_spans(machine, f"machines[{index}]")
    for path, calendar in calendars:
        for place, closure in enumerate(calendar.closures):
            yield from _order(f"{path}.closures[{place}].last", closure.first, closure.last)
    for place, consent in enumerate(member.consents):
        yield from _order(f"consents[{place}].until", consent.since, consent.until)


def _machine_spans(machine: Machine, path: str) -> _Found:
    for place, reservation in enumerate(machine.reservations):
        key = f"{path}.reservations[{place}].end"
        if (reservation.start.tzinfo is None) != (reservation.end.tzinfo is None):
            yield key, reservation.end, "start and end must both have a UTC offset, or neither"
        elif reservation.end <= reservation.start:
            yield key, reservation.end, "must be later than start"
    if machine.offer is not None:
        yield from _order(f"{path}.offer.until", machine.offer.since, machine.offer.until)


def _order(key: str, first: date | datetime | None, last: date | datetime | None) -> _Found:
    if first is not None and last is not None and last < first:
        yield key, last, f"must not be earlier than {first.isoformat()}"


def _refs(member: Member) -> _Found:
    known = {machine.id for machine in member.machines}
    for place, consent in enumerate(member.consents):
        if consent.machine not in known:
            yield f"consents[{place}].machine", consent.machine, "no machine of this member has this id"
        rule = recipient_rule(member.slug, consent)
        if rule is not None:
            yield f"consents[{place}].recipient", consent.recipient, rule
    for place, answer in enumerate(member.answers):
        if answer.machine not in known:
            yield f"answers[{place}].machine", answer.machine, "no machine of this member has this id"
