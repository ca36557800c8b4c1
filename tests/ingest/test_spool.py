"""The spool: durable when it says so, whole or aside when it is damaged, never beyond its quota."""

import contextlib
import hashlib
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from ingest import rejects, schema, unclaimed
from ingest.decoders import Fault
from ingest.errors import SpoolFull, SpoolNewer
from ingest.listing import listed
from ingest.rejects import Reject
from ingest.seen import Seen, load
from ingest.spool import Limits, Spool, Work
from ingest.unclaimed import Unclaimed

KEY = MachineKey("acme", "booth")
NO_LIMIT = Limits(min_free_bytes=0)


def batch(*powers: float, at: int = 0) -> ReadingBatch:
    """One reading a power, a millisecond apart."""
    rows = empty_rows(len(powers))
    rows["power_w"] = powers
    rows["at_ns"] = (at + np.arange(len(powers))) * 1_000_000
    return ReadingBatch((KEY,), rows, {0: '{"a":1}'})


def powers(spool: Spool) -> list[list[float]]:
    """What waits, batch by batch."""
    return [found.rows["power_w"].tolist() for _, found in spool.waiting(0, 2**30)]


def reject(number: int, member: str = "acme", payload: bytes = b"{}") -> Reject:
    """A refused message."""
    return Reject(
        member, "booth", "m/acme/booth/reading", number, (Fault("type", "power_w", "x", "a number"),), payload
    )


def test_waiting_in_order_then_stored_then_gone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", Limits(min_free_bytes=0, grace_ms=1000))
    ids = [spool.commit(Work(batch(float(n))), 10 + n) for n in range(5)]
    assert ids == [1, 2, 3, 4, 5]
    assert [number for number, _ in spool.waiting(2, 1)] == [3]
    assert spool.level.batches == spool.level.readings == 5
    assert spool.level.oldest_ms == 10
    spool.mark_stored([1, 2], now_ms=100)
    assert powers(spool) == [[2.0], [3.0], [4.0]]
    assert spool.level.oldest_ms == 12
    spool.close()
    spool = Spool(tmp_path / "s", Limits(min_free_bytes=0, grace_ms=1000))
    assert spool.level.batches == 3
    spool.forget_stored(now_ms=1099)
    assert spool.repush(0, 2**62) == 2
    assert powers(spool) == [[0.0], [1.0], [2.0], [3.0], [4.0]]
    spool.mark_stored([1, 2, 3, 4], now_ms=2000)
    spool.forget_stored(now_ms=3000)
    assert spool.repush(0, 2**62) == 0
    assert spool.level == type(spool.level)(1, spool.level.bytes, 1, 0, 14)
    spool.close()


def test_all_of_a_work_or_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", NO_LIMIT)
    work = Work(batch(1.0), [reject(1)], [Unclaimed("acme", "m/acme/x", 2, b'{"power":1}')], {7: Seen(b"h" * 12, 3)})
    assert spool.commit(work, 1) == 1
    broken = Work(batch(2.0), [reject(2)], [], {8: Seen(None, 3)})  # type: ignore[arg-type] # a row the file refuses
    with pytest.raises(sqlite3.IntegrityError):
        spool.commit(broken, 2)
    assert powers(spool) == [[1.0]]
    assert spool.call(lambda db, _: rejects.summary(db, "acme"))["total"] == 1
    assert spool.call(lambda db, _: unclaimed.summary(db, "acme"))["devices"][0]["guess"]["score"] > 0
    assert spool.call(lambda db, _: load(db)) == {7: Seen(b"h" * 12, 3)}
    spool.close()


def test_the_quota_holds_and_grace_gives_way(tmp_path: Path) -> None:
    size = len(batch(1.0).to_bytes())
    spool = Spool(tmp_path / "s", Limits(quota_bytes=3 * size, min_free_bytes=0))
    for number in range(3):
        spool.commit(Work(batch(float(number))), number)
    with pytest.raises(SpoolFull, match="quota"):
        spool.commit(Work(batch(9.0)), 3)
    assert powers(spool) == [[0.0], [1.0], [2.0]]
    spool.mark_stored([1, 2], 4)
    spool.commit(Work(batch(9.0)), 5)  # the oldest stored batch makes room
    assert spool.level.stored_bytes == size
    assert powers(spool) == [[2.0], [9.0]]
    assert spool.repush(0, 2**62) == 1
    spool.close()


