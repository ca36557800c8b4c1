"""The registry: ``network.toml``, ``members/*.toml`` and ``profiles/*.toml`` as one checked, immutable picture.

:func:`load` never raises for what a file contains: a broken file becomes a :class:`RegistryProblem`, and the last good
version of that file stays in force. :class:`Watcher` follows the files while a program runs.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from fleet import files
from fleet.batch import MachineKey
from fleet.calendars import calendar_of
from fleet.checks import RegistryProblem, parse_member, parse_network
from fleet.network import Calendar, Machine, Member, Network
from fleet.routes import Route, Routes, routes_of
from fleet.topics import SLUG
from fleet.watch import Watcher

__all__ = ["Registry", "RegistryMissing", "RegistryProblem", "Route", "Routes", "Watcher", "init", "load"]


class RegistryMissing(Exception):
    """There is no usable network: no folder, no ``network.toml``, or a broken one and no earlier version of it.

    Attributes:
        problems: what is wrong in ``network.toml``; empty when it is not there.
    """

    def __init__(self, message: str, problems: tuple[RegistryProblem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


@dataclass(frozen=True)
class Registry:
    """The network and its members as they are in force.

    Attributes:
        folder: where the files are.
        members: by slug, sorted.
        problems: what is wrong in the files; the last good version of such a file is in force, if there was one.
        profiles: text of each mapping profile of the fleet's own, by format; only the collector knows what it means.
    """

    folder: Path
    network: Network
    members: Mapping[str, Member]
    problems: tuple[RegistryProblem, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """File -> hash of the text that is in force; spares parsing what has not changed."""
    profiles: Mapping[str, str] = field(default_factory=dict, repr=False)

    def machine(self, key: MachineKey) -> Machine | None:
        """The machine, or None when no member has it."""
        return self._by_key.get(key)

    def machines(self) -> Iterator[tuple[Member, Machine]]:
        """Every machine with its member, by member, then as in the file."""
        return ((member, machine) for member in self.members.values() for machine in member.machines)

    def zone(self, member: str) -> ZoneInfo:
        """Time zone of a member; the network's when it has none of its own or does not exist."""
        known = self.members.get(member)
        return ZoneInfo((known.timezone if known else None) or self.network.timezone)

    def calendar(self, key: MachineKey) -> Calendar:
        """The calendar in force for a machine, by ``fleet.calendars.calendar_of``; an empty one when there is none."""
        member, machine = self.members.get(key.member), self.machine(key)
        return Calendar() if member is None or machine is None else calendar_of(member, machine)

    def routes(self) -> Routes:
        """Which topic is which machine in which format; made once."""
        return self._routes

    @cached_property
    def digest(self) -> str:
        """16 hex digits of the content in force; comments, order of keys and formatting do not matter in members."""
        content: dict[str, object] = {"network": self.network, "members": list(self.members.values())}
        if self.profiles:
            content["profiles"] = dict(self.profiles)
        text = json.dumps(content, default=lambda model: model.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _by_key(self) -> dict[MachineKey, Machine]:
        return {MachineKey(member.slug, machine.id): machine for member, machine in self.machines()}

    @cached_property
    def _routes(self) -> Routes:
        return Routes(route for member in self.members.values() for route in routes_of(member, self.zone(member.slug)))


def load(folder: Path | str, previous: Registry | None = None) -> Registry:
    """Read all files; of a file that is broken now, the version of ``previous`` stays in force.

    Raises:
        RegistryMissing: there is no network to work with; its message says what to do.
    """
    root = Path(folder)
    problems: list[RegistryProblem] = []
    texts: dict[str, str] = {}
    network = _network(root, previous, problems, texts)
    members: dict[str, Member] = {}
    for path in files.member_files(root):
        member = _member(path, previous, problems, texts)
        if member is not None:
            members[member.slug] = member
    profiles = _profiles(root, previous, problems)
    return Registry(root, network, members, tuple(problems), texts, profiles)


def init(
    folder: Path | str,
    *,
    name: str,
    commune: str,
    timezone: str,
    country: str | None = None,
    subdivision: str | None = None,
    postcode: str | None = None,
    languages: tuple[str, ...] = ("fr", "de", "en"),
) -> Registry:
    """Write a first ``network.toml`` and an empty ``members`` folder, and load them.

    Raises:
        FileExistsError: there is a ``network.toml`` already.
        fleet.edit.EditRefused: a value breaks a rule; nothing is written.
    """
    from fleet.edit import write_network  # it edits what this module loads: imported late, or the two would form a ring

    root = Path(folder)
    if (root / files.NETWORK).exists():
        raise FileExistsError(f"{root / files.NETWORK} exists already: edit it, or choose another folder")
    place = {"commune": commune} | ({"postcode": postcode} if postcode else {})
    data: dict[str, object] = {"name": name, "timezone": timezone, "languages": list(languages), "place": place}
    if country:
        data["holidays"] = {"country": country} | ({"subdivision": subdivision} if subdivision else {})
    (root / files.MEMBERS).mkdir(parents=True, exist_ok=True)
    write_network(root, data)
    return load(root)


def _network(root: Path, previous: Registry | None, problems: list[RegistryProblem], texts: dict[str, str]) -> Network:
    path = root / files.NETWORK
    if previous is None and not path.is_file():
        raise RegistryMissing(f"there is no {path}: write one (docs/deploy.md shows it) or name another folder")
    text = _read(path, files.NETWORK, problems)
    network: Network | None = None
    if text is not None:
        network, found = parse_network(text, files.NETWORK)
        problems += found
    if network is not None:
        texts[files.NETWORK] = _hash(text or "")
        return network
    if previous is None:
        first = problems[0] if problems else f"{path} cannot be read"
        raise RegistryMissing(f"the network cannot be read, and there is no earlier version: {first}", tuple(problems))
    return previous.network


def _member(
    path: Path, previous: Registry | None, problems: list[RegistryProblem], texts: dict[str, str]
) -> Member | None:
    slug, name = path.name.removesuffix(".toml"), f"{files.MEMBERS}/{path.name}"
    if not SLUG.fullmatch(slug):
        rule = "a member's file is named <slug>.toml: a-z, 0-9 and hyphens inside, 1 to 64 characters"
        problems.append(RegistryProblem(name, "", "", rule))
        return None
    earlier = previous.members.get(slug) if previous else None
    text = _read(path, name, problems)
    if text is not None:
        if earlier is not None and previous is not None and previous.texts.get(name) == _hash(text):
            texts[name] = _hash(text)
            return earlier
        member, found = parse_member(text, slug, name)
        problems += found
        if member is not None:
            texts[name] = _hash(text)
            return member
    if earlier is not None and previous is not None and name in previous.texts:
        texts[name] = previous.texts[name]
    return earlier


def _profiles(root: Path, previous: Registry | None, problems: list[RegistryProblem]) -> dict[str, str]:
    """Texts that are TOML; what they say is the collector's to judge."""
    found: dict[str, str] = {}
    for path in files.profile_files(root):
        name, file = path.name.removesuffix(".toml"), f"{files.PROFILES}/{path.name}"
        text = _read(path, file, problems)
        try:
            tomllib.loads(text or "")
        except tomllib.TOMLDecodeError as error:
            problems.append(RegistryProblem(file, "", "", str(error)))
            text = None
        if text is None and previous is not None:
            text = previous.profiles.get(name)
        if text is not None:
            found[name] = text
    return found


def _read(path: Path, name: str, problems: list[RegistryProblem]) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problems.append(RegistryProblem(name, "", "", f"not UTF-8: byte {error.start} cannot be read"))
    except OSError as error:
        problems.append(RegistryProblem(name, "", "", f"cannot be read: {error.strerror or error}"))
    return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
