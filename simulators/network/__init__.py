"""A fictional network of thirty manufacturers of northern Alsace: real communes, invented firms."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from fleet import edit, files
from fleet.network import Holidays, Member, Network
from simulators.network.calendars import calendar
from simulators.network.cast import CAST, Role, trades_of
from simulators.network.consents import answers, consents
from simulators.network.park import machines
from simulators.network.places import place
from simulators.noise import generator

__all__ = ["members", "network", "write"]

_ZONE = "Europe/Paris"


def network() -> Network:
    """The network itself."""
    return Network(
        name="Résilian – réseau de démonstration",
        place=place("haguenau"),
        timezone=_ZONE,
        holidays=Holidays(country="FR", subdivision="6AE"),
        languages=("fr", "de", "en"),
        coordinator="Bureau du réseau, Haguenau",
        contact="coordination@reseau.example",
        energy_eur_per_kwh=0.16,
    )


def members(seed: int, now: datetime) -> list[Member]:
    """The thirty members with their machines, consents and answers, as they stand at ``now`` (with an offset).

    The same seed and local day give the same members.
    """
    return [_member(role, seed, now) for role in CAST]


def write(folder: Path, seed: int, now: datetime) -> None:
    """Write ``network.toml`` and ``members/*.toml``; an existing file is left as it is, edited by a person or not.

    Raises:
        OSError: the disk refuses.
    """
    if not (folder / files.NETWORK).exists():
        edit.write_network(folder, network())
    for member in members(seed, now):
        if not files.member_path(folder, member.slug).exists():
            edit.add_member(folder, member)


def _member(role: Role, seed: int, now: datetime) -> Member:
    today = now.astimezone(ZoneInfo(_ZONE)).date()
    rng = generator(seed, role.slug, "member")
    owned = machines(seed, role.slug, trades_of(role.park), today)
    return Member(
        slug=role.slug,
        name=role.name,
        place=place(role.commune),
        contact=f"Service méthodes, methodes@{role.slug}.example",
        signatory="Direction du site",
        calendar=calendar(role.shifts, today, rng),
        machines=tuple(owned),
        consents=tuple(consents(owned, today, rng)),
        answers=tuple(answers(seed, role.slug, owned, today, rng)),
    )
