"""What the broker lost is told, with the time since when something may be missing, over restarts."""

import asyncio
import json
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bus.client import Session
from fleet.batch import MachineKey, ReadingBatch, empty_rows
from fleet.clock import now_ms
from ingest import losses
from ingest.config import IngestConfig
from ingest.losses import TOLD, WORD_S, Before, Loss, Safe, before, merged
from ingest.report import Report
from ingest.service import SPOOL_FILE
from ingest.spool import Limits, Spool
from ingest.work import Work
from store import Store
from tests.ingest import ear as ears
from tests.ingest.conftest import Mosquitto, collecting, connected, until
from tests.ingest.ear import Ear
from tests.patience import PATIENCE_S


@pytest.mark.parametrize(
    ("known", "heard", "more"),
    [
        (None, [b"7"], [0]),  # of a time before we had a session
        (7, [b"7"], [0]),
        (7, [b"19"], [12]),  # while we were not there
        (7, [b"0", b"3"], [0, 3]),  # the broker began anew
        (7, [b"5"], [5]),
        (None, [b"0", b"2", b"2", b"10"], [0, 2, 0, 8]),
        (3, [b"", b"x", b"4"], [0, 0, 1]),
    ],
)
def test_what_the_broker_threw_away(known: int | None, heard: list[bytes], more: list[int]) -> None:
    report = Report()
    report.broker_dropped = known
    assert [report.dropped(payload) for payload in heard] == more
    assert len(report.errors) == sum(count > 0 for count in more)
    assert report.broker_dropped == int(heard[-1])


def test_a_fresh_spool_knows_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", Limits(min_free_bytes=0))
    assert spool.call(lambda db, _: before(db)) == Before(False, 0, False, None, None, None, ())
    spool.close()


def lost(at_ms: int) -> Loss:
    return Loss(at_ms, "lost", at_ms - 1_000, None)


def away(at_ms: int, since_ms: int | None, messages: int) -> Loss:
    return Loss(at_ms, "away", since_ms, messages)


@pytest.mark.parametrize(
    ("known", "new", "kept"),
    [
        ([], [], []),
        ([lost(5_000)], [away(9_000, 2_000, 7)], [lost(5_000), away(9_000, 2_000, 7)]),
        # what goes on is one, also with a lost session between
        ([away(9_000, 2_000, 7), lost(9_500)], [away(19_000, 12_000, 2)], [lost(9_500), away(19_000, 2_000, 9)]),
        ([away(9_000, 2_000, 7)], [away(619_000, 609_000, 2)], [away(619_000, 2_000, 9)]),
        ([away(9_000, 2_000, 7)], [away(619_000, 609_001, 2)], [away(9_000, 2_000, 7), away(619_000, 609_001, 2)]),
        # nothing known to be safe: none of both is narrowed, and one that is long over stays as it is
        ([away(9_000, 2_000, 7)], [away(19_000, None, 2)], [away(19_000, None, 9)]),
        ([away(9_000, None, 7)], [away(19_000, 12_000, 2)], [away(19_000, None, 9)]),
        ([away(9_000, 2_000, 7)], [away(700_000, None, 2)], [away(9_000, 2_000, 7), away(700_000, None, 2)]),
        # so many of each kind, the newest
        (
            [lost(1_000), lost(2_000), lost(3_000)],
            [away(1_000_000 * each, 1_000_000 * each, each) for each in (1, 2, 3, 4)],
            [lost(2_000), lost(3_000), away(3_000_000, 3_000_000, 3), away(4_000_000, 4_000_000, 4)],
        ),
        ([lost(1_000), lost(2_000)], [lost(3_000)], [lost(2_000), lost(3_000)]),
        # the clock was put back
        ([away(9_000, 2_000, 7)], [away(4_000, 3_000, 2)], [away(9_000, 2_000, 9)]),
    ],
)
def test_neither_kind_of_loss_pushes_the_other_out(known: list[Loss], new: list[Loss], kept: list[Loss]) -> None:
    assert merged(known, new, 2) == kept


def add(db: sqlite3.Connection, _: object, loss: Loss) -> None:
    losses._add(db, [loss])


def test_lost_sessions_stay_in_the_spool_whatever_a_client_makes_the_broker_throw_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", Limits(min_free_bytes=0))
    spool.call(lambda db, _: losses._add(db, [lost(5_000)]))
    for each in range(1, 300):
        spool.call(partial(add, loss=away(1_000_000 * each, 1_000_000 * each, 1)))
    kept = spool.call(lambda db, _: losses._all(db))
    assert (kept[0], len(kept), kept[-1].at_ms) == (lost(5_000), 101, 299_000_000)
    told_first = spool.call(lambda db, _: before(db)).losses
    assert (told_first[0], len(told_first)) == (lost(5_000), 1 + TOLD)
    spool.close()


def test_what_is_safe_when_the_broker_tells_late() -> None:
    safe = Safe()
    assert safe.since_ms is None
    safe.beat(0.0, None)
    for beat in range(1, 40):
        safe.beat(2.0 * beat, 1_000 * beat)
        told = safe.since_ms or 0
        assert WORD_S <= 2.0 * beat - 2.0 * told / 1_000 < WORD_S + 2.0 or 2.0 * beat < WORD_S
    safe.beat(500.0, 90_000)  # it was held: nothing between is known to be safe before
    assert safe.since_ms == 39_000


