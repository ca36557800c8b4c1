"""Pages as each audience gets them."""

import asyncio
import re
from datetime import datetime
from pathlib import Path

from fleet import edit, registry
from fleet.registry import Registry
from tests.gateway import world, world_registry
from tests.gateway.running import Running, Starter, serving
from tests.patience import PATIENCE_S


def cells(html: str) -> str:
    return re.sub(r"\s+", " ", html)


async def test_capacity_says_the_sentence_first_and_one_row_an_offer(gateway: Running) -> None:
    html = await gateway.get("/")
    assert html.index("3\u202foffres") < html.index("Métier") if "3\u202foffres" in html else "3 offres pour" in html
    assert "Mme Keller" in html
    assert "via le coordinateur" in html
    assert "Peinture" in html
    assert "Offre déclarée par le membre" in html
    assert re.search(r"13\u202fh \u2013 21\u202fh", html)
    assert "fois sur 10" in html


async def test_capacity_shows_names_at_level_hours_alone(gateway: Running) -> None:
    html = await gateway.as_visitor("coordinator").get("/")
    assert "Cabine de peinture 2" in html
    assert "Alsalac SAS" in html.split("</aside>")[1]
    assert "Cabine de peinture 1" not in html
    assert "Banc d'essai</h3>" not in html
    assert "Banc d’essai</h3>" in html


async def test_filters_work_without_javascript(gateway: Running) -> None:
    html = await gateway.get("/?trade=test")
    assert html.count('class="offer"') == 1 + html.split('class="only-print"')[-1].count('class="offer"')
    none = await gateway.get("/?trade=laser&hours=2")
    assert "Aucune offre ne répond à ces critères" in none
    odd = await gateway.get("/?hours=beaucoup&first=demain&place=Haguenau")
    assert "« beaucoup »".replace(" ", "\u00a0") in odd
    assert "demain" in odd


async def test_follow_up_is_kept(gateway: Running) -> None:
    html = await gateway.get("/")
    offer = re.search(r'action="/offers/([0-9a-f]+)"', html)
    assert offer is not None
    where = await gateway.post(
        f"/offers/{offer[1]}", status="talking", next_action="rappeler <jeudi>", last_contact="2026-11-20"
    )
    assert where == f"/#o-{offer[1]}"
    html = await gateway.get("/")
    assert "rappeler &lt;jeudi&gt;" in html
    assert "en discussion</strong>" in html


def _crowd(folder: Path, now: datetime) -> Registry:
    """The small network and a member that offers 24 presses."""
    fleet = world_registry.write_registry(folder, now)
    day = now.astimezone(world.ZONE).date()
    presses = [f"presse-{number}" for number in range(24)]
    consent = {"recipient": "coordinator", "level": "offers", "purpose": "essai", "since": day}
    crowd = {
        "slug": "foule",
        "name": "Foule SA",
        "place": {"commune": "Saverne", "latitude": 48.742, "longitude": 7.362},
        "machines": [{"id": name, "name": name, "trade": "press", "offer": {"mode": "facon"}} for name in presses],
        "consents": [{"machine": name, **consent} for name in presses],
    }
    edit.add_member(folder, crowd)
    return registry.load(fleet.folder)


def _rows(html: str) -> int:
    return html.split('class="only-print"><ul')[0].count('class="offer"')


async def test_twenty_rows_at_once_and_the_others_by_a_link(start: Starter) -> None:
    gateway = await start(_crowd)
    await serving(gateway)
    html = await gateway.get("/?trade=press")
    assert _rows(html) == 20
    assert "Afficher les 4 suivantes" in html
    assert 'href="/?trade=press&amp;all=1#offers-title"' in html
    everything = await gateway.get("/?trade=press&all=1")
    assert _rows(everything) == 24
    assert "suivantes" not in everything.split("<h2")[1]
    last = re.findall(r'action="/offers/([0-9a-f]+)"', everything)[-1]
    assert f"o-{last}" not in html
    await gateway.post(f"/offers/{last}", status="talking")
    html = await gateway.get("/?trade=press")  # what is being followed up is never behind a link
    assert _rows(html) == 21
    assert "Afficher les 3 suivantes" in html
    assert _rows(await gateway.get("/?trade=press&place=Saverne&km=1")) == 21
    assert "Aucune offre ne répond" in await gateway.get("/?trade=press&place=Haguenau&km=20")


async def test_offers_without_a_window_are_folded_at_the_end(start: Starter) -> None:
    gateway = await start(_crowd, past=False)
    async with asyncio.timeout(PATIENCE_S):
        for _ in iter(int, 1):
            if "26 offres sans créneau assez sûr" in (html := await gateway.get("/")).replace("\u202f", " "):
                break
    assert html.index("Offre déclarée par le membre") < html.index('class="bare"')
    assert "Promesses tenues" in html


