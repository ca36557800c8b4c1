"""What helps on ``/connect``: folded cards, who waits for readings, a name taken twice, what is true after a claim."""

import json
import re
from datetime import UTC, datetime, timedelta

from fleet import edit
from tests.gateway import world
from tests.gateway.running import Running, until_text
from tests.gateway.test_connect import BOOTH, PAGE, device, form, heard, machines, plug

OTHER = "m/alsalac/tour-9/tele/SENSOR"
HINT = "Votre appareil n’est pas dans cette liste"


def card(html: str, topic: str) -> str:
    return html.split(f'data-device="{topic}"')[1].split("</article>")[0]


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).replace("\u202f", " ").replace("\u00a0", " ").strip()


async def late(gateway: Running, machine: str, behind: timedelta, power_w: float = 3120.0) -> None:
    """A reading that arrives now and is dated in the past."""
    now = datetime.now(UTC)
    body = json.loads(world.touched(machine, now - behind, power_w=power_w))
    body["machines"][machine]["arrived"] = int(now.timestamp() * 1000)
    await gateway.publish("net/v1/touched/alsalac", json.dumps(body).encode())


async def test_many_devices_are_one_line_each_with_what_matters(gateway: Running) -> None:
    html = await heard(gateway, device(BOOTH, plug()), device(OTHER, plug("NaN"), 90))
    assert html.count('<details class="fold">') >= 2
    line = plain(card(html, BOOTH).split("<summary")[1].split("</summary>")[0])
    for told in (BOOTH, "il y a", "Tasmota, prise ou compteur, presque sûr", "Peinture", "3,1 kW au plus"):
        assert told in line, (told, line)
    assert "ENERGY.Power" in card(html, OTHER).split("</summary>")[0]  # what is wrong is seen without opening
    assert "<pre" not in card(html, BOOTH).split("</summary>")[0]
    assert html.index('id="new"') < html.index('id="devices"') < html.index(BOOTH)
    # a form that came back with an error is open, and the field is where the page begins
    html = await gateway.post("/connect/claim", 422, None, **form(name="***", trade="magic"))
    assert '<details class="fold" open>' in card(html, BOOTH)
    assert '<details class="fold">' in card(html, OTHER)
    assert html.count("autofocus") == 1
    assert re.search(r'name="name"[^>]*autofocus', card(html, BOOTH))


async def test_a_single_device_is_open_and_nothing_is_folded_away_while_none_waits(gateway: Running) -> None:
    html = await gateway.get(PAGE)
    assert re.search(r'id="new">\s*<details class="fold" open>', html)
    html = await heard(gateway, device(BOOTH, plug()))
    assert '<details class="fold" open>' in card(html, BOOTH)
    assert re.search(r'id="new">\s*<details class="fold">', html)


async def test_the_hint_on_a_device_that_does_not_appear_is_always_there(gateway: Running) -> None:
    assert HINT in await gateway.get(PAGE)
    assert HINT in await heard(gateway, device(BOOTH, plug()))


async def test_a_machine_without_readings_is_named_with_the_device_that_may_be_its_own(gateway: Running) -> None:
    edit.add_machine(gateway.fleet.folder, "alsalac", {"id": "tour-6", "name": "Tour 6", "trade": "turning"})
    html = await until_text(gateway, PAGE, "n’a encore rien reçu sur m/alsalac/tour-6/reading")
    assert "Vérifiez dans l’appareil ce sujet, lettre par lettre" in html
    html = await heard(gateway, device(BOOTH, plug()), device("m/alsalac/tour6/reading", plug(9000)))
    told = plain(html.split('data-expected="tour-6"')[1].split("</div>")[0])
    assert "Est-ce l’appareil qui parle sur m/alsalac/tour6/reading" in told
    page = plain(await gateway.get("/machines/alsalac/tour-6"))
    assert "Ses relevés sont attendus sur m/alsalac/tour-6/reading." in page
    assert "Un appareil parle sur m/alsalac/tour6/reading" in page
    for other in ("cabine-1", "laser-1"):
        assert f'data-expected="{other}"' not in html


async def test_a_machine_that_fell_silent_when_a_device_began_elsewhere_is_named(gateway: Running) -> None:
    assert 'data-expected="muette"' not in await gateway.get(PAGE)  # silent, and no device could be its own
    html = await heard(gateway, device(BOOTH, plug()))
    assert 'data-expected="muette"' not in html
    html = await heard(gateway, device("m/alsalac/muete/reading", plug()))
    told = plain(html.split('data-expected="muette"')[1].split("</div>")[0])
    assert "« Presse muette » est muette sur m/alsalac/muette/reading." in told


