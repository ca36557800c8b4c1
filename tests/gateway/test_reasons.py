"""Findings of every rule in words, in the three languages; who sees them, and how their owner answers."""

import pytest

from analytics.rules import RULES
from fleet import edit, registry
from fleet.batch import MachineKey
from fleet.records import Document, Finding, FindingStatus
from gateway.catalog import LANGUAGES
from gateway.evidence import MISSING, rule_name, why
from gateway.evidence_rows import rows
from gateway.words import words
from store.base import Store
from tests.gateway.running import Running, until_text

EVIDENCE: dict[str, dict[str, object]] = {
    "structural-underuse": {"level": 0.2, "threshold": 0.4, "certainty": 0.99, "ordinary_weeks": 12},
    "overload": {
        "occupied": 0.97, "full": 0.9, "full_certainty": 0.981, "overtime": 0.11, "weeks_without_gap": 5,
        "ordinary_weeks": 11, "waits": True, "clear": 0.8,
    },
    "moved-clamp": {"moved": True, "factor": 0.58, "changed_in_week": "2026-04-06", "explained": 0.97},
    "degrading-coverage": {"lost_before": 0.02, "lost_recently": 0.26, "more_lost_certainty": 0.97},
}  # fmt: skip
FIGURES = {
    "structural-underuse": ("20", "99", "40"),
    "overload": ("97", "11", "98"),
    "moved-clamp": ("58", "2026"),
    "degrading-coverage": ("26", "2"),
}


def finding(rule: str, status: FindingStatus = FindingStatus.FLAGGED, machine: str = "cabine-1") -> Finding:
    at = "2026-05-11T06:00:00Z"
    return Finding.model_validate(
        {"member": "alsalac", "machine": machine, "rule": rule, "status": status, "since": at, "reason": "in English",
         "evidence": EVIDENCE[rule]}
    )  # fmt: skip


