"""Changes to the registry's files: comments stay, nothing is written that :func:`fleet.registry.load` would refuse.

Every function takes the folder's lock, edits the file's document, checks the whole result and replaces the file in one
step. Values are given as models of ``fleet.network`` or as mappings of the same fields; a field set to None is removed.

All functions raise :class:`EditRefused`, and OSError when the disk refuses; the files are then as they were.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from fleet import files
from fleet.batch import MachineKey
from fleet.checks import RegistryProblem, parse_member, parse_network
from fleet.consent import answers_to
from fleet.network import Answer, Calibration, Consent, Feed, Machine, Member, Network, Offer
from fleet.plausible import MARKS, contradictions
from fleet.toml_tables import Table, append, find, merge, plain, spaced, take_where, unchanged
from fleet.topics import SLUG

Fields = Mapping[str, object]


class EditRefused(ValueError):
    """The change is not made.

    Attributes:
        field: path of the field, such as ``machines[2].feeds[0].topic``, or the name of the argument.
        value: as given, shortened.
        rule: what it breaks.
    """

    def __init__(self, field: str, value: str, rule: str) -> None:
        super().__init__(f"{field}{f' = {value}' if value else ''}: {rule}")
        self.field, self.value, self.rule = field, value, rule


def write_network(folder: Path, network: Network | Fields) -> Network:
    """Create or change ``network.toml``: the given fields are set, the others stay."""
    path = folder / files.NETWORK
    folder.mkdir(parents=True, exist_ok=True)
    with files.locked(folder):
        document = _open(path) if path.exists() else tomlkit.document()
        merge(document, plain(network))
        text = spaced(tomlkit.dumps(document))
        checked, problems = parse_network(text)
        if checked is None:
            raise _refused(problems)
        files.replace_text(path, text)
        return checked


def add_member(folder: Path, member: Member | Fields) -> Member:
    """Write the file of a new member, with whatever machines and consents it brings.

    The slug of a member that was removed is refused: consents of others name it, and stored readings carry it.
    """
    data = plain(member)
    slug = str(data.get("slug", ""))
    if not SLUG.fullmatch(slug):
        raise EditRefused("slug", repr(slug), "only a-z, 0-9 and hyphens inside, 1 to 64 characters")
    path = files.member_path(folder, slug)
    with files.locked(folder):
        if path.exists():
            raise EditRefused("slug", repr(slug), "there is a member of this name already")
        if kept := files.removed_files(folder, slug):
            rule = f"was another member's: put {kept[-1]} back into {folder / files.MEMBERS}, or take another slug"
            raise EditRefused("slug", repr(slug), rule)
        document = tomlkit.document()
        merge(document, data)
        return _write(path, slug, document)


def change_member(folder: Path, slug: str, fields: Fields) -> Member:
    """Set fields of a member other than its slug; a mapping (place, calendar) is merged field by field."""
    if "slug" in fields and fields["slug"] != slug:
        raise EditRefused("slug", repr(fields["slug"]), "a member keeps its slug: topics, logins and buckets carry it")
    return _change(folder, slug, lambda document: merge(document, plain(fields)))


def remove_member(folder: Path, slug: str, at: datetime) -> Path:
    """Take the member's file out of the members: where it is kept. What is stored stays until its retention ends."""
    with files.locked(folder):
        kept = files.removed_path(folder, slug, at)
        files.move(_existing(folder, slug), kept)
        return kept


def add_machine(folder: Path, slug: str, machine: Machine | Fields) -> Member:
    """Append one machine to its member."""
    return add_machines(folder, slug, [machine])


def add_machines(folder: Path, slug: str, machines: Iterable[Machine | Fields]) -> Member:
    """Append machines in one step: all of them or none."""
    added = [plain(machine) for machine in machines]

    def change(document: Table) -> None:
        for data in added:
            append(document, "machines", data)

    return _change(folder, slug, change)


def change_machine(folder: Path, key: MachineKey, fields: Fields) -> Member:
    """Set fields of a machine other than its id; a mapping (calendar, attributes) is merged field by field."""
    if "id" in fields and fields["id"] != key.machine:
        raise EditRefused("id", repr(fields["id"]), "a machine keeps its id: topics and stored readings carry it")
    return _change(folder, key.member, lambda document: merge(_machine(document, key), plain(fields)))


def remove_machine(folder: Path, key: MachineKey) -> Member:
    """Delete a machine with its consents and answers. What the store keeps of it stays until its retention ends."""

    def change(document: Table) -> None:
        _machine(document, key)
        take_where(document, "machines", lambda machine: machine.get("id") == key.machine)
        for table in ("consents", "answers"):
            take_where(document, table, lambda entry: entry.get("machine") == key.machine)

    return _change(folder, key.member, change)


def set_feed(folder: Path, key: MachineKey, feed: Feed | Fields) -> Member:
    """Add a feed, or change the one of the same topic and channel."""
    data = plain(feed)

    def change(document: Table) -> None:
        machine = _machine(document, key)
        known = find(machine, "feeds", lambda entry: _same(entry, data, ("topic", "channel")))
        if known is None:
            append(machine, "feeds", data)
        else:
            merge(known, data)

    return _change(folder, key.member, change)


