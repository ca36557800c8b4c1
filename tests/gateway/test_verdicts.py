"""What a machine's page says of its figures: with which words, on how much data, and what it does not ask again."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest

from fleet import edit, registry, states
from fleet.batch import MachineKey
from fleet.network import Machine, Mode
from fleet.records import Document, Finding, FindingStatus, HourBucket, Outlook
from gateway.draw.runs import Run
from gateway.evidence import why
from gateway.evidence_rows import rows
from gateway.filters import Fit
from gateway.offers import OfferRow
from gateway.pages.rows import rows as offer_rows
from gateway.picture import Progress
from gateway.present import too_little
from gateway.publish import publish, publishing_day
from gateway.words import words
from store.base import Store
from tests.gateway import world
from tests.gateway.running import Running, until_text

PARIS = ZoneInfo("Europe/Paris")
FR = words("fr", "Europe/Paris")
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def finding(**evidence: object) -> Finding:
    return Finding(
        member="m",
        machine="x",
        rule=world.RULE,
        status=FindingStatus.FLAGGED,
        since=NOW,
        reason="",
        evidence={"level": 0.2, "threshold": 0.4, "certainty": 0.9999, "ordinary_weeks": 12, **evidence},
    )


def test_hours_of_the_flag_are_those_of_the_tile_and_the_rules_own_say_what_they_are() -> None:
    outlook = world.outlook(NOW)
    flag = finding(shareable_hours_per_week={"hours": 22.0, "weeks": 12, "of": 12})
    sentence = why(flag, FR, outlook)
    assert "Au moins 22" in sentence  # 21.5 of the outlook, rounded
    assert "dans 11 semaines sur 12" in sentence
    assert "sur 12 semaines ordinaires" in sentence
    assert ("Capacité partageable retenue par la règle, au moins", "22\u202fh dans 12 semaines ordinaires sur 12") in [
        (name, said) for name, said in rows(flag, FR)
    ]


def test_nothing_is_certain() -> None:
    assert "sûr à plus de 99\u202f%" in why(finding(), FR)
    assert FR.sureness(1.0) == "plus de 99\u202f%"
    assert FR.sureness(0.991) == "99\u202f%"
    assert FR.sureness(0.0) == "moins de 1\u202f%"
    assert ("Probabilité de rester sous le seuil", "plus de 99\u202f%") in rows(finding(), FR)


def short(outlook: Outlook, hours: float, coverage: float) -> tuple[Outlook, list[Run]]:
    cut = outlook.model_copy(update={"weekly": outlook.weekly[-1:], "coverage": coverage, "weeks": 1})
    return cut, [Run(0, 86_400, states.UNKNOWN), Run(86_400, 86_400 + 3600 * hours, states.PRODUCING)]


@pytest.mark.parametrize(
    ("hours", "coverage", "expected"),
    [(0.1, 1.0, 0.1), (23.9, 1.0, 23.9), (24, 1.0, None), (30, 0.19, 30), (30, 0.2, None)],
)
def test_a_share_needs_a_day_and_a_fifth_of_the_time(hours: float, coverage: float, expected: float | None) -> None:
    found = too_little(*short(world.outlook(NOW), hours, coverage))
    assert found == (pytest.approx(expected) if expected is not None else None)


def test_a_silent_machine_with_a_long_past_has_enough() -> None:
    assert too_little(world.outlook(NOW), [Run(0, 7 * 86_400, states.UNKNOWN)]) is None
    assert too_little(world.outlook(NOW), None) is None
    assert too_little(None, None) is None


async def derive(gateway: Running, store: Store, machine: str, outlook: Outlook, hours: list[HourBucket]) -> None:
    """What analytics would write, and its word that it did."""
    own = outlook.model_copy(update={"member": "alsalac", "machine": machine})
    now = datetime.now(UTC)
    at = int(now.timestamp() * 1000)
    document = Document(member="alsalac", machine=machine, kind="outlook", at=at, body=own.model_dump_json())
    await store.write_hours(hours)
    await store.write_documents([document])
    await gateway.publish("net/v1/health/analytics", world.health("analytics", now))


def minutes(machine: str, basis: str, *codes: int) -> list[HourBucket]:
    """One hour of the present day: seven minutes of each code."""
    hour = int(datetime.now(UTC).timestamp()) // 3600 * 3600 - 3600
    seconds = [0.0] * 7
    for code in codes:
        seconds[code] += 420
    seconds[states.UNKNOWN] += 3600 - 420 * len(codes)
    segments = [(420 * place, code) for place, code in enumerate(codes)] + [(420 * len(codes), states.UNKNOWN)]
    return [
        HourBucket(
            "alsalac", machine, hour, tuple(seconds), None, None, 7, 0, 0, 9000.0, basis, tuple(segments), "", "w"  # type: ignore[arg-type]  # seven seconds, a basis
        )
    ]  # fmt: skip


async def test_seven_minutes_are_no_verdict(gateway: Running, store: Store) -> None:
    edit.add_machine(gateway.fleet.folder, "alsalac", {"id": "neuve", "name": "Fraiseuse", "trade": "machining"})
    full = world.outlook(datetime.now(UTC))
    outlook = full.model_copy(
        update={"weekly": [{**full.weekly[-1], "coverage": 0.5}], "utilisation_calendar": 1.0, "utilisation": 1.0}
    ).model_copy(update={"weeks": 1})
    await derive(gateway, store, "neuve", outlook, minutes("neuve", "state", states.PRODUCING))
    html = await until_text(gateway, "/machines/alsalac/neuve", "pas assez de données")
    assert "pas assez de données (0,1\u202fh observées)" in html
    assert "100\u202f%" not in html.split('class="figures"')[1].split("</dl>")[0]
    assert 'class="week"' not in html
    assert "La semaine type <span" not in html
    assert "semaine du " in html.split('class="figures"')[1].split("</dl>")[0]
    assert "sur 1\u202fsemaine" not in html.replace(" ", "\u202f")


async def test_power_alone_has_the_same_words_everywhere(gateway: Running, store: Store) -> None:
    edit.add_machine(gateway.fleet.folder, "alsalac", {"id": "neuve", "name": "Fraiseuse", "trade": "machining"})
    now = datetime.now(UTC)
    outlook = world.outlook(now).model_copy(update={"basis": "power", "state": "STANDBY", "energy": None})
    hours = minutes("neuve", "power", states.PRODUCING, states.STANDBY)
    await derive(gateway, store, "neuve", outlook, hours)
    html = await until_text(gateway, "/machines/alsalac/neuve", "seul «\u00a0en production\u00a0»")
    body = html.split("<main")[1].split('id="calibration"')[0]
    assert "éteinte" not in body
    assert "travaille" not in body.lower()
    assert len(re.findall(r"pas en production", body)) >= 4
    await derive(gateway, store, "neuve", outlook, minutes("neuve", "power", states.PRODUCING, states.OFF))
    html = await until_text(gateway, "/machines/alsalac/neuve", "d’après vos marques")
    assert "éteinte" in html.split("<main")[1].split('id="calibration"')[0]


async def test_what_may_be_set_up_makes_the_figure_a_span(gateway: Running, store: Store) -> None:
    edit.add_machine(gateway.fleet.folder, "alsalac", {"id": "neuve", "name": "Fraiseuse", "trade": "machining"})
    named = world.outlook(datetime.now(UTC)).model_copy(update={"basis": "power", "utilisation": 0.334})
    hours = minutes("neuve", "power", states.PRODUCING, states.STANDBY)
    page = "/machines/alsalac/neuve"
    await derive(gateway, store, "neuve", named.model_copy(update={"utilisation_most": 0.413}), hours)
    html = unescape(await until_text(gateway, page, "réglage non signalé"))
    assert ">33 à 41\u202f%<" in html
    assert "Un réglage qui ne consomme pas plus qu’au repos ne se voit pas." in html
    assert json.loads(await gateway.get("/api/v1/machines/alsalac/neuve"))["utilisation_most"] == 0.413
    assert ">33 bis 41\u202f%<" in await gateway.get(page, language="de")
    assert ">33 to 41%<" in await gateway.get(page, language="en")
    await derive(
        gateway, store, "neuve", named.model_copy(update={"utilisation": 0.672, "utilisation_most": 0.674}), hours
    )
    html = await until_text(
        gateway, page, '>67\u202f%<span role="tooltip">Production et réglage sur les heures ouvertes'
    )
    assert "réglage non signalé" not in html
    await derive(gateway, store, "neuve", named.model_copy(update={"basis": "counter"}), hours)
    assert "le compteur ne le montre pas" in await until_text(gateway, page, "le compteur")


async def test_an_answered_flag_shows_the_answer_and_can_be_changed(gateway: Running) -> None:
    page = "/machines/alsalac/laser-1"
    assert "Répondre</a>" in await gateway.get(page)

    async def say(**said: str) -> None:
        location = await gateway.post("/home/answer", member="alsalac", machine="laser-1", rule=world.RULE, **said)  # type: ignore[arg-type]  # fields alone
        assert location.startswith("/home")

    await say(answer="wrong", because="Essais en cours")
    html = await gateway.get(page)
    assert "Répondre</a>" not in html
    assert re.search(r"Votre réponse du [^<]+\u00a0: c’est faux \(Essais en cours\)", html)
    change = "/home?member=alsalac&again=laser-1"
    assert change.replace("&", "&amp;") in html
    assert 'value="propose"' not in await gateway.get("/home?member=alsalac")
    assert 'value="propose"' in await gateway.get(change)
    await say(answer="reserve")
    assert "garder en réserve" in await gateway.get(page)


async def test_an_answer_stands_for_a_quarter(gateway: Running) -> None:
    for back, asked in ((timedelta(days=200), True), (timedelta(days=20), False)):  # the flag rose nine days ago
        given = {"machine": "laser-1", "rule": world.RULE, "answer": "reserve", "at": gateway.now - back}
        edit.set_answer(gateway.fleet.folder, "alsalac", given)
        page = "/machines/alsalac/laser-1"
        await until_text(gateway, page, "Répondre</a>" if asked else "Votre réponse du")


async def test_an_offered_machine_is_not_asked_to_offer_and_reserve_withdraws_it(gateway: Running) -> None:
    home = await gateway.get("/home?member=alsalac")
    assert "Cabine de peinture 1\u00a0: sous-utilisation durable" not in home
    html = await gateway.get("/machines/alsalac/cabine-1")
    assert "Cette machine est déjà proposée" in html
    again = await gateway.get("/home?member=alsalac&again=cabine-1")
    form = again.split("Cabine de peinture 1\u00a0: sous-utilisation durable")[1].split("</section>")[0]
    assert 'value="propose"' not in form
    await gateway.post("/home/answer", member="alsalac", machine="cabine-1", rule=world.RULE, answer="reserve")
    machine = registry.load(gateway.fleet.folder).machine(MachineKey("alsalac", "cabine-1"))
    assert machine is not None
    assert machine.offer is None


def test_bar_and_list_agree_between_midnight_and_six() -> None:
    """At 00:30 yesterday's publication still holds: its bar begins two days after yesterday, like its list."""
    night = datetime(2026, 3, 5, 0, 30, tzinfo=PARIS)
    day = publishing_day(night, PARIS)
    assert day == date(2026, 3, 4)
    published = publish(world.outlook(datetime(2026, 3, 4, 6, tzinfo=PARIS)), day, PARIS)
    machine = Machine(id="x", name="X")
    offer = OfferRow(
        id="o", trade=machine.trade, commune="X", mode=Mode.TOLL, kind="measured", member=None, machine=None,
        contact=None, note=None, attributes={}, windows=published.windows, hours=8.0, since=day, new=False,
        progress=Progress(), published=published.day,
    )  # fmt: skip
    (row,) = offer_rows([Fit(offer, None, ())], night.date() + timedelta(days=2), FR)  # a caller that takes today's day
    drawn = {cell.day for line in row["bar"] for cell in line.cells if cell.label}
    assert drawn == {window.start.astimezone(PARIS).date() for window in published.windows}
    days = [cell.day for cell in row["bar"][0].cells]
    assert (days[0], days[-1]) == (date(2026, 3, 6), date(2026, 3, 18))


async def test_singular_and_the_hour_of_the_town(gateway: Running) -> None:
    html = await gateway.get("/")
    assert "Heure de Paris." in html
    assert "coordinatrice" not in html
    html = await gateway.get("/network")
    assert "1 membre raccordé sur 3," in html or "2 membres raccordés sur 3," in html
