"""Recordings of others: every row written or refused with its reason."""

import csv
import json
import os
from pathlib import Path

import pytest

from simulators.convert import main, sme, tasmota
from simulators.recording import read


def recording(name: str) -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("RESILIAN_RECORDINGS", beside)) / name
    if not path.exists():
        pytest.skip(f"the recording {name} is not in {path.parent.parent}")
    return path


def lines(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def test_sme_slots_become_counters_at_their_ends(tmp_path: Path) -> None:
    source = tmp_path / "sme.csv"
    source.write_text(
        "ts,asset,items,status,power_avg\n"
        "2022-08-31 22:05:00+00:00,0,3.0,1.0,0.0\n"
        "2022-08-31 22:00:00+00:00,0,4.0,2.0,2.0\n"
        "2022-08-31 22:10:00+00:00,0,x,2.0,2.0\n"
        "2022-08-31 22:15:00+00:00,0,1.0,7.0,2.0\n"
        "2022-08-31 22:20:00+00:00,0,1.0,3.0,1.0\n"
    )
    done = sme(source, tmp_path / "out.csv")
    assert (done.rows, done.written, done.refused) == (5, 3, 2)
    assert lines(tmp_path / "out.csv") == [
        ["asset-0", "2022-08-31T22:05:00+00:00", "2000", "4", "PRODUCING"],
        ["asset-0", "2022-08-31T22:10:00+00:00", "0", "7", "SETUP"],
        ["asset-0", "2022-08-31T22:25:00+00:00", "1000", "8", "FAULT"],
    ]
    assert done.reasons == ["row 3: ValueError: could not convert string to float: 'x'", "row 4: KeyError: 7"]


def test_tasmota_messages_keep_their_local_time(tmp_path: Path) -> None:
    source = tmp_path / "captures.jsonl"
    messages = [
        {"topic": "tele/plug/SENSOR", "payload": {"Time": "2023-05-19T20:52:56", "ENERGY": {"Power": 56}}},
        {"topic": "meter/tele/SENSOR", "payload": {"Time": "2023-01-19T20:52:56", "ENERGY": {"Power": "00860"}}},
        {"topic": "tele/plug/STATE", "payload": {"Time": "2023-05-19T20:52:50", "Uptime": "1T"}},
    ]
    source.write_text("\n".join([*map(json.dumps, messages), "{"]))
    done = tasmota(source, tmp_path / "out.csv", "Europe/Paris")
    assert (done.rows, done.written, done.refused) == (4, 2, 2)
    assert lines(tmp_path / "out.csv") == [
        ["plug", "2023-05-19T20:52:56+02:00", "56", "", ""],
        ["meter", "2023-01-19T20:52:56+01:00", "860", "", ""],
    ]
    assert "no ENERGY.Power" in done.reasons[0]


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "captures.jsonl"
    source.write_text('{"topic": "tele/plug/STATE", "payload": {}}\n')
    assert main(["tasmota", str(source), str(tmp_path / "out.csv")]) == 1
    told = capsys.readouterr()
    assert told.out == "1 rows: 0 written, 1 refused\n"
    assert "no ENERGY.Power" in told.err
    assert main(["sme", str(tmp_path / "missing"), str(tmp_path / "out.csv")]) == 3


@pytest.mark.recordings
def test_every_row_of_the_recordings_is_accounted_for(tmp_path: Path) -> None:
    power = sme(recording("sme_company_a/power_items_status.csv"), tmp_path / "sme.csv")
    assert (power.rows, power.refused) == (7807, 0)
    assert read(tmp_path / "sme.csv").refused == 0
    plugs = tasmota(recording("tasmota/captures.jsonl"), tmp_path / "plugs.csv", "Europe/Paris")
    assert (plugs.rows, plugs.written, plugs.refused) == (5, 4, 1)
    assert read(tmp_path / "plugs.csv").refused == 0
