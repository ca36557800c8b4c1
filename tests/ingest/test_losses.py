"""What the broker lost is told, with the time since when something may be missing, over restarts."""

from pathlib import Path

import pytest

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from ingest.losses import WORD_S, Before, Safe, before
from ingest.report import Report
from ingest.spool import Limits, Spool
from ingest.work import Work


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
    assert spool.call(lambda db, _: before(db)) == Before(False, None, None, None, ())
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
