"""What a machine uses while idle: said to its owner with what it covers, and to nobody else."""

import json
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from fleet.records import Finding, FindingStatus
from fleet.trades import Language
from gateway import evidence
from gateway.evidence_rows import rows
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


def found(rule: str, **evidence: object) -> Finding:
    return Finding(
        member="alsalac", machine="laser-1", rule=rule, status=FindingStatus.FLAGGED, since=NOW, reason="in English",
        evidence={"eur_per_year": 1034.2, "kg_co2e_per_year": 312.6, "certainty": 0.99, **evidence},
    )  # fmt: skip


IDLE = found("idle-but-drawing", idle_w=3012.0, hours_per_week=38.6, kwh_per_week=115.2, off_w=31.0, off_from="seen")
NIGHT = found("never-off-at-night", nights_on=46, nights=48, kwh_per_week=64.4)


@pytest.mark.parametrize(
    ("finding", "language", "expected"),
    [
        (IDLE, "fr", "Elle consomme 3 kW sans produire, 39 h par semaine : 115 kWh de plus qu’éteinte. "
                     "Sur un an : environ 1 034 € et 313 kg CO₂e."),
        (IDLE, "de", "Sie verbraucht 3 kW ohne zu produzieren, 39 h pro Woche: 115 kWh mehr als ausgeschaltet. "
                     "Im Jahr etwa 1.034 € und 313 kg CO₂e."),
        (IDLE, "en", "It draws 3 kW without producing, 39 h a week: 115 kWh more than when it is off. "
                     "Over a year: about €1,034 and 313 kg CO₂e."),
        (NIGHT, "fr", "Hors des heures ouvertes, elle reste sous tension 46 fois sur 48 (nuits et fins de semaine). "
                      "Soit 64 kWh par semaine de plus qu’éteinte. Sur un an : environ 1 034 € et 313 kg CO₂e."),
    ],
)  # fmt: skip
def test_a_finding_is_a_sentence_with_its_cost(finding: Finding, language: Language, expected: str) -> None:
    said = evidence.why(finding, words(language, "Europe/Paris"))
    assert said.replace("\u202f", " ").replace("\u00a0", " ") == expected


def test_what_was_found_without_power_or_price_leaves_it_out() -> None:
    bare = found("never-off-at-night", nights_on=46, nights=48, kwh_per_week=None, eur_per_year=None)
    assert evidence.why(bare, french()).endswith("(nuits et fins de semaine).")
    free = IDLE.model_copy(update={"evidence": {**IDLE.evidence, "eur_per_year": None, "kg_co2e_per_year": None}})
    assert "Sur un an" not in evidence.why(free, french())
    still = IDLE.model_copy(update={"evidence": {**IDLE.evidence, "kwh_per_week": 0.0}})
    assert evidence.why(still, french()) == "Sans produire, elle ne consomme pas plus qu’éteinte."


def test_the_evidence_is_told_in_the_pages_language() -> None:
    told_rows = dict(rows(IDLE, french()))
    assert told_rows["Puissance éteinte, d’où"] == "mesurée quand elle est éteinte"
    assert told_rows["Probabilité que cela dure"] == "99\u202f%"


def test_every_figure_names_where_it_is_from() -> None:
    price, factor = said(eur_origin="default", eur_per_kwh=0.172)["sources"]
    assert price.startswith("0,172\u202f€ le kWh")
    assert "SDES" in price
    assert "ADEME, Base Empreinte" in factor
    _, stated = said(co2_origin="network", co2_source="Strasbourg Électricité Réseaux")["sources"]
    assert stated.endswith("(Strasbourg Électricité Réseaux)")
