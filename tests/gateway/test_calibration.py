"""Marks of power: the newest power while someone stands at the machine, never an old one."""

from datetime import UTC, datetime, timedelta

from fleet import edit, registry
from fleet.batch import MachineKey
from fleet.network import Calibration
from tests.gateway import world
from tests.gateway.running import Running, until_text

PAGE = "/machines/alsalac/cabine-1"
PRESS = f"{PAGE}/calibration"


async def heard(gateway: Running, text: str, at: datetime, **quantities: object) -> str:
    """The machine's page once what was published is on it."""
    await gateway.publish("net/v1/touched/alsalac", world.touched("cabine-1", at, **quantities))
    return await until_text(gateway, PAGE, text)


def kept(gateway: Running) -> Calibration:
    machines = registry.load(gateway.fleet.folder).members["alsalac"].machines
    return next(machine.calibration for machine in machines if machine.id == "cabine-1")


async def test_the_newest_power_becomes_the_mark_and_can_be_cleared(gateway: Running) -> None:
    html = await heard(gateway, "41\u202fW", datetime.now(UTC), power_w=41.3)
    assert "Sera noté" in html
    assert await gateway.post(PRESS, mark="off") == f"{PAGE}?marked=off#calibration"
    assert kept(gateway).off_w == 41.3
    assert kept(gateway).at is not None
    await heard(gateway, "12,4\u202fkW", datetime.now(UTC), power_w=12_400.0)
    await gateway.post(PRESS, mark="working")
    html = await gateway.get(f"{PAGE}?marked=working")
    assert "Dernière marque" in html
    assert "noté</span>" in html
    assert kept(gateway).working_w == 12_400
    await gateway.post(PRESS, mark="off", clear="true")
    assert kept(gateway).off_w is None
    assert kept(gateway).at is not None
    await gateway.post(PRESS, mark="working", clear="true")
    assert kept(gateway) == Calibration()
    assert "Dernière marque" not in await gateway.get(PAGE)


async def test_a_mark_that_contradicts_another_is_refused_at_once_and_says_the_way_out(gateway: Running) -> None:
    await heard(gateway, "500\u202fW", datetime.now(UTC), power_w=500.0)
    await gateway.post(PRESS, mark="off")
    where = await gateway.post(PRESS, mark="working")
    assert where == f"{PAGE}?refused=working&watts=500.0#calibration"
    assert (kept(gateway).off_w, kept(gateway).working_w) == (500, None)
    html = (await gateway.get(where.partition("#")[0])).replace("\u202f", " ").replace("\u00a0", " ")
    assert "500 W ne peut pas être « en production », qui doit dépasser « éteinte » (500 W)." in html
    assert "Effacer « éteinte » et noter « en production »" in html
    where = await gateway.post(PRESS, mark="working", over="true")
    assert (kept(gateway).off_w, kept(gateway).working_w) == (None, 500)
    assert "refused" not in where
    await heard(gateway, "900\u202fW", datetime.now(UTC), power_w=900.0)
    where = await gateway.post(PRESS, mark="off")
    html = (await gateway.get(where.partition("#")[0])).replace("\u202f", " ").replace("\u00a0", " ")
    assert "900 W ne peut pas être « éteinte », qui doit rester sous « en production » (500 W)." in html


async def test_a_mark_can_be_taken_back_to_what_it_was(gateway: Running) -> None:
    await heard(gateway, "500\u202fW", datetime.now(UTC), power_w=500.0)
    where = await gateway.post(PRESS, mark="standby")
    assert "Annuler" in await gateway.get(where.partition("#")[0])
    await heard(gateway, "700\u202fW", datetime.now(UTC), power_w=700.0)
    where = await gateway.post(PRESS, mark="standby")
    assert where == f"{PAGE}?marked=standby&was=500.0#calibration"
    assert "Annuler, revenir à 500\u202fW" in await gateway.get(where.partition("#")[0])
    await gateway.post(PRESS, mark="standby", was="500.0")
    assert kept(gateway).standby_w == 500
    for wrong in ("-1", "nan", "inf", "x"):
        await gateway.post(PRESS, 422, mark="standby", was=wrong)
    assert kept(gateway).standby_w == 500
    for odd in ("?refused=working", "?refused=x&watts=1", "?marked=standby&was=x", "?refused=off&watts=inf"):
        await gateway.get(f"{PAGE}{odd}")


async def test_marks_that_contradict_each_other_in_the_file_are_said(gateway: Running) -> None:
    marks = {"off_w": 500.0, "standby_w": 90.0}
    edit.change_machine(gateway.fleet.folder, MachineKey("alsalac", "cabine-1"), {"calibration": marks})
    await until_text(gateway, PAGE, "Ces marques se contredisent")


async def test_nothing_is_recorded_without_a_power_of_the_last_two_minutes(gateway: Running) -> None:
    assert "Aucune puissance n’est arrivée" in await gateway.get(PAGE)
    assert "aucune puissance n’est arrivée" in await gateway.post(PRESS, 422, mark="off")
    old = datetime.now(UTC) - timedelta(seconds=121)
    html = await heard(gateway, "41\u202fW", old, power_w=41.0)
    assert "date de plus de deux minutes" in html
    said = await gateway.post(PRESS, 422, mark="standby")
    assert "41\u202fW" in said
    assert "plus de deux minutes" in said
    # a newer reading that tells no power does not make the power newer
    html = await heard(gateway, "en panne</strong>", datetime.now(UTC), state="FAULT")
    assert "date de plus de deux minutes" in html
    await gateway.post(PRESS, 422, mark="off")
    assert kept(gateway) == Calibration()


async def test_only_the_owner_marks(gateway: Running) -> None:
    await heard(gateway, "41\u202fW", datetime.now(UTC), power_w=41.0)
    for role in ("coordinator", "operator", "startup", "owner:declare"):
        await gateway.as_visitor(role).post(PRESS, 404, mark="off")
    await gateway.post("/machines/alsalac/nothing/calibration", 404, mark="off")
    await gateway.post(PRESS, 422, mark="full")
    await gateway.post(PRESS, 403, origin="https://elsewhere.example", mark="off")
    assert kept(gateway) == Calibration()