def test_free_space_is_left(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", Limits(min_free_bytes=2**62))
    with pytest.raises(SpoolFull, match="free"):
        spool.commit(Work(batch(1.0)), 1)
    spool.close()


def test_what_the_store_has_gives_way_on_a_disk_that_is_short(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", NO_LIMIT)
    large = batch(*[1.0] * 5_000)
    ids = [spool.commit(Work(large), number) for number in range(6)]
    spool.mark_stored([number for number in ids[:4] if number], 10)
    spool.limits = Limits(min_free_bytes=2**62)
    taken = 0
    with contextlib.suppress(SpoolFull):
        while spool.commit(Work(large), 20 + taken):
            taken += 1
    assert 2 <= taken <= 4
    assert spool.level.batches == 2 + taken
    assert spool.level.stored_bytes == 0
    assert all(len(one) == 5_000 for one in powers(spool))
    spool.close()


def test_a_full_disk_keeps_nothing_and_recovers(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", NO_LIMIT)
    spool.commit(Work(batch(1.0)), 1)
    pages = spool.call(lambda db, _: db.execute("PRAGMA page_count").fetchone()[0])
    spool._file.db.execute(f"PRAGMA max_page_count = {pages}")
    large = batch(*[2.0] * 5_000)
    with pytest.raises(SpoolFull, match="full"):
        spool.commit(Work(large, [reject(1)]), 2)
    spool._file.db.execute("PRAGMA max_page_count = 1000000")
    spool.commit(Work(large, [reject(1)]), 3)
    assert [len(one) for one in powers(spool)] == [1, 5_000]
    assert spool.call(lambda db, _: rejects.summary(db, "acme"))["total"] == 1
    spool.close()


def test_a_flipped_bit_is_put_aside(tmp_path: Path) -> None:
    told: list[str] = []
    spool = Spool(tmp_path / "s", NO_LIMIT, told.append)
    for number in range(4):
        spool.commit(Work(batch(float(number))), number)

    def flip(db: sqlite3.Connection, _: object) -> None:
        data = bytearray(db.execute("SELECT data FROM batch WHERE id = 2").fetchone()[0])
        data[-3] ^= 4
        db.execute("UPDATE batch SET data = ? WHERE id = 2", (bytes(data),))
        db.execute("UPDATE batch SET data = ? WHERE id = 3", (bytes(data[:20]),))

    spool.call(flip)
    assert powers(spool) == [[0.0], [3.0]]
    assert powers(spool) == [[0.0], [3.0]]
    assert ["checksum" in report for report in told] == [True, True]
    assert spool.level.batches == 2
    assert spool.call(lambda db, _: db.execute("SELECT count(*) FROM quarantine").fetchone()[0]) == 2
    assert [number for number, _ in spool.waiting(1, 1)] == [4]
    spool.close()


@pytest.mark.parametrize("where", ["page", "head", "torn"])
def test_a_damaged_file_is_replaced_and_saved(tmp_path: Path, where: str) -> None:
    path = tmp_path / "s"
    spool = Spool(path, NO_LIMIT)
    for number in range(40):
        spool.commit(Work(batch(*[float(number)] * 400)), number)
    spool.close()
    data = bytearray(path.read_bytes())
    if where == "page":
        middle = len(data) // 2 // 16384 * 16384
        data[middle : middle + 16384] = random.Random(16384).randbytes(16384)
    elif where == "head":
        data[:100] = bytes(100)
    else:
        del data[len(data) * 3 // 4 :]
    path.write_bytes(data)
    told: list[str] = []
    spool = Spool(path, NO_LIMIT, told.append)
    found = powers(spool)
    assert told
    assert (tmp_path / "s.damaged-1").exists()
    assert all(len(one) == 400 for one in found)
    if where == "page":
        assert 35 <= len(found) < 40
    spool.commit(Work(batch(99.0)), 50)
    assert powers(spool)[-1] == [99.0]
    spool.close()


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(SpoolNewer, match="install a newer"):
        Spool(path, NO_LIMIT)
    assert path.read_bytes() == before


def test_rejects_are_bounded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "MAX_MESSAGES", 100)
    spool = Spool(tmp_path / "s", NO_LIMIT)
    spool.commit(Work(rejects=[reject(0, "zeta")]), 0)
    for start in range(0, 1_000, 50):
        spool.commit(Work(rejects=[reject(number) for number in range(start, start + 50)]), start)
    summary = spool.call(lambda db, _: rejects.summary(db, "acme"))
    assert summary["total"] == 1_000
    assert [one["at"] for one in summary["newest"]] == list(range(999, 979, -1))
    held = spool.call(lambda db, _: db.execute("SELECT count(*) FROM kept WHERE member = 'acme'").fetchone()[0])
    assert 90 <= held <= 100
    assert spool.call(lambda db, _: rejects.summary(db, "zeta"))["total"] == 1
    spool.close()


def test_large_payloads_are_kept_as_prefix_and_hash(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", NO_LIMIT)
    spool.commit(Work(rejects=[reject(1, payload=b"x" * 100_000), reject(2, payload=b"\xff\0y")]), 1)
    newest = spool.call(lambda db, _: rejects.summary(db, "acme"))["newest"]
    assert newest[1]["prefix"] == "x" * 512
    assert newest[0]["prefix"] == "\ufffd\ufffdy"
    assert [kept.payload for kept in spool.call(lambda db, _: rejects.page(db, "reject", None, 0))] == [b"\xff\0y"]
    spool.close()


WRITER = """
import sys
from pathlib import Path
from ingest.spool import Limits, Spool, Work
from tests.ingest.test_spool import batch, reject
spool = Spool(Path(sys.argv[1]), Limits(min_free_bytes=0))
for number in range(100_000):
    spool.commit(Work(batch(float(number), float(number)), [reject(number)]), number)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.faults
@pytest.mark.parametrize("round_", range(5))
def test_kill_9_loses_nothing_that_was_committed(tmp_path: Path, round_: int) -> None:
    path = tmp_path / "s"
    child = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [int(child.stdout.readline()) for _ in range(20 + 7 * round_)]
    child.send_signal(signal.SIGKILL)
    said += [int(line) for line in child.stdout if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    spool = Spool(path, NO_LIMIT, lambda report: pytest.fail(report))
    found = powers(spool)
    assert len(found) in (len(said), len(said) + 1)  # the last commit may not have been told any more
    assert found == [[float(number)] * 2 for number in range(len(found))]
    assert spool.call(lambda db, _: rejects.summary(db, "acme"))["total"] == len(found)
    spool.close()


def test_a_write_that_the_system_refuses_keeps_nothing_and_recovers(tmp_path: Path) -> None:
    """The file may grow no further: what a full disk and a broken one look like to the program."""
    spool = Spool(tmp_path / "s", NO_LIMIT)
    spool.commit(Work(batch(1.0)), 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "s-wal").stat().st_size + 20_000, hard))
    try:
        with pytest.raises(SpoolFull):
            spool.commit(Work(batch(*[2.0] * 5_000), [reject(1)]), 2)
        level = spool.level
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (level.batches, level.readings) == (1, 1)
    assert spool.call(lambda db, _: rejects.summary(db, "acme"))["total"] == 0
    spool.commit(Work(batch(3.0)), 3)
    assert powers(spool) == [[1.0], [3.0]]
    spool.close()


def test_kept_messages_are_listed_beside_a_running_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s", NO_LIMIT)
    spool.commit(Work(rejects=[reject(1)], unclaimed=[Unclaimed("zeta", "m/zeta/x", 2, b"\xff")]), 1)
    found = listed(tmp_path / "s")
    assert [(one["kind"], one["member"], one["at"]) for one in found] == [
        ("reject", "acme", 1),
        ("unclaimed", "zeta", 2),
    ]
    assert found[0]["sha256"] == hashlib.sha256(b"{}").hexdigest()
    assert listed(tmp_path / "s", kind="reject", member="zeta") == []
    with pytest.raises(FileNotFoundError):
        listed(tmp_path / "t")
    spool.close()
