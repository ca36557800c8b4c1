"""A damaged spool: what can be read is read, what cannot is named to the reading, and nothing of it is overwritten."""

import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from ingest import damage, quarantine, schema, wal
from ingest.errors import SpoolFull
from ingest.spool import Spool, Work
from tests.faults.disk import SmallDisk, cannot_mount
from tests.ingest.test_spool import NO_LIMIT, batch, powers

PAGE = 16_384
ROWS = 400


def killed(path: Path, batches: int, *, stored: int = 0, checkpoint: int = 0) -> None:
    """What a killed collector leaves at ``path``: batches 1 to n of :data:`ROWS` readings, the first ones stored.

    Args:
        checkpoint: after so many batches the log is written to the file.
    """
    alive = path.with_name("alive")
    spool = Spool(alive, NO_LIMIT)
    for number in range(1, batches + 1):
        spool.commit(Work(batch(*[float(number)] * ROWS)), number)
        if number == checkpoint:
            spool._file.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if stored:
        spool.mark_stored(range(1, stored + 1), batches)
    for part in alive.parent.glob("alive*"):
        shutil.copy(part, path.with_name(path.name + part.name.removeprefix("alive")))
    spool.close()


def opened(path: Path) -> tuple[Spool, list[str]]:
    told: list[str] = []
    return Spool(path, NO_LIMIT, told.append), told


def accounted(spool: Spool, batches: int) -> int:
    """Every one of the readings waits, whole, or is in quarantine: how many are in quarantine."""
    found = powers(spool)
    assert all(len(one) == ROWS and len(set(one)) == 1 for one in found)
    assert len({one[0] for one in found}) == len(found)
    lost = spool.level.quarantine.readings
    assert len(found) * ROWS + lost == batches * ROWS
    return lost


