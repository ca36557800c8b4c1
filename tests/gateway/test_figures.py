"""Figures on the page of offers: what each audience reads, and how often they change."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fleet import clock, edit, registry
from fleet.batch import MachineKey
from gateway import counts, daily
from gateway.access import Audience, Hidden, Scope
from gateway.daily import Feeds
from gateway.live import Live
from gateway.picture import Picture
from store.base import Store
from tests.gateway import world, world_registry
from tests.gateway.running import Running, until_text

CABIN, QUIET, SECRET = (
    MachineKey("alsalac", "cabine-2"),
    MachineKey("alsalac", "muette"),
    MachineKey("secret", "tour-1"),
)


def scopes(picture: Picture) -> dict[Audience, Scope]:
    return {audience: Scope(audience, "alsalac", picture, Live()) for audience in Audience}


def test_feeds_are_told_once_a_day_but_for_the_first_reading_ever() -> None:
    now = datetime(2026, 11, 18, 12, tzinfo=UTC)
    there = world.outlook(now)
    gone = there.model_copy(update={"last_reading": now - timedelta(hours=30)})
    today = now.date()
    first = daily.renew(None, {CABIN: there, QUIET: gone}, now, today)
    assert first == Feeds(day=today, heard={"alsalac/cabine-2": True})
    later = daily.renew(first, {CABIN: gone, QUIET: gone, SECRET: there}, now, today)
    assert later.heard == {"alsalac/cabine-2": True, "secret/tour-1": True}
    tomorrow = daily.renew(later, {CABIN: gone, QUIET: gone, SECRET: there}, now, today + timedelta(days=1))
    assert tomorrow.heard == {"alsalac/cabine-2": False, "alsalac/muette": False, "secret/tour-1": True}
    assert daily.renew(tomorrow, {CABIN: there}, now, tomorrow.day) == tomorrow


async def test_feeds_of_hidden_machines_are_counted_for_the_operator_alone(tmp_path: Path, store: Store) -> None:
    picture = Picture(store, world_registry.write_registry(tmp_path / "fleet", clock.now()))
    names = [daily.name_of(key) for key in (CABIN, QUIET, SECRET)]
    picture.feeds = Feeds(day=clock.now().date(), heard=dict.fromkeys(names, False))
    of = scopes(picture)
    assert counts.silent_today(of[Audience.COORDINATOR]) == 1  # the one whose hours it reads
    assert counts.silent_today(of[Audience.OWNER]) == 2  # its own
    assert counts.silent_today(of[Audience.NETWORK]) is None
    for audience in (Audience.COORDINATOR, Audience.NETWORK, Audience.OWNER, Audience.STARTUP):
        for live in (counts.connected, counts.silent):
            with pytest.raises(Hidden):
                live(of[audience])


async def test_a_reading_of_a_hidden_machine_changes_no_figure(gateway: Running) -> None:
    async def figures(role: str) -> str:
        html = await gateway.as_visitor(role).get("/")
        return html.split('<dl class="figures">')[1].split("</dl>")[0]

    roles = ("coordinator", "owner:declare")
    before = [await figures(role) for role in roles]
    assert "2 sur 3" in before[0]
    await gateway.publish("net/v1/touched/alsalac", world.touched("muette", datetime.now(UTC), state="STANDBY"))
    await gateway.publish("net/v1/touched/secret", world.touched("tour-1", datetime.now(UTC), state="STANDBY"))
    await until_text(gateway, "/network", "Aucune liaison muette")
    assert [await figures(role) for role in roles] == before


async def test_what_is_printed_comes_from_the_networks_scope(gateway: Running) -> None:
    html = await gateway.as_visitor("coordinator").get("/")
    for offer in re.findall(r'action="/offers/([0-9a-f]+)"', html):
        await gateway.post(f"/offers/{offer}", status="done")
    html = await gateway.as_visitor("coordinator").get("/")
    shown = re.findall(r'<div class="(\S*)"><dt>Promesses tenues</dt><dd><span[^>]*>([^<]+)<', html)
    assert shown == [("no-print", "3 sur 3"), ("only-print", "1 sur 1")]
    lent = re.findall(r'<div class="(\S*)"><dt>Heures prêtées</dt><dd><span[^>]*>([^<]+)<', html)
    assert lent == [("no-print", "0\u202fh"), ("only-print", "—")]
    assert re.findall(r'<div class="(\S*)"><dt>Liaisons muettes', html) == ["no-print"]
    edition = await gateway.as_visitor("coordinator").get("/?audience=network")
    assert "Liaisons muettes" not in edition
    owner = await gateway.as_visitor("owner:declare").get("/")
    assert re.findall(r'<div class="(\S*)"><dt>Heures prêtées', owner) == ["only-print"]


async def test_hours_lent_of_the_network_name_nobody(tmp_path: Path, store: Store) -> None:
    now = clock.now()
    day = now.astimezone(world.ZONE).date()
    world_registry.write_registry(tmp_path / "fleet", now)
    for number in range(5):
        reservation = {"start": now - timedelta(hours=60), "end": now - timedelta(hours=20), "lent": True}
        machine = {"id": "x", "name": "X", "trade": "press", "offer": {"mode": "facon"}, "reservations": [reservation]}
        consent = {"machine": "x", "recipient": "members", "level": "offers", "purpose": "essai", "since": day}
        place = {"commune": "Saverne", "latitude": 48.742, "longitude": 7.362}
        member = {
            "slug": f"m{number}",
            "name": f"M{number}",
            "place": place,
            "machines": [machine],
            "consents": [consent],
        }
        fleet = registry.load(tmp_path / "fleet")
        of = scopes(Picture(store, fleet))
        assert counts.hours_lent(of[Audience.NETWORK], timedelta(weeks=12)) is None
        edit.add_member(fleet.folder, member)
    of = scopes(Picture(store, registry.load(tmp_path / "fleet")))
    assert counts.hours_lent(of[Audience.NETWORK], timedelta(weeks=12)) == 200.0
    assert counts.hours_lent(of[Audience.OWNER], timedelta(weeks=12)) is None
