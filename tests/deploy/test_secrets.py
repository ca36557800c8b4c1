"""deploy/secrets and deploy/devices: idempotent, nothing readable by others, nothing secret printed."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.conftest import ROOT, devices, secrets


def content(state: Path) -> dict[str, bytes]:
    return {str(path.relative_to(state)): path.read_bytes() for path in state.rglob("*") if path.is_file()}


def test_run_again_it_changes_nothing(state: Path) -> None:
    before = content(state)
    secrets(state)
    assert content(state) == before
    assert len({before[name] for name in before if name.startswith("secrets/") and before[name]}) == 9


def test_nothing_is_readable_by_others(state: Path) -> None:
    for path in (state, *state.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        assert path.stat().st_uid == os.geteuid()


def test_a_lost_file_is_made_again_and_the_login_follows_it(state: Path) -> None:
    before = content(state)
    (state / "secrets" / "ingest.env").unlink()
    secrets(state)
    after = content(state)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"secrets/ingest.env", "mosquitto/secrets/passwd"}


def test_devices_are_added_listed_removed_and_kept_by_secrets(state: Path) -> None:
    said = devices(state, "add", "dupont", "prise-1")
    assert said.stdout.startswith("login dupont.prise-1\npassword ")
    secrets(state)
    assert devices(state, "list").stdout == "dupont.prise-1\n"
    rules = (state / "mosquitto" / "secrets" / "acl").read_text()
    assert "user dupont.prise-1\ntopic write m/dupont/#\ntopic write spBv1.0/dupont/#\n" in rules
    assert "pattern" not in rules
    assert said.stdout.split()[-1] not in (state / "mosquitto" / "secrets" / "passwd").read_text()
    assert devices(state, "add", "dupont", "prise-1").returncode == 1
    assert devices(state, "remove", "dupont", "prise-1").returncode == 0
    assert devices(state, "remove", "dupont", "prise-1").returncode == 1
    assert devices(state, "list").stdout == ""


@pytest.mark.parametrize(
    ("words", "status"),
    [(["add", "Dupont", "x"], 2), (["add", "a/#", "x"], 2), (["add", "a", "x\nuser y"], 2), (["what"], 2), ([], 2)],
)
def test_wrong_words_are_refused_without_a_trace(state: Path, words: list[str], status: int) -> None:
    before = content(state)
    said = devices(state, *words)
    assert said.returncode == status
    assert said.stderr
    assert "Traceback" not in said.stderr
    assert content(state) == before


def test_without_a_state_folder_devices_says_what_to_do(tmp_path: Path) -> None:
    said = devices(tmp_path / "absent", "list")
    assert said.returncode == 3
    assert "deploy/secrets" in said.stderr


def test_hashes_are_those_of_mosquitto_passwd(state: Path, tmp_path: Path) -> None:
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("mosquitto_passwd is not installed")
    theirs = tmp_path / "passwd"
    subprocess.run([program, "-b", "-c", str(theirs), "a", "b"], check=True, capture_output=True)
    ours = (state / "mosquitto" / "secrets" / "passwd").read_text().splitlines()[0]
    shape = [(len(part) if part else 0) for part in ours.partition(":")[2].split("$")]
    known = [(len(part) if part else 0) for part in theirs.read_text().strip().partition(":")[2].split("$")]
    assert (shape[0], shape[1], shape[3], shape[4]) == (known[0], known[1], known[3], known[4])


def test_the_settings_file_is_read_as_compose_reads_it(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    for name in ("deploy/secrets", "bus/__init__.py", "bus/logins.py"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    own = (
        (ROOT / ".env.example")
        .read_text()
        .replace("10001\nRESILIAN_GID=10001", f"{os.geteuid()}\nRESILIAN_GID={os.getegid()}")
    )
    (clone / ".env").write_text(own.replace("./deploy/state", "./elsewhere"))
    bare = {name: value for name, value in os.environ.items() if not name.startswith("RESILIAN_")}
    said = subprocess.run(
        [sys.executable, clone / "deploy" / "secrets"],
        env=bare,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (clone / "elsewhere" / "secrets" / "ingest.env").exists()
    for name in ("ingest.env", "influx-operator-token"):
        assert (clone / "elsewhere" / "secrets" / name).read_text().strip() not in said.stdout + said.stderr


def test_logins_made_while_secrets_runs_are_kept(state: Path) -> None:
    for path in (state / "secrets").glob("*.env"):
        path.unlink()
    own = os.environ | {"RESILIAN_UID": str(os.geteuid()), "RESILIAN_GID": str(os.getegid())}
    running = [subprocess.Popen([sys.executable, ROOT / "deploy" / "secrets", state], env=own)]
    command = [sys.executable, str(ROOT / "deploy" / "devices"), "--state", str(state), "add", "dupont"]
    running += [subprocess.Popen([*command, f"prise-{number}"], stdout=subprocess.DEVNULL) for number in range(6)]
    assert [process.wait() for process in running] == [0] * 7
    assert len(devices(state, "list").stdout.splitlines()) == 6


def test_a_link_in_the_brokers_folder_leads_nobody_elsewhere(state: Path, tmp_path: Path) -> None:
    folder, elsewhere = state / "mosquitto" / "secrets", tmp_path / "elsewhere"
    elsewhere.write_text("as it was")
    (folder / ".passwd.new").symlink_to(elsewhere)
    assert devices(state, "add", "dupont", "prise-1").returncode == 0
    assert elsewhere.read_text() == "as it was"
    assert not (folder / "passwd").is_symlink()
    assert devices(state, "list").stdout == "dupont.prise-1\n"
