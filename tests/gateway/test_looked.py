"""Who looked: roles and recipients, kept in batches, shown to the owner alone."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from fleet.batch import MachineKey
from fleet.records import Document
from gateway.looked import KIND, Looked, Looks
from store.base import Store, StoreUnavailable
from tests.gateway.running import Running
from tests.patience import PATIENCE_S

BOOTH, LASER = MachineKey("alsalac", "cabine-1"), MachineKey("alsalac", "laser-1")


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def written(store: Store) -> dict[MachineKey, list[str]]:
    return {
        MachineKey(document.member, document.machine): [
            look.role for look in Looked.model_validate_json(document.body).looks
        ]
        for document in await store.read_documents(KIND)
    }


async def test_one_role_in_ten_minutes_is_one_look(store: Store, clock: Clock) -> None:
    looks = Looks(store, clock)
    for minute, role in ((0, "coordinator"), (4, "owner"), (9, "coordinator"), (10, "coordinator"), (12, "owner")):
        clock.at = datetime(2026, 11, 23, 6, minute, tzinfo=UTC)
        looks.note([BOOTH], role, "offer")
    assert [(look.role, look.at.minute) for look in looks.of(BOOTH)] == [
        ("coordinator", 10),
        ("owner", 4),
        ("coordinator", 0),
    ]
    assert looks.of(LASER) == []


async def test_fifty_are_kept_and_read_again_after_a_restart(store: Store, clock: Clock) -> None:
    looks = Looks(store, clock)
    for number in range(60):
        clock.at += timedelta(minutes=11)
        looks.note([BOOTH], f"member:m{number}", "offer")
    await looks.finish()
    again = Looks(store, clock)
    again.note([BOOTH], "owner", "machine")
    clock.at += timedelta(seconds=1)
    await again.finish()
    roles = [look.role for look in again.of(BOOTH)]
    assert len(roles) == 50
    assert (roles[0], roles[1], roles[-1]) == ("owner", "member:m59", "member:m11")
    assert len((await written(store))[BOOTH]) == 50


async def test_what_is_noted_within_a_minute_is_written_at_the_stop(store: Store, clock: Clock) -> None:
    looks, stop = Looks(store, clock), asyncio.Event()
    keeping = asyncio.create_task(looks.keep(stop))
    looks.note([BOOTH], "owner", "machine")
    async with asyncio.timeout(PATIENCE_S):
        for _ in iter(int, 1):
            if BOOTH in await written(store):
                break
            await asyncio.sleep(0.01)
    clock.at += timedelta(seconds=1)
    looks.note([LASER], "owner", "machine")
    assert LASER not in await written(store)  # the next batch is a minute away
    stop.set()
    await keeping
    await looks.finish()
    assert (await written(store))[LASER] == ["owner"]


async def test_a_store_that_is_away_forgets_nothing(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(documents: Iterable[Document]) -> None:
        raise StoreUnavailable("no route")

    looks = Looks(store, clock)
    looks.note([BOOTH], "owner", "machine")
    with monkeypatch.context() as patched:
        patched.setattr(store, "write_documents", away)
        await looks.finish()
        with pytest.raises(StoreUnavailable):
            await looks.flush()
    assert looks.woken.is_set()
    await looks.finish()
    assert (await written(store))[BOOTH] == ["owner"]


async def test_the_owner_sees_roles_and_recipients(gateway: Running) -> None:
    await gateway.as_visitor("coordinator").get("/")
    await gateway.as_visitor("owner:declare").get("/api/v1/offers")
    await gateway.as_visitor("owner:declare").get("/machines/alsalac/cabine-1", 404)
    await gateway.as_visitor("owner:alsalac").get("/api/v1/machines/alsalac/cabine-1")
    html = await gateway.as_visitor("owner:alsalac").get("/machines/alsalac/cabine-1")
    log = html.split('id="looked-title"')[1]
    assert "La coordination du réseau" in log
    assert "Déclare et Fils" in log
    assert "Votre entreprise" in log
    assert "l’offre" not in log
    other = await gateway.as_visitor("owner:alsalac").get("/machines/alsalac/laser-1")
    log = other.split('id="looked-title"')[1]
    assert "coordination" not in log  # it is not offered: nobody saw anything of it
    assert "Déclare et Fils" not in log
    assert "sans compte" not in log


async def test_looks_are_kept_when_the_gateway_stops(gateway: Running, store: Store) -> None:
    await gateway.as_visitor("coordinator").get("/?trade=paint")
    gateway.stop.set()
    await gateway.done
    kept = await written(store)
    assert "coordinator" in kept[BOOTH]
    assert MachineKey("declare", "banc") not in kept or "coordinator" not in kept[MachineKey("declare", "banc")]
