"""``evaluate states`` on small files with known answers, and on the recording of the SME."""

import csv
import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

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
    [(True, True, 0.96, 0.9), (False, True, 0.96, 0.9), (True, False, 0.807, 0.5)],
)
def test_sme_recording(tmp_path: Path, power: bool, items: bool, accuracy: float, kappa: float) -> None:
    found = evaluate(read_readings(sme(tmp_path / "sme.csv", power=power, items=items)), SME_HALF)
    assert found["accuracy"] >= accuracy
    assert found["kappa"] >= kappa
    assert set(found["machines"]) == {"0", "1", "2"}
