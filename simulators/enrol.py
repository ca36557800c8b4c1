"""Machines of a recording as machines of the registry: found by slug, added when they are unknown."""

from collections.abc import Iterable
from pathlib import Path

from fleet import edit, registry
from fleet.batch import MachineKey
from fleet.network import Machine
from fleet.topics import slugify
from simulators.recording import Name, RecordingError


def enrol(folder: Path, member: str, names: Iterable[Name], every_s: float) -> tuple[dict[Name, MachineKey], int]:
    """The key of each named machine, and how many were added under their member.

    A member that is not there is made, at the network's own place, and keeps its readings for ever: a recording is old
    by right.

    Raises:
        RecordingError: two names become one slug, or none can.
        fleet.edit.EditRefused, OSError: the registry does not take them.
        fleet.registry.RegistryMissing: there is no network.
    """
    known = registry.load(folder)
    keys = _keys(names, member)
    unknown: dict[str, list[Machine]] = {}
    for name, key in keys.items():
        if known.machine(key) is None:
            machine = Machine(id=key.machine, name=name.machine[:200], every=every_s)
            unknown.setdefault(key.member, []).append(machine)
    for slug, machines in unknown.items():
        if slug in known.members:
            edit.add_machines(folder, slug, machines)
        else:
            place = known.network.place
            edit.add_member(
                folder,
                {"slug": slug, "name": slug, "place": place, "retention_days": 0, "machines": machines},
            )
    return keys, sum(map(len, unknown.values()))


def _keys(names: Iterable[Name], member: str) -> dict[Name, MachineKey]:
    keys: dict[Name, MachineKey] = {}
    taken: dict[MachineKey, Name] = {}
    for name in names:
        try:
            key = MachineKey(name.member or member, slugify(name.machine))
        except ValueError as error:
            raise RecordingError(str(error)) from error
        if key in taken:
            raise RecordingError(f"{taken[key].machine!r} and {name.machine!r} both become the machine {key.machine!r}")
        taken[key] = name
        keys[name] = key
    return keys