def replace_feeds(folder: Path, key: MachineKey, feed: Feed | Fields) -> Member:
    """Make this the machine's one feed, whatever it had; everything else of the machine stays."""
    data = plain(feed)

    def change(document: Table) -> None:
        machine = _machine(document, key)
        take_where(machine, "feeds", lambda entry: True)
        append(machine, "feeds", data)

    return _change(folder, key.member, change)


def remove_feed(folder: Path, key: MachineKey, topic: str, channel: str | None = None) -> Member:
    """Delete the feed of this topic and channel."""

    def change(document: Table) -> None:
        wanted = {"topic": topic, "channel": channel}
        machine = _machine(document, key)
        if not take_where(machine, "feeds", lambda entry: _same(entry, wanted, ("topic", "channel"))):
            raise EditRefused("topic", repr(topic), f"machine {key.machine!r} has no feed of this topic and channel")

    return _change(folder, key.member, change)


def calibrate(folder: Path, key: MachineKey, calibration: Calibration | Fields) -> Member:
    """Set what is given of "off", "standby", "working" (watts) and ``at``; what is not given stays.

    A mark that contradicts another one is refused: "off" must lie below "standby", and that below "working".
    """
    given = plain(calibration)

    def change(document: Table) -> None:
        machine = _machine(document, key)
        merge(machine, {"calibration": given})
        _consistent(machine.get("calibration", {}), given)

    return _change(folder, key.member, change)


def set_offer(folder: Path, key: MachineKey, offer: Offer | Fields | None) -> Member:
    """Replace the machine's offer; None withdraws it."""

    def change(document: Table) -> None:
        machine = _machine(document, key)
        merge(machine, {"offer": None})
        merge(machine, {"offer": plain(offer) if offer is not None else None})

    return _change(folder, key.member, change)


def set_consent(folder: Path, slug: str, consent: Consent | Fields) -> Member:
    """Put one consent in force.

    It replaces the one of the same machine, recipient and purpose. Level ``none`` replaces every consent of that
    machine and recipient, whatever its purpose; any other level lifts such a ``none``.
    """
    data = plain(consent)
    lowered = data.get("level") == "none"

    def replaced(entry: Fields) -> bool:
        if not _same(entry, data, ("machine", "recipient")):
            return False
        return lowered or entry.get("level") == "none" or entry.get("purpose") == data.get("purpose")

    def change(document: Table) -> None:
        take_where(document, "consents", replaced)
        append(document, "consents", data)

    return _change(folder, slug, change)


def set_answer(folder: Path, slug: str, answer: Answer | Fields) -> Member:
    """Keep the owner's answer to a flag. Earlier answers stay, so that precision can be reported; the newest counts."""
    data = plain(answer)
    known = answers_to(str(data.get("rule")))
    if data.get("answer") not in known:
        raise EditRefused("answer", repr(data.get("answer")), f"a flag of {data.get('rule')} has {', '.join(known)}")
    return _change(folder, slug, lambda document: append(document, "answers", data))


def confirm_works(folder: Path, key: MachineKey, at: datetime) -> Member:
    """The owner's word, on that day, that the machine works."""
    return change_machine(folder, key, {"works_confirmed": at.date()})


def _change(folder: Path, slug: str, change: Callable[[Table], None]) -> Member:
    with files.locked(folder):
        path = _existing(folder, slug)
        document = _open(path)
        _, problems = parse_member(path.read_text(encoding="utf-8"), slug)
        if problems:
            raise EditRefused(str(path), "", f"repair the file first: {problems[0]}")
        change(document)
        return _write(path, slug, document)


def _existing(folder: Path, slug: str) -> Path:
    path = files.member_path(folder, slug) if SLUG.fullmatch(slug) else None
    if path is None or not path.is_file():
        raise EditRefused("member", repr(slug), f"there is no such member in {folder / files.MEMBERS}")
    return path


def _open(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise EditRefused(str(path), "", f"repair the file first: {error}") from error


def _write(path: Path, slug: str, document: tomlkit.TOMLDocument) -> Member:
    text = spaced(tomlkit.dumps(document))
    member, problems = parse_member(text, slug)
    if member is None:
        raise _refused(problems)
    if not unchanged(document, text):
        raise EditRefused(str(path), "", "its layout cannot be kept by this change: edit the file by hand")
    files.replace_text(path, text)
    return member


def _refused(problems: list[RegistryProblem]) -> EditRefused:
    first = problems[0]
    return EditRefused(first.key or first.file, first.value, first.rule)


def _machine(document: Table, key: MachineKey) -> Table:
    found = find(document, "machines", lambda machine: machine.get("id") == key.machine)
    if found is None:
        raise EditRefused("machine", repr(key.machine), f"member {key.member!r} has no machine of this id")
    return found


def _consistent(marks: Fields, given: Fields) -> None:
    """Refuse a given mark that contradicts one that stands there; values of a wrong type are refused elsewhere."""
    watts: dict[str, float] = {name: value for name in MARKS if isinstance(value := marks.get(name), int | float)}
    for lower, higher in contradictions(watts):
        if given.get(lower) is not None or given.get(higher) is not None:
            names = [name.removesuffix("_w") for name in (lower, higher)]
            rule = f"{names[0]} must lie below {names[1]} ({watts[higher]:g} W): one of the two is wrong, mark it again"
            raise EditRefused(f"calibration.{lower}", f"{watts[lower]:g} W", rule)


def _same(entry: Fields, wanted: Fields, names: tuple[str, ...]) -> bool:
    return all(entry.get(name) == wanted.get(name) for name in names)
