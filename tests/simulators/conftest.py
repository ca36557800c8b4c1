"""One machine of each kind in a small network, and the same at any seed."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from fleet import registry
from fleet.network import Calendar, Closure, Day, Holidays, Machine, Member, Network, Place, Shift
from fleet.registry import Registry
from simulators import network
from simulators.machines import KINDS
from simulators.plant import Plant, plants_of
from simulators.timeline import Timeline, counting_since

NOW = datetime(2026, 3, 25, 9, 30, tzinfo=UTC)
DAYS = tuple(Day)[:5]
CALENDAR = Calendar(
    staffed=(
        Shift(days=DAYS, start=time(5), end=time(13)),
        Shift(days=DAYS, start=time(13), end=time(21)),
    ),
    closures=(Closure(first=date(2026, 2, 9), last=date(2026, 2, 15)),),
)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def small_registry(machines: tuple[Machine, ...], calendar: Calendar = CALENDAR) -> Registry:
    place = Place(commune="Ici")
    net = Network(name="n", place=place, timezone="Europe/Paris", holidays=Holidays(country="FR", subdivision="6AE"))
    member = Member(slug="atelier", name="Atelier", place=place, calendar=calendar, machines=machines)
    return Registry(Path(), net, {"atelier": member})


def one_of_each(seed: int = 1) -> list[Plant]:
    machines = tuple(Machine(id=kind.name, name=kind.name, trade=kind.trade, every=900) for kind in KINDS)
    return plants_of(seed, small_registry(machines))


@pytest.fixture
def timelines() -> Callable[..., list[Timeline]]:
    """New timelines of one machine of each kind, at a seed."""

    def make(seed: int = 1) -> list[Timeline]:
        return [Timeline(plant, counting_since(NOW.date())) for plant in one_of_each(seed)]

    return make


@pytest.fixture
def fleet(tmp_path: Path) -> Registry:
    """The fictional network, written and read back."""
    network.write(tmp_path / "fleet", seed=1, now=NOW)
    return registry.load(tmp_path / "fleet")