@pytest.mark.parametrize("rule", EVIDENCE)
def test_every_rule_says_its_figures_in_every_language(rule: str) -> None:
    said = {language: why(finding(rule), words(language, "Europe/Paris")) for language in LANGUAGES}
    for text in said.values():
        assert "in English" not in text
        for figure in FIGURES[rule]:
            assert figure in text
    assert len(set(said.values())) == len(LANGUAGES)
    assert len({rule_name(rule, words(language, "Europe/Paris")) for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize("rule", EVIDENCE)
@pytest.mark.parametrize("language", LANGUAGES)
def test_evidence_is_in_words(rule: str, language: str) -> None:
    told = rows(finding(rule), words(language, "Europe/Paris"))
    assert len(told) >= 3
    assert all(value for _, value in told)


def test_a_state_that_is_missing_is_explained_by_what_its_signals_lack() -> None:
    missing = finding("overload", FindingStatus.INSUFFICIENT_EVIDENCE).model_copy(update={"reason": "state"})
    slow = missing.model_copy(update={"evidence": {**missing.evidence, "untold": "counter-slow"}})
    assert "qui monte moins d’une fois par heure" in why(slow, words("fr", "Europe/Paris"))
    assert "étalonnez la machine" in why(missing, words("fr", "Europe/Paris"))


def test_every_rule_of_analytics_has_its_words() -> None:
    assert set(EVIDENCE) <= set(RULES)
    for name in ("modes", "certainty", "history"):
        assert name in MISSING


async def tell(gateway: Running, store: Store, told: Finding) -> None:
    body = told.model_dump_json()
    await store.write_documents(
        [Document(member=told.member, machine=told.machine, kind=f"finding/{told.rule}", at=1, body=body)]
    )
    await gateway.publish(f"net/v1/findings/{told.member}/{told.machine}/{told.rule}", body.encode())


async def test_saturation_is_the_owners_alone_and_is_noted_not_offered(gateway: Running, store: Store) -> None:
    await tell(gateway, store, finding("overload"))
    home = await until_text(gateway, "/home?member=alsalac", "Cabine de peinture 1\u00a0: surcharge")
    form = home.split("Cabine de peinture 1\u00a0: surcharge")[1].split("</section>")[0]
    assert "C’est noté" in form
    assert 'value="propose"' not in form
    assert "n’est visible que de vous." in form
    for role in ("coordinator", "owner:declare", "startup", "operator"):
        for path in ("/", "/?audience=network", "/requests", "/api/v1/offers", "/network", "/api/v1/network"):
            visitor = gateway.as_visitor(role)
            async with visitor.client.get(visitor.url + path, cookies=visitor.cookies) as answer:
                text = (await answer.text()).lower()
            assert "surcharge" not in text
            assert "overload" not in text
    asked = {"member": "alsalac", "machine": "cabine-1", "rule": "overload"}
    await gateway.post("/home/answer", 404, None, answer="propose", **asked)
    await gateway.post("/home/answer", 303, None, answer="reserve", **asked)
    member = registry.load(gateway.fleet.folder).members["alsalac"]
    assert [(given.rule, given.answer) for given in member.answers] == [("overload", "reserve")]
    assert "Cabine de peinture 1\u00a0: surcharge" not in await gateway.get("/home?member=alsalac")
    assert "noté" in await gateway.get("/machines/alsalac/cabine-1")


async def test_an_offer_is_no_answer_to_another_rules_flag(gateway: Running, store: Store) -> None:
    machine = registry.load(gateway.fleet.folder).machine(MachineKey("alsalac", "cabine-1"))
    assert machine is not None
    assert machine.offer is not None
    await tell(gateway, store, finding("moved-clamp"))
    page = await until_text(gateway, "/machines/alsalac/cabine-1", "pince déplacée")
    assert "Répondre</a>" in page
    edit.set_answer(gateway.fleet.folder, "alsalac", {"machine": "cabine-1", "rule": "moved-clamp", "answer": "wrong",
                                                      "because": "capteur neuf", "at": gateway.now})  # fmt: skip
    await until_text(gateway, "/machines/alsalac/cabine-1", "capteur neuf")


def test_a_flagged_feed_says_what_to_do_and_one_in_order_does_not() -> None:
    french = words("fr", "Europe/Paris")
    assert "Vérifiez le réseau" in why(finding("degrading-coverage"), french)
    assert "Vérifiez" not in why(finding("degrading-coverage", FindingStatus.CLEAR), french)


def test_a_feed_that_is_cut_more_often_says_how_often() -> None:
    cut = finding("degrading-coverage")
    cut = cut.model_copy(update={"evidence": {**cut.evidence, "interrupted_before": 0.5, "interrupted_recently": 5.33}})
    said = why(cut, words("fr", "Europe/Paris"))
    assert "Elle est coupée 5,3 fois par semaine, 0,5 fois auparavant. Vérifiez le réseau" in said
    for before, recently in ((4.0, 3.0), (0.25, 1.0), (None, None)):
        told = {"interrupted_before": before, "interrupted_recently": recently}
        other = cut.model_copy(update={"evidence": {**cut.evidence, **told}})
        assert "coupée" not in why(other, words("fr", "Europe/Paris"))


def test_a_machine_that_is_used_enough_is_told_no_probability_of_staying_so() -> None:
    clear = why(finding("structural-underuse", FindingStatus.CLEAR), words("fr", "Europe/Paris"))
    assert clear == (
        "Utilisée 20\u202f% des heures ouvertes sur 12 semaines ordinaires\u202f; on signale sous 40\u202f%."
    )


def test_evidence_tells_no_codes_and_names_what_a_level_is_of() -> None:
    french = words("fr", "Europe/Paris")
    told = finding("moved-clamp").model_copy(
        update={"evidence": {"set": 0.25, "clear": 0.15, "basis": "power", "model": "calibration-0a1b2c"}}
    )
    assert rows(told, french) == [
        ("Signalé dès un écart de", "25\u202f%"),
        ("Levé sous un écart de", "15\u202f%"),
        ("États connus par", "sa puissance"),
        ("Seuil de travail d’après", "vos marques"),
    ]
    published = told.model_copy(update={"evidence": {**told.evidence, "basis": "state"}})
    assert "Seuil de travail d’après" not in dict(rows(published, french))
    other = told.model_copy(update={"rule": "overload"})
    assert ("Signalé dès une probabilité de", "25\u202f%") in rows(other, french)


def test_without_states_a_rule_lacks_states_first() -> None:
    silent = finding("overload", FindingStatus.INSUFFICIENT_EVIDENCE).model_copy(
        update={"reason": "history", "evidence": {"failing": ["history", "state"]}}
    )
    assert "étalonnez la machine" in why(silent, words("fr", "Europe/Paris"))
