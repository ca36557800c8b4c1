"""The state folder as deploy/secrets makes it, and the real servers on the files of deploy/."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.broker import DeployedBroker
from tests.deploy.door import Door
from tests.servers import InfluxServer, find_influxd, free_port, need_mosquitto

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with everything deploy/secrets makes, owned by who runs the tests."""
    folder = tmp_path / "state"
    secrets(folder)
    return folder


def secrets(folder: Path) -> None:
    """Run deploy/secrets on the folder."""
    own = os.environ | {"RESILIAN_UID": str(os.geteuid()), "RESILIAN_GID": str(os.getegid())}
    subprocess.run([sys.executable, ROOT / "deploy" / "secrets", folder], env=own, check=True, capture_output=True)


def devices(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run deploy/devices on the state folder."""
    command = [sys.executable, str(ROOT / "deploy" / "devices"), "--state", str(state), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def broker(state: Path) -> Iterator[DeployedBroker]:
    """Mosquitto on deploy/mosquitto/mosquitto.conf with devices of two members."""
    program = need_mosquitto()
    passwords = {}
    for member, device in (("dupont", "prise-1"), ("dupont", "automate"), ("ulm", "tour")):
        said = dict(line.split(" ", 1) for line in devices(state, "add", member, device).stdout.splitlines())
        passwords[said["login"]] = said["password"]
    server = DeployedBroker(program, state, passwords)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def fresh_influxd(tmp_path: Path) -> Iterator[InfluxServer]:
    """An InfluxDB 2 that nobody has set up."""
    program = find_influxd()
    if program is None:
        pytest.skip("influxd is not built; needs Go and cargo: scripts/build-influxd")
    folder = tmp_path / "influxd"
    folder.mkdir()
    server = InfluxServer(program, folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def door(state: Path, tmp_path: Path) -> Iterator[Door]:
    program = need_mosquitto()
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed; apt install openssl")
    place, keys = state / "mosquitto" / "secrets", tmp_path / "keys"
    keys.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", place / "server.key", "-out", place / "server.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    first = devices(state, "certificate", "dupont", "premier", str(tmp_path))
    assert first.returncode == 0, first.stderr
    port = free_port()
    example = (ROOT / "deploy" / "mosquitto" / "certificates.conf.example").read_text()
    assert example.count("listener 8884\n") == 1
    text = example.replace("listener 8884", f"listener {port} 127.0.0.1").replace("/mosquitto/secrets", str(place))
    (state / "mosquitto" / "conf.d" / "certificates.conf").write_text(text)
    said = dict(line.split(" ", 1) for line in devices(state, "add", "ulm", "tour").stdout.splitlines())
    broker = DeployedBroker(program, state, {said["login"]: said["password"]})
    broker.start()
    yield Door(broker, port, keys)
    broker.kill()
