"""What a machine uses while idle: said to its owner with what it covers, and to nobody else."""

import json
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from gateway.pages.energy import told
from gateway.words import Words, words
from tests.gateway import world
from tests.gateway.running import Running
from tests.gateway.test_consent import PATHS

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
SENTENCES = {
    "fr": "412\u202fkWh en 4 semaines, environ 74\u202f€ et 21\u202fkg\u202fCO₂e.",
    "de": "412\u202fkWh in 4 Wochen, etwa 74\u202f€ und 21\u202fkg\u202fCO₂e.",
    "en": "412\u202fkWh in 4 weeks, about €74 and 21\u202fkg\u202fCO₂e.",
}


def french() -> Words:
    return words("fr", "Europe/Paris")


def said(**changes: Any) -> dict[str, Any]:
    used = world.energy(NOW).model_copy(update=changes)
    found = told(world.outlook(NOW).model_copy(update={"energy": used}), french())
    assert found is not None
    return found


@pytest.mark.parametrize("language", SENTENCES)
async def test_the_owner_reads_it_in_every_language(gateway: Running, language: str) -> None:
    html = unescape(await gateway.as_visitor("owner:alsalac").get("/machines/alsalac/cabine-1", language=language))
    assert SENTENCES[language] in html
    assert "97" in html.split(SENTENCES[language])[1][:300]


async def test_nothing_is_said_where_no_power_is_measured(gateway: Running) -> None:
    owner = gateway.as_visitor("owner:alsalac")
    assert "Énergie à vide" not in await owner.get("/machines/alsalac/muette")
    assert json.loads(await owner.get("/api/v1/machines/alsalac/muette"))["energy"] is None


async def test_the_owners_api_has_it_by_state_and_hour(gateway: Running) -> None:
    owner = gateway.as_visitor("owner:alsalac")
    energy = json.loads(await owner.get("/api/v1/machines/alsalac/cabine-1"))["energy"]
    assert (energy["idle_kwh"], energy["measured"], energy["eur_origin"]) == (412.3, 0.971, "network")
    (hour, *_) = json.loads(await owner.get("/api/v1/machines/alsalac/cabine-1/hours"))
    assert sum(hour["energy_by_state"].values()) == pytest.approx(hour["energy_wh"])
    assert hour["metered_s"] == sum(hour["seconds"].values())


@pytest.mark.parametrize("role", ["coordinator", "startup", "owner:declare", "owner:secret"])
async def test_no_other_party_obtains_it(gateway: Running, role: str) -> None:
    visitor = gateway.as_visitor(role)
    for path in PATHS:
        async with visitor.client.get(visitor.url + path, cookies=visitor.cookies) as answer:
            text = await answer.text()
        for canary in ("kWh", "412\u202f", "CO₂", "idle_kwh", "412.3"):
            assert path == "/openapi.json" or canary not in text.split("</aside>")[-1], f"{path} as {role}: {canary}"
    await visitor.get("/machines/alsalac/cabine-1", 404)
    await visitor.get("/api/v1/machines/alsalac/cabine-1", 404)


def test_money_is_left_out_where_no_price_is_known() -> None:
    assert said(idle_eur=None, eur_per_kwh=None)["sentence"].endswith("environ 21\u202fkg\u202fCO₂e.")
    none = said(idle_eur=None, eur_per_kwh=None, idle_kg_co2e=None, co2_g_per_kwh=None)
    assert none["sentence"] == "412\u202fkWh en 4 semaines."
    assert none["sources"] == []


def test_a_young_machine_speaks_of_its_days_and_power_alone_of_what_it_includes() -> None:
    young = said(since=datetime(2026, 11, 9, 12, tzinfo=UTC), idle_kwh=3.26, idle_eur=0.59, off_told=False)
    assert young["sentence"].startswith("3,3\u202fkWh en 9 jours, environ 0,6\u202f€")
    assert "éteinte y est compris" in young["what"]
    assert "Dont éteinte" not in dict(young["rows"])


def test_every_figure_names_where_it_is_from() -> None:
    price, factor = said(eur_origin="default", eur_per_kwh=0.172)["sources"]
    assert price.startswith("0,172\u202f€ le kWh")
    assert "SDES" in price
    assert "ADEME, Base Empreinte" in factor
    _, stated = said(co2_origin="network", co2_source="Strasbourg Électricité Réseaux")["sources"]
    assert stated.endswith("(Strasbourg Électricité Réseaux)")
