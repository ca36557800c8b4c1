"""``evaluate states`` on small files with known answers, and on the recording of the SME."""

import csv
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from accelerator.main import application
from analytics.evaluate.files import read_readings
from analytics.evaluate.states import NothingToJudge, evaluate

START = datetime(2026, 3, 2, tzinfo=UTC)


def write(path: Path, header: str, rows: Sequence[tuple[object, ...]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return path


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def test_published_states_are_their_own_prediction(tmp_path: Path) -> None:
    rows = [("saw", at(minute), "PRODUCING", "PRODUCING" if minute < 90 else "FAULT") for minute in range(60, 120)]
    found = evaluate(read_readings(write(tmp_path / "r.csv", "machine,at,state,label", rows)), START)
    assert found["accuracy"] == 0.5
    assert found["kappa"] == 0.0
    assert found["confusion"] == {"PRODUCING": {"PRODUCING": 30}, "FAULT": {"PRODUCING": 30}}
    assert found["machines"]["saw"]["n"] == 60


def test_power_is_learned_before_and_judged_after(tmp_path: Path) -> None:
    day = [(minute, 4000 if minute % 60 < 20 else 120) for minute in range(0, 2 * 1440, 5)]
    rows = [("mill", at(minute), power, "PRODUCING" if power > 1000 else "STANDBY") for minute, power in day]
    path = write(tmp_path / "r.csv", "machine,at,power_w,label", rows)
    found = evaluate(read_readings(path), START + timedelta(hours=25))
    assert found["accuracy"] == found["kappa"] == 1.0
    assert found["machines"]["mill"]["source"] == "learned"
    unlearned = evaluate(read_readings(path), START)
    assert unlearned["confusion"]["PRODUCING"] == {"UNKNOWN": 192}  # no history: not inferable, and counted as wrong


def test_a_rise_of_the_counter_is_production_whatever_the_power(tmp_path: Path) -> None:
    counts = [0, 1, 2, 2, 2, 5, 0, 1]
    rows = [("press", at(5 * slot), count, "PRODUCING") for slot, count in enumerate(counts)]
    found = evaluate(read_readings(write(tmp_path / "r.csv", "machine,at,count,label", rows)), START)
    assert found["confusion"] == {"PRODUCING": {"PRODUCING": 4, "STANDBY": 2, "UNKNOWN": 2}}  # first row, and the reset


def test_without_a_label_there_is_nothing_to_judge(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "machine,at,count,label", [("press", at(0), 1, "OFF")])
    with pytest.raises(NothingToJudge, match="label"):
        evaluate(read_readings(path), START + timedelta(days=1))


def shop(days: int, work: float = 4000.0, idle: float = 120.0) -> list[tuple[object, float, str]]:
    """Every ten minutes: eight hours of work a weekday in runs of an hour, off at night."""
    found: list[tuple[object, float, str]] = []
    for slot in range(days * 144):
        minute = 10 * slot
        staffed = minute // 1440 % 7 < 5 and 360 <= minute % 1440 < 840
        works = staffed and minute % 80 < 60
        found.append(
            (at(minute), work if works else idle if staffed else work / 1000, "PRODUCING" if works else "STANDBY")
        )
    return found


SECTORS: dict[str, tuple[list[tuple[object, float, str]], int, str]] = {
    "plain": (shop(28), 21, ""),
    "megawatts": (shop(28, 4e6, 9e4), 21, ""),
    "kilowatts that were called watts": (shop(28, 4.0, 0.12), 21, ""),
    "saturated": ([(when, min(power, 2300.0), label) for when, power, label in shop(28)], 21, ""),
    "with gaps": ([row for slot, row in enumerate(shop(42)) if slot // 144 % 5 != 3], 35, ""),
    "hours": (shop(2)[:144], 1, "few"),
    "never runs": ([(when, 4.0, "STANDBY") for when, _, _ in shop(28)], 21, "one-level"),
    "never stops": ([(row[0], 4000.0 + slot % 7, "PRODUCING") for slot, row in enumerate(shop(28))], 21, "close"),
}  # fmt: skip


@pytest.mark.parametrize("sector", SECTORS)
def test_right_or_not_inferable_and_never_a_guess(tmp_path: Path, sector: str) -> None:
    told, days, reason = SECTORS[sector]
    rows = [("mill", when, power, label) for when, power, label in told]
    path = write(tmp_path / "r.csv", "machine,at,power_w,label", rows)
    found = evaluate(read_readings(path), START + timedelta(days=days) if days > 1 else START + timedelta(hours=12))
    mill = found["machines"]["mill"]
    assert mill["reason"] == reason
    assert (mill["known"], mill["accuracy"] if not reason else 1.0) == (0.0 if reason else 1.0, 1.0)


def recordings() -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("RESILIAN_RECORDINGS", beside))


def sme(path: Path, *, power: bool, items: bool) -> Path:
    source = recordings() / "sme_company_a" / "power_items_status.csv"
    if not source.is_file():
        pytest.skip(f"the recording sme_company_a is not in {recordings()}")
    total: dict[str, int] = defaultdict(int)
    rows: list[tuple[object, ...]] = []
    with source.open() as file:
        for row in csv.DictReader(file):
            total[row["asset"]] += round(float(row["items"]))
            label = "PRODUCING" if row["status"] == "2.0" else "FAULT" if row["status"] == "3.0" else "STANDBY"
            watts = float(row["power_avg"]) * 1000 if power else ""
            rows.append((row["asset"], row["ts"], watts, total[row["asset"]] if items else "", label))
    return write(path, "machine,at,power_w,count,label", rows)


SME_HALF = datetime(2022, 9, 5, 22, tzinfo=UTC)


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("power", "items", "accuracy", "kappa"),
    [(True, True, 0.96, 0.9), (False, True, 0.96, 0.9), (True, False, 0.88, 0.65)],
)
def test_sme_recording(tmp_path: Path, power: bool, items: bool, accuracy: float, kappa: float) -> None:
    found = evaluate(read_readings(sme(tmp_path / "sme.csv", power=power, items=items)), SME_HALF)
    assert found["accuracy"] >= accuracy
    assert found["kappa"] >= kappa
    assert set(found["machines"]) == {"0", "1", "2"}


def test_where_the_test_begins_is_local_time_like_the_rows(tmp_path: Path) -> None:
    """Two hours of rows from midnight in Tokyo: a test from midnight there judges them all."""
    rows = [("saw", f"2026-03-02T0{hour}:{minute:02}", "PRODUCING", "FAULT") for hour in (0, 1) for minute in range(60)]
    path = write(tmp_path / "r.csv", "machine,at,state,label", rows)
    asked = ["evaluate", "states", str(path), "--test-from", "2026-03-02T01:00", "--timezone", "Asia/Tokyo", "--json"]
    found = CliRunner().invoke(application(), asked)
    assert json.loads(found.stdout)["n"] == 60
