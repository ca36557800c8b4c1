"""The fictional network as its files say it."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

from fleet import registry
from fleet.batch import MachineKey
from fleet.consent import see
from fleet.network import Level, Trade
from fleet.registry import Registry
from simulators import network
from simulators.formats import FORMATS
from simulators.plant import load_of, plants_of
from tests.simulators.conftest import NOW


def test_thirty_members_with_about_150_machines(fleet: Registry) -> None:
    assert not fleet.problems
    assert len(fleet.members) == 30
    machines = [machine for _, machine in fleet.machines()]
    assert 140 <= len(machines) <= 165
    assert all(machine.every == 900 for machine in machines)
    trades = Counter(machine.trade for machine in machines)
    assert min(trades[trade] for trade in (Trade.PAINT, Trade.MACHINING, Trade.LASER, Trade.PRESS)) >= 8
    assert all(machine.shareable != (machine.trade is Trade.UTILITY) for machine in machines)
    assert fleet.network.languages == ("fr", "de", "en")
    assert (fleet.network.holidays and fleet.network.holidays.subdivision) == "6AE"


def test_members_are_in_northern_alsace(fleet: Registry) -> None:
    for member in fleet.members.values():
        assert member.place.latitude is not None
        assert member.place.longitude is not None
        assert 48.6 < member.place.latitude < 49.1
        assert 7.3 < member.place.longitude < 8.3
        assert (member.place.postcode or "").startswith("67")
        assert member.calendar.staffed
        assert any("été" in (closure.reason or "") for closure in member.calendar.closures)


def test_a_third_is_shown_to_the_coordinator_and_the_rest_to_nobody(fleet: Registry) -> None:
    shown = Counter(
        level
        for member in fleet.members.values()
        for consent in member.consents
        if consent.recipient == "coordinator"
        for level in [consent.level]
    )
    total = sum(1 for _ in fleet.machines())
    assert 0.25 < sum(shown.values()) / total < 0.45
    assert min(shown[Level.HOURS], shown[Level.OFFERS]) >= 10
    seen = [
        see(fleet.members, MachineKey(member.slug, machine.id), "coordinator", NOW.date())
        for member, machine in fleet.machines()
    ]
    assert sum(view.exists for view in seen) == sum(shown.values())
    assert any(view.windows for view in seen)


def test_offers_are_measured_or_declared_and_owners_have_answered(fleet: Registry) -> None:
    offers = Counter(machine.offer.kind for _, machine in fleet.machines() if machine.offer)
    assert offers["measured"] >= 20
    assert offers["declared"] >= 4
    answers = Counter(answer.answer for member in fleet.members.values() for answer in member.answers)
    assert set(answers) == {"propose", "reserve", "wrong"}


def test_paint_booths_are_structurally_under_used(fleet: Registry) -> None:
    loads = [load_of(1, member.slug, machine) for member, machine in fleet.machines() if machine.trade is Trade.PAINT]
    assert sum(load < 0.25 for load in loads) > len(loads) / 2
    others = [load_of(1, member.slug, machine) for member, machine in fleet.machines()]
    assert any(load > 0.85 for load in others)


def test_every_format_is_spoken_and_routed(fleet: Registry) -> None:
    plants = plants_of(1, fleet)
    assert {plant.format.name for plant in plants} == set(FORMATS)
    declared = sum(1 for _, machine in fleet.machines() if machine.offer and machine.offer.kind == "declared")
    assert len(plants) == sum(1 for _ in fleet.machines()) - declared
    for plant in plants:
        topic = plant.feed.topic.replace("/#", "/events/rpc")
        assert [route.key for route in fleet.routes().lookup(topic)] == [plant.key]


def test_the_same_seed_and_day_write_the_same_network(fleet: Registry, tmp_path: Path) -> None:
    network.write(tmp_path / "again", seed=1, now=NOW + timedelta(hours=3))
    network.write(tmp_path / "other", seed=2, now=NOW)
    assert registry.load(tmp_path / "again").digest == fleet.digest
    assert registry.load(tmp_path / "other").digest != fleet.digest


def test_what_a_person_wrote_stays(fleet: Registry) -> None:
    path = fleet.folder / "members" / "sorvelle.toml"
    path.write_text("# mine\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    (fleet.folder / "members" / "vauzelin.toml").unlink()
    network.write(fleet.folder, seed=1, now=NOW)
    assert path.read_text(encoding="utf-8").startswith("# mine")
    assert registry.load(fleet.folder).digest == fleet.digest


def test_some_offered_machines_were_lent_in_the_past_weeks(fleet: Registry) -> None:
    lent = [(machine, one) for _, machine in fleet.machines() for one in machine.reservations]
    assert len(lent) >= 10
    for machine, one in lent:
        assert one.lent
        assert machine.offer is not None
        assert machine.offer.since is not None
        assert machine.offer.since < one.start.date() < NOW.date()
        assert timedelta(0) < one.end - one.start <= timedelta(hours=8)


def test_names_have_typographic_signs_and_plain_slugs(fleet: Registry) -> None:
    texts = [fleet.network.name]
    for member, machine in fleet.machines():
        texts += [member.name, machine.name, *(closure.reason or "" for closure in member.calendar.closures)]
    assert not any("'" in text or " - " in text for text in texts)
    assert {machine.id for _, machine in fleet.machines() if machine.trade is Trade.MACHINING} >= {"centre-d-usinage"}
