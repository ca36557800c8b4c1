"""What the broker lost is told, with the time since when something may be missing, over restarts."""

from pathlib import Path

import pytest

from ingest.losses import Before, before
from ingest.report import Report
from ingest.spool import Limits, Spool


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
    assert spool.call(lambda db, _: before(db)) == Before(False, None, None, ())
    spool.close()
