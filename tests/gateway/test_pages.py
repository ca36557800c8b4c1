"""Pages as each audience gets them."""

import re

from fleet import registry
from tests.gateway.running import Running


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
