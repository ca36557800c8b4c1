"""Logins for the page /connect where the gateway does not reach the broker's files: the mounts of docker-compose.yml,
``deploy/logins`` as it runs there, and the deployed broker, which takes what was made by itself.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus import login_requests, logins
from bus.login_requests import Asked, answer, ask, served
from tests.deploy.broker import DeployedBroker, Probe, Refused
from tests.deploy.layout import ROOT, SERVICES, root_of, volumes
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.mosquitto


def until(holds: Callable[[], bool]) -> None:
    """Return when it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def maker(state: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """``deploy/logins`` with the arguments and the volumes of its service."""
    root, words = root_of("logins", state, tmp_path), SERVICES["logins"]["command"]
    command = [sys.executable, str(ROOT / "deploy" / "logins"), *(str(root) + word for word in words)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, text=True)
    until(lambda: served(state / "mosquitto" / "requests"))
    yield process
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_S) == 0


def answered(asked: Asked) -> str:
    """The answer, as soon as there is one."""
    said: list[str] = []

    def came() -> bool:
        found = answer(asked)
        said.extend([found] if found else [])
        return bool(said)

    until(came)
    return said[0]


def enters(broker: DeployedBroker, asked: Asked) -> bool:
    try:
        Probe(broker.port, asked.login, asked.password).close()
    except Refused:
        return False
    return True


def test_each_service_has_the_mounts_it_needs_and_no_more(state: Path) -> None:
    reach = {
        name: {volume.target: volume.writable for volume in volumes(name, state) if "mosquitto/" in str(volume.source)}
        for name in ("gateway", "logins", "mosquitto", "resilian")
    }
    assert reach["gateway"] == {"/mosquitto/requests": True}
    assert reach["logins"] == {"/mosquitto/requests": True, "/mosquitto/secrets": True}
    assert reach["resilian"] == {"/mosquitto/requests": False}
    assert reach["mosquitto"]["/mosquitto/secrets"] is False
    assert SERVICES["logins"]["network_mode"] == "none"
    assert not SERVICES["logins"].get("secrets")
    for name in ("gateway", "logins", "mosquitto"):
        assert SERVICES[name]["user"] == SERVICES["mosquitto"]["user"]  # files of 0600 are read by the same user


def test_a_login_that_the_gateway_asks_for_enters_within_seconds(
    broker: DeployedBroker, state: Path, tmp_path: Path, maker: "subprocess.Popen[str]"
) -> None:
    place = root_of("gateway", state, tmp_path)
    assert not (place / "mosquitto" / "secrets").exists()
    staying = broker.client("dupont.prise-1")
    asked = ask(place / "mosquitto" / "requests", "ulm", "neuf")
    assert answered(asked) == "made"
    until(lambda: enters(broker, asked))
    device = Probe(broker.port, asked.login, asked.password)
    ear = broker.client("operator")
    ear.subscribe("m/#")
    device.publish("m/dupont/vol")
    device.publish("m/ulm/neuf/reading")
    assert "m/dupont/vol" not in ear.until("m/ulm/neuf/reading")
    staying.publish("m/dupont/prise-1/reading")
    for one in (device, ear, staying):
        one.close()
    again = ask(place / "mosquitto" / "requests", "ulm", "neuf")
    assert answered(again) == "exists"
    assert enters(broker, asked)
    assert not enters(broker, again)
    assert maker.poll() is None


def test_nothing_plain_stays_on_the_disk_nor_in_the_log(state: Path, tmp_path: Path) -> None:
    requests = state / "mosquitto" / "requests"
    root = root_of("logins", state, tmp_path)
    command = [sys.executable, str(ROOT / "deploy" / "logins"), *(str(root) + w for w in SERVICES["logins"]["command"])]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    asked = ask(requests, "ulm", "neuf")
    assert answered(asked) == "made"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=PATIENCE_S)
    assert log == "logins: ulm.neuf: made\n"
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    assert asked.password.encode() not in kept
    assert [path.name for path in requests.iterdir()] == [".alive"]
    assert process.returncode == 0


def test_an_odd_request_keeps_no_other_waiting_and_is_told_once(state: Path, tmp_path: Path) -> None:
    requests = state / "mosquitto" / "requests"
    (requests / "a.b.0.taken").mkdir()
    (requests / "a.b.0.request").write_text("x")
    root = root_of("logins", state, tmp_path)
    command = [sys.executable, str(ROOT / "deploy" / "logins"), *(str(root) + w for w in SERVICES["logins"]["command"])]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for device in ("neuf", "plus-neuf"):
        asked = ask(requests, "ulm", device)
        assert answered(asked) == "made"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=PATIENCE_S)
    assert [line for line in log.splitlines() if "a.b.0" not in line] == [
        "logins: ulm.neuf: made",
        "logins: ulm.plus-neuf: made",
    ]
    assert log.count("Is a directory") == 1
    assert served(requests)


def test_the_health_check_of_the_service_tells_whether_it_looks(
    state: Path, tmp_path: Path, maker: "subprocess.Popen[str]"
) -> None:
    _, program, *words = SERVICES["logins"]["healthcheck"]["test"]
    assert program == SERVICES["logins"]["entrypoint"][0] == "/opt/resilian/libexec/logins"
    place = tmp_path / "root-logins" / words[-1].lstrip("/")
    asked = [sys.executable, str(ROOT / "deploy" / "logins"), *words[:-1], str(place)]
    assert maker.poll() is None
    assert subprocess.run(asked, check=False).returncode == 0
    (tmp_path / "empty").mkdir()
    asked[-1] = str(tmp_path / "empty")
    assert subprocess.run(asked, check=False).returncode == 1


@pytest.mark.parametrize(
    ("words", "status"), [([], 2), (["a", "b", "c"], 2), (["--what", "x"], 2), (["/no", "/no"], 3)]
)
def test_wrong_usage_and_missing_folders_say_what_to_do(words: list[str], status: int) -> None:
    command = [sys.executable, str(ROOT / "deploy" / "logins"), *words]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == status
    assert "usage:" in said.stderr if status == 2 else "run deploy/secrets again" in said.stderr


def test_a_gateway_gone_wrong_changes_no_login(broker: DeployedBroker, state: Path, tmp_path: Path) -> None:
    """With the whole of what it reaches it cannot take a program's place, nor a device's."""
    requests, secrets = state / "mosquitto" / "requests", state / "mosquitto" / "secrets"
    before = logins.read(secrets)
    for name in ("ingest", "operator", "ulm.tour", "dupont.prise-1"):
        (requests / f"{name}.0.request").write_text(logins.hashed("mine"))
    said = login_requests.serve(requests, secrets)
    assert sorted(word for _, word in said) == ["exists", "exists", "refused", "refused"]
    assert logins.read(secrets) == before
    broker.client("ulm.tour").close()
