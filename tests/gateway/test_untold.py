"""Why a state is unknown, on the owner's page: one reason in its language, and the one thing to do."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from analytics.untold import PASSING, Untold
from fleet import edit
from fleet.records import Document
from gateway.catalog import LANGUAGES
from gateway.untold import told
from gateway.words import words
from store.base import Store
from tests.gateway import world
from tests.gateway.running import Running, until_text

REASONS = sorted({one for part in get_args(Untold) for one in get_args(part)} - {"", "no-power"})
"""``no-power`` is told as ``few``: it is the reason before the first day is over."""


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_its_sentence_and_its_remedy_in_every_language(reason: str) -> None:
    said = [told(reason, words(language, "Europe/Paris")) for language in LANGUAGES]
    for key in ("text", "todo"):
        assert len({one[key] for one in said if one}) == len(LANGUAGES)


def test_no_two_reasons_are_told_alike_and_what_is_known_is_not_told() -> None:
    french = words("fr", "Europe/Paris")
    texts = [one["text"] for reason in [*REASONS, "of a later program"] if (one := told(reason, french))]
    assert len(set(texts)) == len(REASONS) + 1
    assert told("", french) is None
    remedies = [told(reason, french) for reason in PASSING]
    assert all(one and one["todo"].startswith("Attendez") for one in remedies)


async def test_the_owners_page_says_it_and_leads_to_the_marks(gateway: Running, store: Store) -> None:
    edit.add_machine(gateway.fleet.folder, "alsalac", {"id": "neuve", "name": "Fraiseuse", "trade": "machining"})
    now = datetime.now(UTC)
    for reason, text, place in (
        ("close", "niveaux de puissance sont trop proches", 'href="#calibration">Étalonner la machine'),
        ("nothing", "elle n’envoie ni état, ni compteur, ni puissance", 'href="/connect?member=alsalac">Connecter'),
    ):
        outlook = world.outlook(now).model_copy(
            update={"member": "alsalac", "machine": "neuve", "basis": "none", "state": "UNKNOWN", "untold": reason}
        )
        at = int(datetime.now(UTC).timestamp() * 1000)
        body = outlook.model_dump_json()
        await store.write_documents([Document(member="alsalac", machine="neuve", kind="outlook", at=at, body=body)])
        await gateway.publish("net/v1/health/analytics", world.health("analytics", now))
        html = await until_text(gateway, "/machines/alsalac/neuve", text)
        assert "inconnu (son état ne se déduit pas)" in html
        assert place in html.split(text)[1].split("</section>")[0]
    assert "Étalonner la machine" not in await gateway.get("/machines/alsalac/cabine-1")
