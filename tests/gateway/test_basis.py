"""What chances rest on, in words; a machine that leans on its trade is told to its owner alone."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from fleet.network import Machine, Trade
from fleet.records import ChanceBasis, FreeWindow, Outlook
from gateway.basis import basis_in_words
from gateway.words import words
from tests.gateway.running import Running

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
BOOTH = Machine(id="booth", name="Booth", trade=Trade.PAINT)
WINDOW = FreeWindow(start=NOW, end=NOW + timedelta(hours=8), probability=0.6)


def outlook(basis: ChanceBasis | None, *, assumed: bool = False) -> Outlook:
    return Outlook(
        member="acme", machine="booth", as_of=NOW, weeks=0, state="UNKNOWN", state_since=None, last_reading=None,
        basis="none", utilisation=None, utilisation_calendar=None, coverage=0.0, shareable_hours_per_week=None,
        shareable_in_weeks=None, weekly=[], grid=[], grid_coverage=[], free=[] if assumed else [WINDOW],
        assumed=[WINDOW] if assumed else [], chance_basis=basis, window_hours=8.0, model="",
    )  # fmt: skip


def said(language: str, *basis: float, assumed: bool = False) -> str:
    own, share, siblings = basis
    told = outlook(ChanceBasis(own_weeks=own, trade_share=share, siblings=int(siblings)), assumed=assumed)
    return basis_in_words(told, BOOTH, words(language, "Europe/Paris"))


@pytest.mark.parametrize(
    ("basis", "assumed", "sentence"),
    [
        ((0.0, 1.0, 0), True, "Aucun état connu encore : ces chances reposent sur ce que l'on suppose de son métier ("),
        ((1.4, 0.52, 0), True, "reposent sur 10\u202fjours de relevés de cette machine et, pour 50\u202f% environ"),
        ((0.15, 0.9, 0), True, "sur 1\u202fjour de relevés"),
        ((5.9, 0.2, 0), False, "reposent sur 5\u202fsemaines de relevés de cette machine et, pour 20\u202f% environ,"),
        ((12.0, 0.08, 0), False, "Ces chances reposent sur 12\u202fsemaines de relevés de cette machine."),
    ],
)  # fmt: skip
def test_sentences(basis: tuple[float, ...], assumed: bool, sentence: str) -> None:
    plain = sentence.replace("\u202f", " ").replace("'", "’")
    found = said("fr", *basis, assumed=assumed).replace("\u202f", " ").replace("\u00a0", " ").replace("'", "’")
    assert plain in found
    assert ("Vous seul" in found) == assumed


def test_other_machines_are_mentioned_where_they_count() -> None:
    assert "Vos autres machines" in said("fr", 1.4, 0.52, 2)
    assert "Vos autres machines" not in said("fr", 12.0, 0.08, 2)


def test_german_and_english() -> None:
    assert "den Messwerten von 10 Tagen dieser Maschine und zu etwa 50" in said("de", 1.4, 0.52, 0).replace(
        "\u202f", " "
    )
    assert "rest on 1 day of readings of this machine and, for about 90%" in said("en", 0.15, 0.9, 0)
    assert "You alone see them" in said("en", 0.15, 0.9, 0, assumed=True)


def test_no_chance_has_no_basis() -> None:
    assert basis_in_words(None, BOOTH, words("fr", "Europe/Paris")) == ""
    assert basis_in_words(outlook(None), BOOTH, words("fr", "Europe/Paris")) == ""


async def test_the_owner_sees_what_a_young_machines_chances_rest_on_and_nobody_else_sees_them(gateway: Running) -> None:
    html = await gateway.get("/machines/alsalac/laser-1")
    assert "de relevés de cette machine et, pour" in html
    assert "Vous seul les voyez" in html
    told = json.loads(await gateway.get("/api/v1/machines/alsalac/laser-1"))
    assert told["free"]
    assert told["chance_basis"] == {"own_weeks": 1.4, "trade_share": 0.52, "siblings": 0}
    assert "12\u202fsemaines de relevés" in (await gateway.get("/machines/alsalac/cabine-1")).replace(
        " semaines", "\u202fsemaines"
    )
    for page in ("/", "/?audience=network"):
        for role in ("coordinator", "secret"):
            seen = await gateway.as_visitor(role).get(page)
            assert "relevés de cette machine" not in seen
            assert "laser-1" not in seen


def test_a_trade_inside_a_sentence_has_its_capital_in_german_alone() -> None:
    said = {language: words(language, "Europe/Paris").trade_inside(Trade.TURNING) for language in ("fr", "de", "en")}
    assert said == {"fr": "tournage", "de": "Drehen", "en": "turning"}


def test_a_window_to_midnight_ends_at_24_and_one_beyond_names_its_day() -> None:
    noon, day = datetime(2026, 11, 27, 11, tzinfo=UTC), timedelta(hours=12)
    french, english = words("fr", "Europe/Paris"), words("en", "Europe/Paris")
    assert french.span(noon, noon + day).replace("\u202f", " ") == "vendredi 27 novembre 12 h – 24 h"
    assert english.span(noon, noon + day).replace("\u202f", " ") == "Friday 27 November 12:00 – 24:00"
    assert french.span(noon, noon + 1.5 * day).replace("\u202f", " ") == "vendredi 27 novembre 12 h – samedi 6 h"