async def test_promises_kept_follow_what_the_coordinator_notes(gateway: Running) -> None:
    html = await gateway.get("/")
    figure = r'<div class="no-print"><dt>Promesses tenues</dt><dd><span[^>]*>([^<]+)<'  # the print has the network's
    assert re.findall(figure, html) == ["—"]
    first, second, *_ = re.findall(r'action="/offers/([0-9a-f]+)"', html)
    await gateway.post(f"/offers/{first}", status="reserved", job_day="2026-01-05")
    assert re.findall(figure, await gateway.get("/")) == ["0 sur 1"]
    await gateway.post(f"/offers/{second}", status="done")
    html = await gateway.get("/")
    assert re.findall(figure, html) == ["1 sur 2"]
    assert "travail le 5 janvier" in html
    await gateway.post(f"/offers/{first}", 422, status="reserved", job_day="demain")


async def test_distances_and_attributes_are_filters(gateway: Running) -> None:
    html = await gateway.get("/?place=Haguenau&trade=paint&size=6+x+3&attribute=oven_c&least=80")
    assert "à 19\u202fkm" in html
    assert "À vérifier\u00a0: dimensions, étuve" in html  # of the booth that told neither
    assert _rows(html) == 2
    assert _rows(await gateway.get("/?trade=paint&size=8x3")) == 1
    assert _rows(await gateway.get("/?trade=paint&attribute=oven_c&least=120")) == 1


async def test_no_distance_is_told_from_a_commune_that_is_not_shown(gateway: Running) -> None:
    def inside(html: str) -> str:
        return html.split("<main")[1].split("<footer>")[0].replace("Canariville", "Nulle-Part")

    member = gateway.as_visitor("owner:declare")
    hidden = inside(await member.get("/?place=Canariville&km=30"))
    assert hidden == inside(await member.get("/?place=Nulle-Part&km=30"))
    assert "Haguenau</option>" in hidden


async def test_owner_page_has_drawings_and_the_tables_behind_them(gateway: Running) -> None:
    html = await gateway.get("/machines/alsalac/cabine-1")
    assert html.count('class="strip"') == 2
    assert 'class="curve"' in html
    assert 'class="now"' in html
    assert html.count("<details>") >= 4
    assert len(re.findall(r"<td class=\"(?:b\d+|none)", html)) == 168
    assert "37\u202f%" in html
    assert "au moins, dans 11 semaines sur 12" in html
    assert "Coordination du réseau" in html
    assert "UTC" not in html


async def test_silence_is_said_and_is_unknown(gateway: Running) -> None:
    html = await gateway.get("/machines/alsalac/muette")
    assert "Cette liaison est muette" in html
    assert "inconnu (sans données)</strong>" in html


async def test_ids_lead_to_the_page(gateway: Running) -> None:
    async with gateway.client.get(gateway.url + "/machines/laser-1", allow_redirects=False) as answer:
        assert answer.status == 307
        assert answer.headers["Location"] == "/machines/alsalac/laser-1"
    await gateway.get("/machines/alsalac.laser-1", expect=307)
    await gateway.get("/machines/cabine-1", expect=404)  # two members have one of this name


async def test_answer_to_a_flag_is_written_and_makes_an_offer(gateway: Running) -> None:
    home = await gateway.get("/home?member=alsalac")
    assert "Laser CANARI-ALSALAC\u00a0: sous-utilisation durable" in home
    before = await gateway.as_visitor("coordinator").get("/")
    assert "Découpe laser" not in before
    await gateway.post(
        "/home/answer",
        member="alsalac",
        machine="laser-1",
        rule="structural-underuse",
        answer="propose",
        mode="avec-operateur",
        share="true",
    )
    member = registry.load(gateway.fleet.folder).members["alsalac"]
    assert [(given.machine, given.answer) for given in member.answers] == [("laser-1", "propose")]
    after = await gateway.as_visitor("coordinator").get("/")
    assert "Découpe laser" in after
    home = await gateway.get("/home?member=alsalac")
    assert "Laser CANARI-ALSALAC\u00a0: sous-utilisation durable" not in home
    assert "proposer" in home


async def test_answer_without_sharing_shows_nothing_to_others(gateway: Running) -> None:
    await gateway.post(
        "/home/answer", member="alsalac", machine="laser-1", rule="structural-underuse", answer="propose"
    )
    assert "Découpe laser" not in await gateway.get("/")


async def test_errors_of_forms_are_named(gateway: Running) -> None:
    html = await gateway.post(
        "/home/answer", 422, member="alsalac", machine="laser-1", rule="structural-underuse", answer="peut-être"
    )
    assert "answer" in html
    assert "peut-être" in html


async def test_languages_by_browser_and_by_the_switch_that_stays(gateway: Running) -> None:
    assert "Teilbare Kapazitäten" in await gateway.get("/", language="de-DE,de;q=0.9")
    assert "Shareable capacity" in await gateway.get("/", language="en-US")
    assert "Capacités partageables" in await gateway.get("/", language="pl, fr;q=0.1")
    async with gateway.client.get(
        gateway.url + "/language/de?back=//elsewhere.example/", allow_redirects=False
    ) as answer:
        assert answer.headers["Location"] == "/"
        assert "resilian_language=de" in answer.headers["Set-Cookie"]
    assert '<html lang="de">' in await gateway.get("/")


async def test_network_page_orders_what_is_wrong(gateway: Running) -> None:
    html = await gateway.get("/network")
    assert "Le programme ingest ne donne pas signe de vie" in html
    assert html.index("programme ingest ne donne") < html.index("programme analytics ne donne")
    assert "alsalac.muette" in html
