"""A collector with a name: deploy/secrets makes its logins, with the rules of the one without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bus import logins
from tests.deploy.conftest import ROOT


def made(state: Path, names: str) -> "subprocess.CompletedProcess[str]":
    own = {"PATH": os.environ["PATH"], "RESILIAN_COLLECTORS": names}
    command = [sys.executable, str(ROOT / "deploy" / "secrets"), str(state)]
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False)


def rules_of(text: str, user: str) -> list[str]:
    block = text.split(f"\nuser {user}\n")[1].split("\n\n")[0]
    return [line.removeprefix("topic ") for line in block.splitlines() if line]


def test_its_logins_have_the_rules_of_ingest(tmp_path: Path) -> None:
    assert made(tmp_path, "").returncode == 0
    before = (tmp_path / "secrets" / "ingest.env").read_text()
    assert made(tmp_path, "north,south").returncode == 0
    assert (tmp_path / "secrets" / "ingest.env").read_text() == before
    assert (tmp_path / "secrets" / "ingest-north.env").read_text().startswith("RESILIAN_BROKER=mqtt://ingest-north:")
    assert (tmp_path / "secrets" / "health-ingest-south").read_text().startswith("mqtt://health-ingest-south:")
    acl = (tmp_path / "mosquitto" / "secrets" / "acl").read_text()
    assert rules_of(acl, "ingest-north") == rules_of(acl, "ingest") == list(logins.PROGRAMS["ingest"])
    assert rules_of(acl, "health-ingest-south") == ["read net/v1/health/ingest-south"]


@pytest.mark.parametrize("name", ["North", "a b", "x/#", "-a"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    done = made(tmp_path, name)
    assert (done.returncode, "RESILIAN_COLLECTORS" in done.stderr) == (2, True)


def test_other_logins_gain_nothing_by_their_names() -> None:
    acl = logins.rules(["my-ingest-north", "ingest-a.b", "ulm.ingest-north", "analytics-north"])
    assert [line for line in acl.splitlines() if line.startswith("user")] == [
        "user ingest-a.b",
        "user ulm.ingest-north",
    ]
    assert rules_of(acl, "ingest-a.b") == rules_of(logins.rules(["ingest-a.b"]), "ingest-a.b")
    assert all("ingest-a" in rule or rule.startswith("read") for rule in rules_of(acl, "ingest-a.b"))
