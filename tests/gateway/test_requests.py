"""Needs: written down, served, closed and opened again; the coordinator's alone."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

import store as stores
from fleet import clock
from gateway import need
from gateway.picture import Picture
from store.base import Store
from tests.gateway import world_registry
from tests.gateway.running import Running, Starter, serving
from tests.servers import InfluxServer


def later(days: int) -> str:
    return (date.today() + timedelta(days=days)).isoformat()  # noqa: DTZ011 - any day to come will do


async def test_needs_are_kept_counted_closed_and_opened_again(gateway: Running, store: Store) -> None:
    assert "aucun besoin ouvert" in await gateway.get("/")
    note = "capots <urgent>"
    where = await gateway.post(
        "/requests", trade="paint", hours="8", before=later(13), size="6 x 3", commune="Haguenau", km="60", note=note
    )
    await gateway.post("/requests", trade="laser", hours="4,5", before=later(5))
    html = await gateway.get("/requests")
    assert "2 besoins ouverts. 1 n’a pas d’offre." in html
    assert "2 offres correspondantes" in html
    assert "capots &lt;urgent&gt;" in html
    assert "à moins de 60\u202fkm de Haguenau" in html
    assert html.count("À vérifier") == 1  # one booth told its size, the other did not
    assert re.search(r"Besoins sans offre</dt><dd><span[^>]*>1<", await gateway.get("/"))
    number = where.partition("#need-")[2]
    assert await gateway.post(f"/requests/{number}/close") == f"/requests?closed={number}"
    html = await gateway.get("/requests")
    assert "1 besoin ouvert." in html
    assert "Rouvrir" in html
    kept = {document.machine: document for document in await store.read_documents(need.KIND)}
    assert kept[f"need-{number}"].member == ""
    assert need.Need.model_validate_json(kept[f"need-{number}"].body).closed is not None
    await gateway.post(f"/requests/{number}/open")
    assert "2 besoins ouverts." in await gateway.get("/requests")
    await gateway.post("/requests/0123/close", 404)


async def test_a_need_that_cannot_be_read_names_field_value_and_rule(gateway: Running) -> None:
    fields = {"trade": "paint", "hours": "8", "before": later(9)}
    for name, value, rule in (
        ("hours", "beaucoup", "un nombre plus grand que zéro"),
        ("hours", "0", "un nombre plus grand que zéro"),
        ("hours", "2001", "au plus 2000 heures"),
        ("before", "demain", "une date à venir"),
        ("before", later(-3), "une date à venir"),
        ("size", "grand", "une à trois longueurs"),
        ("commune", "Nulle-Part", "commune n’est celle d’aucun membre"),
        ("km", "-1", "un nombre plus grand que zéro"),
        ("trade", "magie", "trade"),
    ):
        html = await gateway.post("/requests", 422, **{**fields, name: value})
        assert value in html
        assert rule in html
    assert "Aucun besoin ouvert." in await gateway.get("/requests")


async def test_needs_are_for_the_coordinator_alone(gateway: Running) -> None:
    await gateway.post("/requests", trade="paint", hours="8", before=later(9), note="BESOIN-CANARI")
    for role in ("operator", "startup", "owner:alsalac"):
        visitor = gateway.as_visitor(role)
        await visitor.get("/requests", 404)
        await visitor.post("/requests", 404, trade="paint", hours="8", before=later(9))
        await visitor.post("/requests/0123/close", 404)
        await visitor.post("/requests/0123/open", 404)
    for visitor in (gateway.as_visitor("owner:alsalac"), gateway.as_visitor("coordinator")):
        html = await visitor.get("/?audience=network")
        assert "Besoins sans offre" not in html
    assert "BESOIN-CANARI" not in await gateway.get("/")


async def test_needs_survive_a_restart(start: Starter) -> None:
    running = await start()
    await serving(running)
    await running.post("/requests", trade="test", hours="8", before=later(9))
    again = Picture(start.store, running.fleet)
    assert await again.refresh()
    assert [wanted.trade.value for wanted in again.needs.values()] == ["test"]


@pytest.mark.influxd
async def test_needs_are_kept_apart_in_influxdb_too(influxd: InfluxServer, tmp_path: Path) -> None:
    place = influxd.organisation()
    store = stores.connect(place.url, token=place.token)
    await store.open()
    try:
        fleet = world_registry.write_registry(tmp_path / "fleet", clock.now())
        picture = Picture(store, fleet)
        for number, trade in (("1", "paint"), ("2", "laser")):
            wanted = {"id": number, "trade": trade, "hours": 8, "before": later(9), "created": clock.now()}
            await picture.set_need(need.Need.model_validate(wanted))
        await picture.set_need(picture.needs["2"].model_copy(update={"closed": clock.now()}))
        again = Picture(store, fleet)
        assert await again.refresh()
        assert again.needs == picture.needs
    finally:
        await store.close()
