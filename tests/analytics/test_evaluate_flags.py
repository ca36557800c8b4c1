"""The back-test of the flag: what is said, what is true, silence, and the recording of the job shop."""

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.evaluate.files import Intervals, read_intervals, read_observed
from analytics.evaluate.flags import evaluate, say
from analytics.history import History
from analytics.level import BUILT_IN_PRIOR
from tests.analytics.machines import hours, local, mornings
from tests.bench.silence import LOST, rows, shop_of

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEKS = 14
KEYS = (
    "threshold", "precision", "recall", "recall_uncertain_missed", "recall_insufficient_missed", "prevalence",
    "flagged", "true", "insufficient", "contested", "by_week", "precision_interval", "recall_interval",
    "flagged_machines", "notes",
)  # fmt: skip
Rows = list[tuple[str, datetime, datetime]]


def file(folder: Path, name: str, rows: Rows) -> Path:
    path = folder / name
    with path.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("machine", "start", "end"))
        writer.writerows((machine, start.isoformat(), end.isoformat()) for machine, start, end in rows)
    return path


def daily(machine: str, length: float, first: int = 0, last: int = 7 * WEEKS) -> Rows:
    days = (MONDAY + timedelta(days=day, hours=6) for day in range(first, last))
    return [(machine, start, start + timedelta(hours=length)) for start in days]


@pytest.fixture
def shop(tmp_path: Path) -> Intervals:
    rows = daily("little", 1.0) + daily("busy", 12.0) + daily("stopped", 2.0, last=30) + daily("grew", 1.0, last=70)
    return read_intervals(file(tmp_path, "busy.csv", rows + daily("grew", 16.0, first=70)))


def test_counts_by_hand(shop: Intervals) -> None:
    found = evaluate(shop)
    assert set(found) == set(KEYS)
    assert sum(week["n"] for week in found["by_week"]) == 4 * 5  # origins after 6 to 10 weeks, four machines
    by_week = {week["monday"]: week for week in found["by_week"]}
    assert list(by_week) == ["2026-04-13", "2026-04-20", "2026-04-27", "2026-05-04", "2026-05-11"]
    assert by_week["2026-04-13"]["flagged"] == 2  # little, and grew, which had not grown yet
    assert by_week["2026-04-13"]["missing"] == {"change": 1}  # stopped: its level moved a fortnight ago
    assert by_week["2026-04-13"]["true"] == 3
    assert by_week["2026-05-11"]["missing"] == {"life": 1}
    assert found["prevalence"] == found["true"] / 20
    assert found["recall_insufficient_missed"] <= found["recall"]
    assert found["flagged_machines"] == 2
    low, high = found["precision_interval"]
    assert low < found["precision"] <= high
    assert high - low > 0.5  # five overlapping months of two machines are next to nothing
    assert found["notes"] == [
        f"all {found['flagged']} flags are on 2 machines: the precision is theirs, not that of machines like them"
    ]


def test_what_is_said() -> None:
    twelve = History.from_buckets(hours(local(2026, 2, 16), local(2026, 5, 11), mornings), "Europe/Paris")
    assert say(twelve, BUILT_IN_PRIOR, 0.15, 4) == "flagged"
    assert say(twelve, BUILT_IN_PRIOR, 0.08, 4) == "clear"
    assert say(twelve.between(0, 0), BUILT_IN_PRIOR, 0.15, 4) == "history"


def test_silence_is_not_idleness(tmp_path: Path) -> None:
    """A machine busy 6 h a day is heard of on four days of seven: nothing is said, and it is never flagged."""
    busy = read_intervals(file(tmp_path, "busy.csv", daily("saw", 6.0)))
    heard = [(day, MONDAY + timedelta(days=day)) for day in range(7 * WEEKS) if day % 7 < 4]
    alive = read_observed(file(tmp_path, "o.csv", [("saw", start, start + timedelta(days=1)) for _, start in heard]))
    found = evaluate(busy, alive)
    assert found["flagged"] == 0
    assert found["insufficient"] == sum(week["n"] for week in found["by_week"]) == 5


def test_nothing_of_nothing_is_null(tmp_path: Path) -> None:
    found = evaluate(read_intervals(file(tmp_path, "busy.csv", daily("saw", 12.0))))
    assert (found["precision"], found["recall"], found["prevalence"]) == (None, None, 0.0)
    assert found["contested"]["machines"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.0}, "threshold 0.0"),
        ({"history_weeks": 1}, "at least 2 and 1"),
        ({"horizon_weeks": 0}, "at least 2 and 1"),
        ({"history_weeks": 40}, "14 local weeks: no flag can be judged with 40 weeks of history and 4 after it"),
    ],
)
def test_what_cannot_be_asked(shop: Intervals, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(shop, **options)  # type: ignore[arg-type]  # any option


def job_shop() -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("RESILIAN_RECORDINGS", beside)) / "production_4tu" / "busy_intervals.csv"
    if not path.is_file():
        pytest.skip("the recording production_4tu is not there")
    return path


@pytest.mark.recordings
def test_job_shop() -> None:
    found = evaluate(read_intervals(job_shop()), history_weeks=4)
    assert 0.5 < found["prevalence"] < 0.55
    assert found["precision"] >= 0.95
    assert found["recall"] >= 0.95
    assert found["recall_uncertain_missed"] >= 0.65
    assert found["recall_insufficient_missed"] >= 0.35
    assert len(found["contested"]["machines"]) == 6
    assert found["contested"]["precision"] >= 0.9


@pytest.mark.recordings
@pytest.mark.parametrize("lost", LOST)
def test_job_shop_with_silent_days(lost: float) -> None:
    """Whole days lost, twice as often at weekends: no busy machine is flagged for it; taken as idle, many would be."""
    shop = shop_of(job_shop())
    found = rows(shop, lost, range(3))
    assert found["machine-weeks not to be flagged"] == 3 * 63
    assert found["wrong flags, product"] <= 0.005
    assert found["error of U, filled"] < found["error of U, idle"] / 3
    if lost == LOST[-1]:
        assert found["wrong flags, idle"] > 0.01
