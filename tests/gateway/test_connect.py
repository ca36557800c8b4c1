"""``/connect``: what speaks without a machine, claimed in one form and given back, by its owner alone."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from fleet import edit, registry
from fleet.network import Machine
from ingest.guess import Hint, guess
from tests.gateway import world
from tests.gateway.running import Running, serving, until_text
from tests.patience import PATIENCE_S

PAGE = "/connect?member=alsalac"
BOOTH = "m/alsalac/cabine-3/tele/SENSOR"


def plug(power: object = 3120, behind_s: int = 0) -> bytes:
    at = datetime.fromtimestamp(datetime.now(UTC).timestamp() - behind_s, world.ZONE)
    body = {"Time": at.strftime("%Y-%m-%dT%H:%M:%S"), "ENERGY": {"Total": 3.185, "Power": power}}
    return json.dumps(body).encode()


def device(topic: str, payload: bytes, age_s: float = 4, messages: int = 12) -> dict[str, Any]:
    """As the collector says it, with its own guess."""
    last = int((datetime.now(UTC).timestamp() - age_s) * 1000)
    found = guess(topic, payload, last, Hint(world.ZONE))
    return {
        "topic": topic, "first": last - 600_000, "last": last, "messages": messages,
        "prefix": payload[:512].decode("utf-8", "replace"), "guess": found and found.body(),
    }  # fmt: skip


async def heard(gateway: Running, *devices: dict[str, Any], member: str = "alsalac", text: str = "") -> str:
    """The page once what the collector said is on it."""
    body = {"at": 0, "total": len(devices), "devices": list(devices)}
    await gateway.publish(f"net/v1/unclaimed/{member}", json.dumps(body).encode(), retain=True)
    wanted = text or (devices[0]["topic"] if devices else "Tout appareil qui parle")
    return await until_text(gateway, f"/connect?member={member}", wanted)


def machines(gateway: Running) -> list[Machine]:
    return list(registry.load(gateway.fleet.folder).members["alsalac"].machines)


def form(**fields: str) -> dict[str, str]:
    filled = {"member": "alsalac", "topic": BOOTH, "name": "Cabine 3", "trade": "paint", "format": "tasmota"}
    return filled | {"rated_kw": "", "unit": "W"} | fields


async def test_a_device_is_shown_with_what_it_is_taken_for(gateway: Running) -> None:
    lone = device("m/alsalac/inconnu/x", b"<script>alert(1)</script>" + b"A" * 900, 30, 1)
    html = await heard(gateway, device(BOOTH, plug(), 4), lone, device("m/alsalac/cabine-3/tele/LWT", b"Online", 2))
    assert "2 appareils parlent" in html.replace("\u202f", " ")
    assert html.index(BOOTH) < html.index("m/alsalac/inconnu/x")  # the newest first
    assert "Tasmota, prise ou compteur</strong>\u00a0: presque sûr" in html
    assert "Il y lit la puissance, l’énergie et l’heure de l’appareil." in html
    assert "Le sujet contient «\u00a0cabine\u00a0»" in html
    assert '<option value="paint" selected>' in html
    assert '<option value="tasmota" selected>' in html
    assert "1\u00a0autre sujet du même appareil" in html or "1 autre sujet du même appareil" in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "A" * 380 not in html
    assert "Aucun format connu ne lit ce message." in html


TROUBLES = (
    ("NaN", 0, "Champ ENERGY.Power, valeur «\u00a0NaN\u00a0»\u00a0: il faut un nombre"),
    (3120, 3600, "L’horloge de l’appareil retarde de 1\u202fh."),
    (3120, -7200, "L’horloge de l’appareil avance de 2\u202fh."),
    (31, 0, "31\u202fW au plus, quand 18\u202fkW sont attendus pour ce métier (peinture)"),
)


async def test_what_is_wrong_with_it_is_a_sentence(gateway: Running) -> None:
    for power, behind_s, said in TROUBLES:
        html = await heard(gateway, device(BOOTH, plug(power, behind_s)), text=said)
        assert [other for *_, other in TROUBLES if other in html] == [said]


async def test_what_no_format_reads_is_said_so(gateway: Running) -> None:
    html = await heard(gateway, device(BOOTH, b'{"puissance": "3 kW"}', age_s=86_400, messages=2))
    assert "Aucun format connu n’y trouve de grandeur" in html
    assert "Il se tait depuis 24\u202fh." in html


async def test_a_claim_is_one_form(gateway: Running) -> None:
    await heard(gateway, device(BOOTH, plug()))
    where = await gateway.post("/connect/claim", 303, None, **form(rated_kw="45,5", unit="kW"))
    assert where == f"{PAGE}&claimed=cabine-3#claimed"
    made = machines(gateway)[-1]
    assert (made.id, made.name, made.trade.value, made.rated_w) == ("cabine-3", "Cabine 3", "paint", 45_500)
    [feed] = made.feeds
    assert (feed.topic, feed.format, feed.channel, feed.scale_w) == (BOOTH, "tasmota", None, 1000.0)
    page = where.partition("#")[0]
    html = await gateway.get(page)
    assert "data-awaits" in html
    assert "<strong>Personne.</strong> Rien n’est montré à personne." in html
    await gateway.publish("net/v1/touched/alsalac", world.touched("cabine-3", datetime.now(UTC), power_w=3120.0))
    html = await until_text(gateway, page, "3,1\u202fkW")
    assert "data-awaits" not in html
    # pressed here, the mark leads back here
    where = await gateway.post("/machines/alsalac/cabine-3/calibration", mark="working", back="connect")
    assert where == f"{PAGE}&claimed=cabine-3&marked=working#calibration"
    assert machines(gateway)[-1].calibration.working_w == 3120


WRONG = (
    ("name", " ", "Donnez un nom à la machine"),
    ("name", "***", "Il faut au moins une lettre ou un chiffre."),
    ("name", "x" * 201, "200 caractères au plus"),
    ("trade", "magic", "Choisissez un métier de la liste."),
    ("format", "abacus", "Choisissez un format de la liste."),
    ("rated_kw", "beaucoup", "Un nombre de kilowatts au-dessus de zéro"),
    ("rated_kw", "-3", "Un nombre de kilowatts au-dessus de zéro"),
    ("topic", "m/alsalac/autre", "cet appareil n’attend plus"),
    ("topic", "m/secret/x", "cet appareil n’attend plus"),
)


async def test_what_is_wrong_stands_beside_its_field(gateway: Running) -> None:
    await heard(gateway, device(BOOTH, plug()))
    before = machines(gateway)
    for field, value, said in WRONG:
        html = await gateway.post("/connect/claim", 422, None, **form(**{field: value}))
        assert said in html
        if field != "topic":
            assert f'-{field.partition("_")[0]}" name="{field}"' in html
            assert "aria-invalid" in html
            assert value.strip() in html or field in ("trade", "format")
    assert machines(gateway) == before


async def test_kilowatts_are_said_with_one_button(gateway: Running) -> None:
    await heard(gateway, device(BOOTH, plug(31)))
    where = await gateway.post("/connect/claim", 303, None, **form(rated_kw="45"))
    page = where.partition("#")[0]
    await gateway.publish("net/v1/touched/alsalac", world.touched("cabine-3", datetime.now(UTC), power_w=31.0))
    html = await until_text(gateway, page, "31\u202fW au plus, quand 45\u202fkW sont attendus pour cette machine")
    assert "data-device=" not in html  # the collector still says that it waits, and the page knows better
    assert await gateway.post("/connect/unit", member="alsalac", machine="cabine-3") == where
    assert machines(gateway)[-1].feeds[0].scale_w == 1000
    await gateway.as_visitor("coordinator").post("/connect/unit", 404, member="alsalac", machine="cabine-3")


async def test_a_machine_that_comes_to_rest_sends_no_kilowatts(gateway: Running) -> None:
    await heard(gateway, device(BOOTH, plug(31)))
    page = (await gateway.post("/connect/claim", 303, None, **form(rated_kw="45"))).partition("#")[0]
    for power in (14_000.0, 31.0):
        await gateway.publish("net/v1/touched/alsalac", world.touched("cabine-3", datetime.now(UTC), power_w=power))
        html = await until_text(gateway, page, "14\u202fkW" if power > 1000 else "31\u202fW")
    assert "kW sont attendus" not in html


async def test_a_claim_can_be_taken_back(gateway: Running) -> None:
    await heard(gateway, device(BOOTH, plug()))
    await gateway.post("/connect/claim", 303, None, **form())
    where = await gateway.post("/connect/release", member="alsalac", machine="cabine-3")
    assert where == f"{PAGE}&released=1#devices"
    assert "La machine est retirée." in await gateway.get(where.partition("#")[0])
    assert "cabine-3" not in [machine.id for machine in machines(gateway)]
    await gateway.get(f"{PAGE}&claimed=cabine-3")
    await gateway.post("/connect/release", 404, member="alsalac", machine="cabine-3")


async def test_nobody_else_sees_or_changes_anything(gateway: Running) -> None:
    canary = "CANARI-CHARGE"
    await heard(gateway, device(BOOTH, json.dumps({"power": 3, "x": canary}).encode()), text=canary)
    before = machines(gateway)
    paths = (PAGE, "/connect/devices?member=alsalac", "/connect/new?member=alsalac&device=x", "/connect?member=nobody",
             "/connect/machine?member=alsalac&machine=cabine-1", "/events?connect=alsalac")  # fmt: skip
    for role in ("coordinator", "operator", "startup", "owner:declare"):
        visitor = gateway.as_visitor(role)
        for path in paths:
            assert canary not in await visitor.get(path, 404)
        for open_to_them in ("/network", "/", "/home", "/api/v1/network"):
            async with gateway.client.get(gateway.url + open_to_them, cookies=visitor.cookies) as answer:
                assert canary not in await answer.text()
        await visitor.post("/connect/claim", 404, None, **form())
        await visitor.post("/connect/release", 404, member="alsalac", machine="cabine-1")
        await visitor.post("/connect/new", 404, member="alsalac", device="x")
    await gateway.post("/connect/claim", 403, "https://elsewhere.example", **form())
    assert machines(gateway) == before
    assert canary in await gateway.as_visitor("owner:alsalac").get("/connect")


async def test_topics_of_a_claimed_device_without_readings_are_folded(gateway: Running) -> None:
    feed = {"topic": BOOTH, "format": "tasmota"}
    edit.add_machine(gateway.fleet.folder, "alsalac", {"id": "c3", "name": "C3", "feeds": [feed]})
    await until_text(gateway, PAGE, ">C3</a>")
    html = await heard(gateway, device("m/alsalac/cabine-3/tele/LWT", b"Online"))
    assert "Tout appareil qui parle appartient à une machine." in html
    assert "sujet sans relevé d’un appareil déjà rattaché" in html


async def test_the_choice_names_who_has_devices_that_wait(gateway: Running) -> None:
    await heard(gateway, device("m/declare/x/tele/SENSOR", plug()), member="declare")
    html = await gateway.get("/connect")
    assert html.index("Déclare et Fils</a></h2>") < html.index("Alsalac SAS</a></h2>")
    assert "1 appareil à identifier" in html.replace("\u00a0", " ").replace("\u202f", " ")
    assert "1 appareil parle" in (await gateway.get("/home?member=declare")).replace("\u202f", " ")


async def test_the_page_hears_of_devices_by_events(gateway: Running) -> None:
    url = f"{gateway.url}/events?connect=alsalac"
    async with asyncio.timeout(PATIENCE_S), gateway.client.get(url) as answer:
        assert answer.status == 200
        await heard(gateway, device("m/declare/x/tele/SENSOR", plug()), member="declare")
        await heard(gateway, device(BOOTH, plug()))
        told = b""
        while b"event: devices" not in told:
            told += await answer.content.readany()
        assert b"declare" not in told


async def test_a_gateway_ready_to_serve_has_the_page(gateway: Running) -> None:
    await serving(gateway)
    html = await gateway.as_visitor("owner:alsalac").get("/")
    assert '<a href="/connect">Connecter</a>' in html
    assert "/connect" not in (await gateway.as_visitor("coordinator").get("/")).split("</header>")[0]


async def test_the_page_hears_nothing_of_what_others_write(gateway: Running) -> None:
    async with asyncio.timeout(PATIENCE_S), gateway.client.get(f"{gateway.url}/events?connect=alsalac") as answer:
        edit.add_machine(gateway.fleet.folder, "declare", {"id": "neuve", "name": "Presse neuve"})
        await until_text(gateway, "/home?member=declare", "Presse neuve")
        await gateway.publish("net/v1/touched/alsalac", world.touched("cabine-1", datetime.now(UTC), power_w=7770.0))
        told = b""
        while "7,8\u202fkW".encode() not in told:
            told += await answer.content.readany()
        assert b"event: devices" not in told
        edit.add_machine(gateway.fleet.folder, "alsalac", {"id": "neuve", "name": "La nôtre"})
        while b"event: devices" not in told:
            told += await answer.content.readany()
