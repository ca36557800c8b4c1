"""The command line as a user meets it: help, exit codes, one line on stderr and never a traceback."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

COMMANDS = [
    "demo", "up", "ingest", "analytics", "gateway", "simulate", "replay", "report", "verify-ledger", "doctor",
    "settings",
    "member add", "member list", "machine add", "machine list", "machine calibrate", "machine confirm",
    "member relay", "machine unclaimed", "machine feed", "device add", "device list", "device remove",
    "consent set", "consent list",
    "finding list", "finding answer",
    "rejects list", "rejects retry", "rejects dismiss", "repush", "export",
    "evaluate availability", "evaluate flags", "evaluate states", "evaluate fleet", "bench ingest", "bench analytics",
]  # fmt: skip


def resilian(*arguments: str, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "accelerator.main", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={"PATH": "/usr/bin:/bin", "RESILIAN_DATA_DIR": str(data), "NO_COLOR": "1", **environment},
        cwd=Path(__file__).parents[2],
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("resilian: ")
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, tmp_path: Path) -> None:
    done = resilian(*command.split(), "--help", data=tmp_path)
    assert done.returncode == 0
    assert "Example: " in done.stdout
    assert command.split()[-1] in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 2, "nonsense"),
        (["settings", "--nonsense"], 2, "--nonsense"),
        (["ingest"], 3, "RESILIAN_BROKER and RESILIAN_STORE"),
        (["ingest", "--members", "zorn"], 2, "--members: give this collector a --name, too"),
        (["ingest", "--name", "North"], 2, "--name North: a-z, 0-9 and hyphens inside"),
        (["ingest", "move", "zorn", "--to", "a/b"], 2, "--to a/b: a-z, 0-9 and hyphens inside"),
        (["simulate"], 3, "RESILIAN_BROKER"),
        (["replay", "no-such-file.csv"], 3, "no-such-file.csv"),
        (["verify-ledger", "no-such-file.jsonl"], 3, "no-such-file.jsonl"),
        (["member", "list"], 3, "network.toml"),
        (["rejects", "list"], 3, "--data"),
        (["report"], 3, "no such file"),
        (["finding", "list"], 3, "no such file"),
        (["export", "out.csv", "--store", "duckdb:////tmp/no/such/store.duckdb"], 3, "no such file"),
        (["rejects", "retry"], 3, "RESILIAN_BROKER"),
        (["repush", "--since", "soon"], 2, "--since soon"),
        (["export", "out.xlsx"], 2, "out.xlsx"),
        (["report", "--from", "yesterday"], 2, "--from yesterday"),
        (["evaluate", "availability", "none.csv"], 3, "none.csv"),
        (["machine", "calibrate", "m", "x"], 2, "--working"),
    ],
)
def test_failures_are_one_line_and_the_right_code(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    done = resilian(*arguments, data=tmp_path)
    assert done.returncode == code
    assert said in one_line(done)


def test_registry_commands_write_what_they_then_list(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    (fleet / "members").mkdir(parents=True)
    (fleet / "network.toml").write_text('name = "N"\nplace = { commune = "Haguenau" }\ntimezone = "Europe/Paris"\n')
    added = resilian("member", "add", "Peinture de la Zorn", "--commune", "Brumath", data=tmp_path)
    assert added.returncode == 0, added.stderr
    machine = resilian("machine", "add", "peinture-de-la-zorn", "Cabine 1", "--trade", "paint", data=tmp_path)
    assert machine.returncode == 0, machine.stderr
    consent = ("consent", "set", "peinture-de-la-zorn", "cabine-1", "coordinator", "offers", "--until", "2030-01-31")
    assert resilian(*consent, data=tmp_path).returncode == 0
    listed = json.loads(resilian("machine", "list", "--json", data=tmp_path).stdout)
    assert [(row["machine"], row["trade"]) for row in listed] == [("cabine-1", "paint")]
    consents = json.loads(resilian("consent", "list", "--json", data=tmp_path).stdout)
    assert [(row["level"], row["until"]) for row in consents] == [("offers", "2030-01-31")]
    again = resilian("member", "add", "Peinture de la Zorn", "--commune", "Brumath", data=tmp_path)
    assert again.returncode == 1
    assert "there is a member of this name already" in one_line(again)


def write_network(data: Path) -> Path:
    (data / "fleet" / "members").mkdir(parents=True)
    (data / "fleet" / "network.toml").write_text('name = "N"\nplace = { commune = "X" }\ntimezone = "UTC"\n')
    return data


def test_a_taken_port_and_a_foreign_address_are_one_line(tmp_path: Path) -> None:
    first, second = write_network(tmp_path / "a"), write_network(tmp_path / "b")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = resilian("up", "--port", port, "--log", "error", data=first, RESILIAN_DEVICE_PORT="0")
    assert (done.returncode, port in one_line(done)) == (3, True), done.stderr
    done = resilian("up", "--log", "error", data=second, RESILIAN_DEVICE_PORT="0", RESILIAN_LISTEN="0.0.0.0")  # noqa: S104 - refused
    assert (done.returncode, "0.0.0.0" in one_line(done)) == (3, True), done.stderr  # noqa: S104 - refused


def test_a_broken_file_of_the_registry_is_named(tmp_path: Path) -> None:
    write_network(tmp_path)
    (tmp_path / "fleet" / "members" / "zorn.toml").write_text("bad = [")
    assert "members/zorn.toml" in one_line(resilian("machine", "list", data=tmp_path))


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    done = resilian("up", "--for", "1", data=blocked / "data", RESILIAN_FLEET=str(tmp_path / "fleet"))
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