async def test_a_machine_that_waits_elsewhere_takes_the_devices_topic_and_keeps_all_else(gateway: Running) -> None:
    tour = {"id": "tour-6", "name": "Tour 6", "trade": "turning", "calibration": {"off_w": 4.0}}
    edit.add_machine(gateway.fleet.folder, "alsalac", tour)
    await until_text(gateway, PAGE, 'data-expected="tour-6"')
    html = await heard(gateway, device("m/alsalac/tour6/tele/SENSOR", plug()), device("m/alsalac/x/y", b"?"))
    assert "C’est son appareil" in html
    asked = {"member": "alsalac", "machine": "tour-6", "topic": "m/alsalac/tour6/tele/SENSOR"}
    await gateway.as_visitor("coordinator").post("/connect/take", 404, None, **asked)
    await gateway.as_visitor("owner:declare").post("/connect/take", 404, None, **asked)
    for wrong in ({"topic": "m/alsalac/x/y"}, {"topic": "m/alsalac/nowhere"}, {"machine": "nothing"}):
        await gateway.post("/connect/take", 404, None, **{**asked, **wrong})
    where = await gateway.post("/connect/take", 303, None, **asked)
    assert where == f"{PAGE}&claimed=tour-6#claimed"
    [made] = [machine for machine in machines(gateway) if machine.id == "tour-6"]
    assert [(feed.topic, feed.format) for feed in made.feeds] == [("m/alsalac/tour6/tele/SENSOR", "tasmota")]
    assert made.calibration.off_w == 4
    html = await until_text(gateway, where.partition("#")[0], "Les messages reçus avant le rattachement")
    assert 'data-expected="tour-6"' not in html


async def test_a_declared_offer_waits_for_no_reading(gateway: Running) -> None:
    assert "data-expected" not in await gateway.get("/connect?member=declare")


async def test_a_second_machine_of_one_name_is_refused_with_another_name(gateway: Running) -> None:
    await heard(gateway, device(BOOTH, plug()))
    before = machines(gateway)
    html = await gateway.post("/connect/claim", 422, None, **form(name="cabine de  Peinture 1"))
    assert "Vous avez déjà une machine de ce nom" in html
    assert 'value="cabine de  Peinture 1 (2)"' in html
    assert machines(gateway) == before
    await gateway.post("/connect/claim", 303, None, **form(name="cabine de  Peinture 1 (2)"))
    assert [machine.name for machine in machines(gateway)][-1] == "cabine de  Peinture 1 (2)"


async def test_after_the_claim_what_the_device_sent_before_is_not_forgotten(gateway: Running) -> None:
    await heard(gateway, device(BOOTH, plug(), age_s=40))
    where = (await gateway.post("/connect/claim", 303, None, **form())).partition("#")[0]
    html = await gateway.get(where)
    assert "data-expected" not in html  # its device has just spoken: the topic is right
    claimed = plain(html.split('id="claimed"')[1].split('id="seen-title"')[0])
    assert "jamais" not in claimed
    assert "Les messages reçus avant le rattachement deviennent des relevés" in claimed
    assert "depuis le démarrage du serveur" not in claimed
    await gateway.publish("net/v1/touched/alsalac", world.touched("cabine-3", datetime.now(UTC), power_w=3120.0))
    html = await until_text(gateway, where, "3,1\u202fkW")
    claimed = plain(html.split('id="claimed"')[1].split('id="seen-title"')[0])
    assert "inconnu (pas encore déduit de la puissance)" in claimed
    assert "inconnu (sans données)" not in claimed
    assert "avant le rattachement" not in claimed


async def test_a_slow_clock_gets_the_same_help_after_the_claim(gateway: Running) -> None:
    await heard(gateway, device(BOOTH, plug(behind_s=600)))
    before = plain(await gateway.get(PAGE))
    helped = ("L’horloge de l’appareil retarde de 10 min.", "Réglez l’horloge de l’appareil, son fuseau")
    assert all(said in before for said in helped)
    where = (await gateway.post("/connect/claim", 303, None, **form())).partition("#")[0]
    await late(gateway, "cabine-3", timedelta(minutes=10))
    await until_text(gateway, where, "3,1\u202fkW")
    for page in (where, "/machines/alsalac/cabine-3", "/home?member=alsalac"):
        html = plain(await gateway.get(page))
        assert all(said in html for said in helped), page
    claimed = (await gateway.get(where)).split('id="claimed"')[1]
    assert "inconnu (relevés datés du passé)" in claimed
    assert "data-silent hidden" in claimed  # it is not mute
    marks = plain(claimed.split('id="calibration"')[1])
    assert "arrive datée du passé et ne peut pas être notée" in marks
    assert "attendez la prochaine" not in marks
    said = plain(await gateway.post("/machines/alsalac/cabine-3/calibration", 422, mark="working"))
    assert "retarde de 10 min" in said


async def test_history_is_no_slow_clock(gateway: Running) -> None:
    await late(gateway, "muette", timedelta(days=3), 777.0)
    await until_text(gateway, "/machines/alsalac/muette", "datés du passé")
    assert "Réglez l’horloge" not in await gateway.get("/machines/alsalac/muette")