@pytest.mark.parametrize("seed", range(8))
def test_one_flipped_bit_in_the_log_loses_one_batch_at_most(tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "s", random.Random(seed)
    killed(path, 40, checkpoint=20)
    log = path.with_name("s-wal")
    data = bytearray(log.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    log.write_bytes(data)
    spool, told = opened(path)
    assert accounted(spool, 40) <= 2 * ROWS
    assert told or not spool.level.quarantine.batches
    spool.commit(Work(batch(99.0)), 50)
    spool.close()
    spool, told = opened(path)
    assert told == []
    spool.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_torn_log_is_named_to_the_reading(tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "s", random.Random(seed)
    killed(path, 40, stored=5, checkpoint=20)
    os.truncate(path.with_name("s-wal"), chance.randrange(path.with_name("s-wal").stat().st_size))
    spool, told = opened(path)
    waiting = [one[0] for one in powers(spool)]
    lost = spool.level.quarantine
    assert lost.readings == (35 - sum(number > 5 for number in waiting)) * ROWS > 0
    assert f"with {lost.readings} readings are gone" in told[-1]
    assert spool.commit(Work(batch(99.0)), 50) == 41  # no id is given twice
    spool.close()


@pytest.mark.parametrize("holes", [1, 3, 8])
def test_the_file_is_read_around_its_holes(tmp_path: Path, holes: int) -> None:
    path, chance = tmp_path / "s", random.Random(holes)
    killed(path, 60, checkpoint=60)
    data = bytearray(path.read_bytes())
    for page in chance.sample(range(30, len(data) // PAGE - 10), holes):
        data[page * PAGE : (page + 1) * PAGE] = chance.randbytes(PAGE)
    path.write_bytes(data)
    spool, told = opened(path)
    assert accounted(spool, 60) <= 4 * holes * ROWS
    assert told
    spool.close()


@pytest.mark.parametrize("seed", [0, 1, 55, 59])
def test_holes_that_look_like_pages_of_a_table_hide_nothing(tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "s", random.Random(seed)
    killed(path, 60, checkpoint=60)
    data = bytearray(path.read_bytes())
    for page in chance.sample(range(30, len(data) // PAGE - 10), 8):
        junk = bytearray(chance.randbytes(PAGE))
        junk[0] = chance.choice((2, 5, 10, 13))  # the kinds of page that SQLite knows
        data[page * PAGE : (page + 1) * PAGE] = junk
    path.write_bytes(data)
    spool, told = opened(path)
    assert 0 < accounted(spool, 60) < 60 * ROWS
    assert told
    spool.close()


@pytest.mark.parametrize("size", [100, 4096, PAGE])
def test_a_file_without_its_head_is_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / "s"
    killed(path, 40, checkpoint=40)
    data = bytearray(path.read_bytes())
    data[:size] = random.Random(size).randbytes(size)
    path.write_bytes(data)
    spool, told = opened(path)
    assert accounted(spool, 40) == 0
    assert "40 rows were saved" in told[0]
    assert not path.with_name("s.headed").exists()
    assert path.with_name("s.damaged-1").read_bytes() == bytes(data)
    spool.close()


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    killed(tmp_path / "s", 10, stored=4)
    for name in ("s", "s-wal", "s-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    spool, told = opened(tmp_path / "s")
    assert spool.level.quarantine == (6, 6 * ROWS)
    assert "6 batches" in told[0]
    spool.close()


def test_what_is_in_quarantine_is_not_forgotten_with_the_file(tmp_path: Path) -> None:
    killed(tmp_path / "s", 10, checkpoint=5)
    os.truncate(tmp_path / "s-wal", 40_000)
    spool, _ = opened(tmp_path / "s")
    lost = spool.level.quarantine
    assert lost.readings == 5 * ROWS
    spool.close()
    (tmp_path / "s").unlink()
    spool, _ = opened(tmp_path / "s")
    assert spool.level.quarantine == (10, 10 * ROWS)
    assert spool.call(lambda db, _: quarantine.dismiss(db), changes_batches=True) == 10 * ROWS
    spool.close()
    (tmp_path / "s").unlink()
    spool, told = opened(tmp_path / "s")
    assert (spool.level.quarantine.batches, told) == (0, [])
    spool.close()


def test_a_replacement_that_was_cut_off_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    killed(path, 20, checkpoint=20)
    data = bytearray(path.read_bytes())
    data[30 * PAGE : 31 * PAGE] = random.Random(30).randbytes(PAGE)
    path.write_bytes(data)
    with monkeypatch.context() as patch:
        patch.setattr(damage, "finish", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            damage.rescue(path, "test")
    spool, _ = opened(path)
    accounted(spool, 20)
    assert path.with_name("s.damaged-1").read_bytes() == bytes(data)
    spool.close()


def test_without_room_to_mend_it_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    killed(path, 20, checkpoint=20)
    data = bytearray(path.read_bytes())
    data[30 * PAGE : 31 * PAGE] = random.Random(30).randbytes(PAGE)
    path.write_bytes(data)
    original = schema.open_file

    def small(name: Path) -> sqlite3.Connection:
        db = original(name)
        if name.name.endswith(".rescued"):
            db.execute("PRAGMA max_page_count = 20")
        return db

    with monkeypatch.context() as patch:
        patch.setattr(schema, "open_file", small)
        with pytest.raises(SpoolFull, match="no room to mend"):
            opened(path)
    assert path.read_bytes() == bytes(data)
    assert not list(tmp_path.glob("s.rescued*"))
    spool, _ = opened(path)
    accounted(spool, 20)
    spool.close()


def test_a_batch_in_quarantine_is_read_again_or_given_up(tmp_path: Path) -> None:
    spool, _ = opened(tmp_path / "s")
    for number in range(3):
        spool.commit(Work(batch(float(number))), number)

    def turn(db: sqlite3.Connection, table: str) -> None:
        read, write = {
            "batch": ("SELECT data FROM batch WHERE id = 2", "UPDATE batch SET data = ? WHERE id = 2"),
            "quarantine": ("SELECT data FROM quarantine WHERE id = 2", "UPDATE quarantine SET data = ? WHERE id = 2"),
        }[table]
        data = bytearray(db.execute(read).fetchone()[0])
        data[-3] ^= 4
        db.execute(write, (bytes(data),))

    spool.call(lambda db, _: turn(db, "batch"))
    assert powers(spool) == [[0.0], [2.0]]
    assert spool.level.quarantine == (1, 1)
    assert spool.call(lambda db, _: quarantine.retry(db), changes_batches=True) == 0
    spool.call(lambda db, _: turn(db, "quarantine"))
    assert spool.call(lambda db, _: quarantine.retry(db), changes_batches=True) == 1
    assert powers(spool) == [[0.0], [1.0], [2.0]]
    spool.call(lambda db, _: turn(db, "batch"))
    powers(spool)
    assert [one["readings"] for one in spool.call(lambda db, _: quarantine.listed(db))] == [1]
    assert spool.call(lambda db, _: quarantine.dismiss(db), changes_batches=True) == 1
    assert spool.level.quarantine == (0, 0)
    spool.close()


def test_a_log_that_was_cut_off_by_a_power_failure_is_left_to_sqlite(tmp_path: Path) -> None:
    """The last commit was never said to be durable when its pages are not all there."""
    killed(tmp_path / "s", 10)
    log_file = tmp_path / "s-wal"
    whole = wal.examine(log_file)
    assert whole is not None
    last = whole.frames[-1].offset
    data = bytearray(log_file.read_bytes())
    data[last : last + PAGE] = bytes(PAGE)
    log_file.write_bytes(data)
    log = wal.examine(log_file)
    assert log is not None
    assert log.read == len(log.frames) < len(whole.frames)


OLDEST = """DROP INDEX batch_waiting; ALTER TABLE loss DROP COLUMN since_ms; ALTER TABLE loss DROP COLUMN messages;
INSERT INTO loss VALUES (1, 2, 'the broker came back without our session'); PRAGMA user_version = 1"""
"""Makes a file of the first version out of one of today."""


def test_a_damaged_inventory_names_nothing_and_is_begun_anew(tmp_path: Path) -> None:
    killed(tmp_path / "s", 5)
    (tmp_path / "s.inventory").write_bytes(random.Random(8192).randbytes(8192))
    for part in tmp_path.glob("s.inventory-*"):
        part.unlink()
    spool, told = opened(tmp_path / "s")
    assert (accounted(spool, 5), told) == (0, [])
    spool.close()
    (tmp_path / "s").unlink()
    spool, told = opened(tmp_path / "s")
    assert spool.level.quarantine.batches == 5
    spool.close()


def test_a_start_on_a_full_disk_says_so_and_forgets_nothing(tmp_path: Path) -> None:
    if cannot_mount():
        pytest.skip(cannot_mount())
    disk = SmallDisk(tmp_path / "small", 8)
    try:
        killed(disk.folder / "s", 5)
        for part in disk.folder.glob("*-shm"):  # as after a restart of the machine: they have to be made again
            part.unlink()
        disk.fill()
        with pytest.raises(SpoolFull):
            opened(disk.folder / "s")
        disk.empty()
        (disk.folder / "s").unlink()
        (disk.folder / "s-wal").unlink(missing_ok=True)
        spool, _ = opened(disk.folder / "s")
        assert spool.level.quarantine.batches == 5
        spool.close()
    finally:
        disk.unmount()
