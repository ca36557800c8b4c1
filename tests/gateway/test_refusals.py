"""Refused messages in words: to the owner with the value and what to do, to the operator with the rule alone."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet import edit
from gateway import catalog
from gateway.messages import Reject
from gateway.refusals import REASONS, rule_in_words, todo
from gateway.words import words
from ingest.decoders.base import Context, DecodeError
from ingest.decoders.canonical import decode
from tests.gateway import world
from tests.gateway.running import Running, until_text
from tests.ingest.casefiles import folders
from tests.patience import PATIENCE_S

FR = words("fr", "Europe/Paris")


def fault(payload: object, arrived: datetime) -> dict[str, Any]:
    """What the collector itself says of a payload."""
    with pytest.raises(DecodeError) as refused:
        decode("m/alsalac/neuve/reading", json.dumps(payload).encode(), Context(int(arrived.timestamp() * 1000)))
    first = refused.value.faults[0]
    return {"reason": first.reason, "field": first.field, "value": first.value, "rule": first.rule}


async def refuse(gateway: Running, member: str, machine: str, payload: object, **more: object) -> None:
    now = datetime.now(UTC)
    reject = {
        "at": int(now.timestamp() * 1000),
        "topic": f"m/{member or 'nobody'}/{machine}/reading",
        "machine": machine if member else "",
        **fault(payload, now),
        **more,
    }
    body = {"at": reject["at"], "total": 7, "by_reason": {reject["reason"]: 7}, "newest": [reject]}
    await gateway.publish(f"net/v1/rejects/{member}", json.dumps(body).encode(), retain=True)


def plug_in(gateway: Running) -> None:
    edit.add_machine(gateway.fleet.folder, "alsalac", {"id": "neuve", "name": "Fraiseuse", "trade": "machining"})


async def test_the_owner_learns_why_a_new_machine_stays_silent(gateway: Running) -> None:
    plug_in(gateway)
    path = "/machines/alsalac/neuve"
    await refuse(gateway, "alsalac", "neuve", {"at": "2026-03-03T13:05:00", "power_w": 5})
    html = await until_text(gateway, path, "Ses messages sont refusés")
    for said in ("Z ou +01:00 à la fin", "<code>at</code>", "2026-03-03T13:05:00", "Réglez la façon d’écrire l’heure"):
        assert said in html
    assert "Aucun relevé n’est encore arrivé" not in html
    home = await gateway.get("/home?member=alsalac")
    card = home.split('href="/machines/alsalac/neuve"')[1].split("</li>")[0]
    assert "l’heure n’a pas de décalage horaire" in card
    assert "Réglez la façon" in card
    assert "2026-03-03T13:05:00" not in await gateway.get("/network")


async def test_other_members_never_see_it_and_a_good_message_ends_it(gateway: Running) -> None:
    await refuse(gateway, "alsalac", "cabine-1", {"power_w": "12"})
    html = await until_text(gateway, "/machines/alsalac/cabine-1", "Un de ses messages vient d’être refusé")
    assert "sans guillemets" in html
    assert "refusés" not in await gateway.get("/machines/alsalac/laser-1")
    assert "refusé" not in await gateway.get("/home?member=secret")
    later = datetime.now(UTC) + timedelta(minutes=2)
    await gateway.publish("net/v1/touched/alsalac", world.touched("cabine-1", later, state="PRODUCING"))
    async with asyncio.timeout(PATIENCE_S):
        while "vient d’être refusé" in await gateway.get("/machines/alsalac/cabine-1"):
            pass


async def test_network_tells_rules_apart_and_counts_nobodys_messages(gateway: Running) -> None:
    now = datetime.now(UTC)
    await refuse(gateway, "alsalac", "cabine-1", {"at": int(now.timestamp()), "power_w": 1})
    await refuse(gateway, "", "x", {"at": "2026-03-03T13:05:00", "power_w": 5})
    html = (await until_text(gateway, "/network", "m/nobody/x/reading")).replace("\u202f", " ")
    assert "l’heure est en secondes" in html
    assert "l’heure n’a pas de décalage horaire" in html
    assert "aucun membre" in html
    assert "14 messages refusés." in html
    tile = re.search(r"Messages refusés</dt><dd><span[^>]*>([^<]+)<", html)
    assert tile is not None
    assert tile[1] == "14"


async def test_network_counts_machines_never_seen(gateway: Running) -> None:
    assert "jamais vue" not in await gateway.get("/network")
    plug_in(gateway)
    html = (await until_text(gateway, "/network", "jamais vue")).replace("\u202f", " ")
    assert "1 machine jamais vue." in html
    assert "<code>alsalac.neuve</code>" in html
    assert "alsalac.neuve" not in html.split("Les plus anciennes")[-1].split("</table>")[0]


async def test_a_slow_clock_is_not_told_as_a_lost_feed(gateway: Running) -> None:
    assert "1\u202fliaison muette." in (html := await gateway.get("/network")) or "1 liaison muette." in html
    now = datetime.now(UTC)
    body = json.loads(world.touched("muette", now - timedelta(hours=1), power_w=5.0))
    body["machines"]["muette"]["arrived"] = int(now.timestamp() * 1000)
    await gateway.publish("net/v1/touched/alsalac", json.dumps(body).encode())
    html = await until_text(gateway, "/network", "leur heure est passée ou refusée")
    assert "Vérifiez alimentation" not in html
    assert "Réglez l’horloge de l’appareil" in html
    html = (await gateway.get("/machines/alsalac/muette")).replace("\u202f", " ")
    assert "l’horloge de l’appareil retarde" in html
    assert "L’horloge de l’appareil retarde de 1 h." in html
    assert "L’horloge de l’appareil retarde" in await gateway.get("/home?member=alsalac")


ARRIVED = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"at": 1_772_539_200, "power_w": 1}, "secondes"),
        ({"at": "2026-03-03T13:05:00", "power_w": 1}, "décalage"),
        ({"at": "hier", "power_w": 1}, "2026-03-03T13:05:00+01:00"),
        ({"at": "1999-01-01T00:00:00Z", "power_w": 1}, "pas réglée"),
        ({"at": "2026-03-03T13:00:00Z", "power_w": 1}, "est en avance de"),
        ({"at": "2026-02-30T13:00:00Z", "power_w": 1}, "n’existe pas"),
        ({"power_w": "1"}, "sans guillemets"),
        ({"power_w": -1}, "au moins 0"),
        ({"power_w": 1e13}, "au plus 1000000000000"),
        ({"count": 1.5}, "entier"),
        ({"state": "DANCING"}, "état connu"),
        ({}, "au moins une grandeur"),
        ([3], "objet JSON"),
    ],
)
def test_rules_of_the_collector_are_put_in_words(payload: object, said: str) -> None:
    rule = fault(payload, ARRIVED)["rule"]
    assert said in rule_in_words(rule, FR)
    for language in catalog.LANGUAGES:
        assert rule_in_words(rule, words(language, "Europe/Paris")) != rule or language == "en"


def test_an_unknown_rule_is_shown_as_it_is() -> None:
    assert rule_in_words("a rule of next year", FR) == "a rule of next year"
    assert rule_in_words(None, FR) == ""


def test_every_rule_of_the_formats_own_cases_is_said_in_french() -> None:
    rules = {
        line.split(" | ", 4)[4]
        for folder in folders()
        if (folder / "expected.err").exists()
        for line in (folder / "expected.err").read_text().splitlines()
    }
    assert len(rules) > 40
    assert [rule for rule in sorted(rules) if rule_in_words(rule, FR) == rule] == []


def test_every_reason_has_a_remedy_of_its_own_and_a_rule_a_closer_one() -> None:
    told = {reason: todo(Reject(reason=reason), FR) for reason in REASONS}
    assert len(set(told.values())) == len(told)
    rule = fault({"power_w": "NaN"}, ARRIVED)
    assert "sans guillemets" in todo(Reject.model_validate(rule), FR)
    assert "pince" in todo(Reject.model_validate(fault({"power_w": -1}, ARRIVED)), FR)


async def test_the_owner_reads_field_value_rule_and_remedy(gateway: Running) -> None:
    plug_in(gateway)
    await refuse(gateway, "alsalac", "neuve", {"power_w": "3120"})
    html = await until_text(gateway, "/machines/alsalac/neuve", "Ses messages sont refusés")
    told = re.sub(r"<[^>]+>", "", html.split('class="banner bad refusal"')[1].split("</div>")[0])
    told = told.replace("\u00a0", " ").replace("\u202f", " ")
    assert "champ power_w, valeur 3120 : il faut un nombre, sans guillemets, ni true ni false." in told
    assert "Faites envoyer le nombre nu" in told
    assert "type de valeur inattendu" not in told
