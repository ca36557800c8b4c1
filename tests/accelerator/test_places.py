"""Where commands work: the same options everywhere, the demo where there is nothing else, remedies with the places."""

import json
import os
from pathlib import Path

import pytest

from accelerator import owner, places
from accelerator.doctor import naming
from accelerator.doctor_machine import Step
from tests.accelerator import reference
from tests.accelerator.cli import MEMBER, answer, network, resilian

ONE_PLACE = {"evaluate", "bench"}
"""Files of their own: no remedy names them."""


def runs(folder: Path) -> None:
    """A program that lives (this one) has the folder, as ``run.json`` says."""
    running = owner.Running(os.getpid(), "mqtt://x", "http://x", "duckdb:///x", str(folder / "fleet"), "http://x", "t")
    owner.write(folder / owner.RUN_FILE, running)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("RESILIAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RESILIAN_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_the_running_demo_is_taken_where_there_is_nothing_else(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert places.chosen(None, None).data_dir == data
    runs(data / "demo")
    assert places.chosen(None, None).data_dir == data / "demo"
    assert f"--data {data / 'demo'}" in capsys.readouterr().err
    assert places.folder_of(None, None) == data / "demo" / "fleet"
    assert places.folder_of(None, None, begins=True) == data / "fleet"  # a network never begins in the demo's
    assert places.chosen(None, data).data_dir == data
    assert places.chosen(data / "elsewhere", None).data_dir == data
    network(data / "fleet")
    assert places.chosen(None, None).data_dir == data
    assert places.running_demo(places.chosen(None, None)) == data / "demo"
    owner.remove(data / "demo" / owner.RUN_FILE)
    assert places.running_demo(places.chosen(None, None)) is None


def test_another_broker_or_store_is_something_else(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(data / "demo")
    monkeypatch.setenv("RESILIAN_BROKER", "mqtt://127.0.0.1")
    assert places.chosen(None, None).data_dir == data


def test_data_and_fleet_name_the_same_network_for_each_kind_of_command(tmp_path: Path) -> None:
    network(tmp_path / "there" / "fleet", MEMBER)
    (tmp_path / "there" / "mosquitto" / "secrets").mkdir(parents=True)
    elsewhere = tmp_path / "nothing"
    assert resilian("machine", "add", "zorn", "Tour", data=tmp_path / "there").returncode == 0
    for given in (("--data", str(tmp_path / "there")), ("--fleet", str(tmp_path / "there" / "fleet"))):
        assert [row["member"] for row in answer("member", "list", *given, data=elsewhere)] == ["zorn"]
        assert [row["machine"] for row in answer("machine", "list", *given, data=elsewhere)] == ["tour"]
        assert answer("consent", "list", *given, data=elsewhere) == []
        assert answer("device", "list", *given, data=elsewhere) == []
        rows = {row["name"]: row["value"] for row in answer("settings", *given, data=elsewhere)}
        assert rows["RESILIAN_FLEET"] == str(tmp_path / "there" / "fleet")
        done = resilian("machine", "confirm", "zorn", "tour", *given, data=elsewhere)
        assert done.returncode == 0, done.stderr
    assert not elsewhere.exists()


def test_the_doctor_says_how_to_find_a_demo_that_runs_beside_a_network(tmp_path: Path) -> None:
    network(tmp_path / "fleet")
    runs(tmp_path / "demo")
    done = resilian("doctor", data=tmp_path)
    assert done.returncode == 1
    assert f"for the demo that runs: resilian doctor --data {tmp_path / 'demo'}" in done.stdout


def test_every_command_that_a_remedy_names_has_the_places_that_were_given(tmp_path: Path) -> None:
    todos = {
        "resilian machine feed zorn x --clock-ahead 60": "resilian machine feed --data D zorn x --clock-ahead 60",
        "see `resilian rejects retry`, `resilian up`": "see `resilian rejects retry --data D`, `resilian up --data D`",
        "`resilian ingest`": "`resilian ingest --data D`",
        "resilian machine calibrate zorn x": "resilian machine calibrate --data D zorn x",
        "`resilian ingest move m --to N`": "`resilian ingest move --data D m --to N`",
        "`resilian doctor --member zorn`": "`resilian doctor --data D --member zorn`",
        "set RESILIAN_BROKER": "set RESILIAN_BROKER",
    }  # fmt: skip
    steps = [Step("x", "wrong", "y", todo) for todo in todos]
    assert [step.todo for step in naming(steps, " --data D")] == list(todos.values())
    assert naming(steps, "") == steps
    for name, _ in reference.commands():
        (step,) = naming([Step("x", "wrong", "y", f"say `resilian {name}`; then resilian {name} a")], " -D")
        assert step.todo == f"say `resilian {name} -D`; then resilian {name} -D a" or name.split()[0] in ONE_PLACE
    network(tmp_path / "fleet")
    told = json.loads(resilian("doctor", "--json", "--data", str(tmp_path), data=tmp_path / "other").stdout)
    assert f"`resilian up --data {tmp_path}`" in told["conclusion"]


def test_a_second_machine_of_one_name_is_refused_with_another_name(tmp_path: Path) -> None:
    network(tmp_path / "fleet")
    add = ("machine", "add", "zorn", "Cabine 1")
    assert resilian(*add, data=tmp_path).returncode == 0
    again = resilian(*add, "--id", "other", data=tmp_path)
    assert again.returncode == 1
    assert "'cabine-1' of this name already: take 'Cabine 1 (2)', or another" in again.stderr
    assert resilian("machine", "add", "zorn", "Cabine 1 (2)", data=tmp_path).returncode == 0


def test_marks_that_contradict_are_refused_by_the_command_too(tmp_path: Path) -> None:
    network(tmp_path / "fleet")
    resilian("machine", "add", "zorn", "Cabine 1", data=tmp_path)
    calibrate = ("machine", "calibrate", "zorn", "cabine-1")
    assert resilian(*calibrate, "--off", "40", data=tmp_path).returncode == 0
    refused = resilian(*calibrate, "--working", "12", data=tmp_path)
    assert (refused.returncode, "off must lie below working (12 W)" in refused.stderr) == (1, True)
    assert resilian(*calibrate, "--off", "4", "--working", "12", data=tmp_path).returncode == 0


def test_the_brokers_files_lie_beside_the_fleet_also_of_a_relative_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert places.broker_beside(Path("fleet")) == places.broker_beside(tmp_path / "fleet") == tmp_path / "mosquitto"