@pytest.mark.parametrize("gone", [(), (1, 2, 3, 4), (2, 4, 6, 20, 39)])
def test_what_earlier_runs_put_on_disk_is_safe(tmp_path: Path, gone: tuple[int, ...]) -> None:
    spool = Spool(tmp_path / "s", Limits(min_free_bytes=0))
    batch = ReadingBatch((MachineKey("zeta", "booth"),), empty_rows(1))
    for number in range(1, 41):
        spool.commit(Work(batch), 1_000 * number)
    spool.call(lambda db, _: [db.execute("DELETE FROM batch WHERE id = ?", (number,)) for number in gone])
    found = spool.call(lambda db, _: before(db))
    assert (found.safe_ms, found.long_safe_ms) == (40_000, 26_000)
    spool.call(lambda db, _: db.execute("DELETE FROM batch WHERE id < 30"))
    assert spool.call(lambda db, _: before(db)).long_safe_ms is None
    spool.close()


def told(spool: Spool) -> tuple[bool, int, bool, int | None]:
    """What the next life knows of its session."""
    found = spool.call(lambda db, _: before(db))
    return found.had_session, found.mark, found.doubted, found.safe_ms


def test_what_was_safe_before_a_connection_stays_known_until_its_session_is(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", Limits(min_free_bytes=0))
    batch = ReadingBatch((MachineKey("zeta", "booth"),), empty_rows(1))
    spool.call(lambda db, _: losses._doubt(db, None))
    spool.commit(Work(batch), 1_000)
    assert told(spool) == (False, 0, True, None), "nothing was safe before what came on that connection"
    spool.call(lambda db, _: losses._mark(db, 77, None))
    assert told(spool) == (True, 77, False, 1_000)
    spool.call(lambda db, _: losses._doubt(db, 1_000))
    spool.commit(Work(batch), 2_000)
    spool.call(lambda db, _: losses._doubt(db, 2_000))
    assert told(spool) == (True, 77, True, 1_000), "two connections whose session was not known"
    spool.call(lambda db, _: losses._mark(db, 0, None))
    assert told(spool) == (True, 0, False, 2_000), "a broker that refuses the mark"
    spool.call(lambda db, _: db.execute("UPDATE meta SET value = 1 WHERE name = 'session'"))
    assert told(spool)[:2] == (True, 0), "as earlier versions wrote it"
    spool.close()


async def test_a_loss_that_nobody_lived_to_tell_is_told_once(
    config: IngestConfig, store: Store, ear: Ear, broker: Mosquitto
) -> None:
    async with collecting(config, store):
        await connected(ear)
        await ear.send(("m/acme/booth/reading", {"at": 1_795_000_000_000, "power_w": 1}))
        await until(lambda: ear.health.get("stored") == 1, "a reading before it")
    safe = now_ms()
    broker.kill()
    await until(lambda: not ear.session.connected, "the broker to be away")
    broker.start()
    killed = Session(config.broker, client_id=config.session_id)
    life = asyncio.create_task(killed.run(asyncio.Event()))
    await killed.wait_connected()
    life.cancel()
    await ear.session.wait_connected()
    for _ in range(2):
        async with collecting(config, store):
            await until(lambda: bool(ear.health.get("losses")) and ear.health["alive"], "the loss to be said")
            await ear.send(("m/acme/booth/reading", {"at": now_ms(), "power_w": 2}))
            await until(lambda: ear.health.get("stored") == 1, "what comes afterwards")
        await until(lambda: ear.health.get("alive") is False, "the end of this life")
    [document] = await store.read_documents("session")
    [loss] = json.loads(document.body)
    assert "another session" in loss["reason"]
    assert loss["since"] <= safe <= loss["at"]
    assert len(ear.heard["net/v1/session/ingest"]) == 1


async def test_what_the_spool_knows_of_losses_reaches_a_store_that_was_away(config: IngestConfig, store: Store) -> None:
    config.data_dir.mkdir()
    spool = Spool(config.data_dir / SPOOL_FILE, Limits(min_free_bytes=0))
    spool.call(lambda db, _: losses._add(db, [losses.Loss(2_000, "it was away", 1_000, None)]))
    spool.close()
    async with collecting(config, store), asyncio.timeout(PATIENCE_S):
        while not (documents := await store.read_documents("session")):  # noqa: ASYNC110 - written by the collector
            await asyncio.sleep(0.01)
    assert [loss["reason"] for loss in json.loads(documents[0].body)] == ["it was away"]


async def test_a_client_that_makes_its_own_queue_overflow_hides_no_lost_session(
    fleet: Path, tmp_path: Path, store: Store
) -> None:
    broker = Mosquitto(tmp_path, max_queued_messages="10")
    broker.start()
    config = IngestConfig(broker.address, fleet, tmp_path / "data", limits=Limits(min_free_bytes=0))
    ear = Ear(broker.address)

    def overflows() -> list[dict[str, Any]]:
        return [one for one in ear.heard.get("net/v1/session/ingest", ()) if "messages" in one]

    def told_of(count: int) -> bool:
        return len(overflows()) >= count

    try:
        async with ears.running(ear.session), collecting(config, store):
            await connected(ear)
            broker.kill()
            broker.start()
            await until(lambda: bool(ear.health.get("losses")), "the lost session")
            deaf = Session(config.broker, client_id="deaf", subscriptions=("own/#",))
            async with ears.running(deaf):
                pass  # its session stays, and nobody takes what it gets
            for often in range(TOLD + 1):
                await ear.send(*[("own/queue", b"x")] * 20)
                await until(partial(told_of, often + 1), "messages thrown away")
            total = sum(one["messages"] for one in overflows())
            await until(lambda: ear.health["losses"][-1].get("messages") == total, "all of them in the health")
            session, thrown = ear.health["losses"]
            async with asyncio.timeout(PATIENCE_S):
                while json.loads((await store.read_documents("session"))[0].body) != [session, thrown]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    finally:
        broker.kill()
    assert "session" in session["reason"]
    assert "messages" not in session
    assert "of some client, perhaps not ours" in thrown["reason"]
