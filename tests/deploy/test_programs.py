"""The three programs as docker-compose.yml starts them: their own logins, the set-up's token, files of deploy/."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.broker import DeployedBroker
from tests.deploy.conftest import ROOT
from tests.patience import PATIENCE_S
from tests.servers import InfluxServer, free_port

pytestmark = [pytest.mark.mosquitto, pytest.mark.influxd]

MEMBER = """\
slug = "ulm"
name = "Ulm"
place = { commune = "Wissembourg" }
machines = [{ id = "tour", name = "Tour", trade = "turning" }]
"""


@pytest.fixture
def metrics(broker: DeployedBroker, fresh_influxd: InfluxServer, state: Path) -> Iterator[Callable[[], str]]:
    """The running deployment; what its gateway answers at /metrics, "" until it does."""
    shutil.copy(ROOT / "deploy" / "network.toml.example", state / "fleet" / "network.toml")
    (state / "fleet" / "members" / "ulm.toml").write_text(MEMBER)
    url = f"http://127.0.0.1:{free_port()}/metrics"
    subprocess.run(
        [sys.executable, ROOT / "deploy" / "influxdb" / "setup", "--url", fresh_influxd.address, "--org", "resilian",
         "--metrics", url, "--secrets", state / "secrets"],
        check=True, capture_output=True,
    )  # fmt: skip
    programs = [_start(name, broker, fresh_influxd, state, url) for name in ("ingest", "analytics", "gateway")]

    def ask() -> str:
        for program in programs:
            assert program.poll() is None, (state / "programs.log").read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    yield ask
    for program in programs:
        program.terminate()
    codes = [program.wait(timeout=PATIENCE_S) for program in programs]
    assert codes == [0, 0, 0], (state / "programs.log").read_text()[-3000:]


def _start(name: str, broker: DeployedBroker, influxd: InfluxServer, state: Path, url: str) -> subprocess.Popen[bytes]:
    variable, _, login = (state / "secrets" / f"{name}.env").read_text().strip().partition("=")
    own = {
        variable: login.replace(":1883", f":{broker.port}"),
        "RESILIAN_STORE": f"influxdb+{influxd.address}?org=resilian",
        "RESILIAN_STORE_TOKEN_FILE": str(state / "secrets" / "influx-token"),
        "RESILIAN_FLEET": str(state / "fleet"),
        "RESILIAN_DATA_DIR": str(state / name),
        "RESILIAN_PORT": url.split(":")[2].partition("/")[0],
    }
    bare = {key: value for key, value in os.environ.items() if not key.startswith("RESILIAN_")}
    command = [sys.executable, "-c", "from accelerator.main import main; main()", name]
    with (state / "programs.log").open("ab") as log:
        return subprocess.Popen(command, env=bare | own, stdout=log, stderr=log, cwd=ROOT)


def _figure(text: str, program: str, name: str) -> float:
    found = re.search(rf'^resilian_program_figure{{name="{name}",program="{program}"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_a_device_reading_passes_through_the_programs_with_the_rights_they_have(
    broker: DeployedBroker, state: Path, metrics: Callable[[], str], tmp_path: Path
) -> None:
    device = broker.client("ulm.tour")
    sent = 0
    deadline = time.monotonic() + PATIENCE_S
    text = ""
    while not (
        _figure(text, "ingest", "stored") >= 1
        and 'resilian_program_alive{program="ingest"} 1.0' in text
        and 'resilian_program_alive{program="analytics"} 1.0' in text
    ):
        # Until the collector has made its session nobody keeps what is sent: send until one has come through.
        sent += 1
        device.publish("m/ulm/tour/reading", json.dumps({"at": round(time.time() * 1000), "power_w": sent}).encode())
        text = metrics()
        assert time.monotonic() < deadline, text + (state / "programs.log").read_text()[-3000:]
    dashboard = (ROOT / "deploy" / "grafana" / "dashboards" / "plumbing.json").read_text()
    for figure in set(re.findall(r'r\.name == \\"(\w+)\\"', dashboard)):
        assert f'resilian_program_figure{{name="{figure}"' in text, figure
    assert _figure(text, "ingest", "rejected") == _figure(text, "ingest", "unclaimed") == 0
    for name in ("ingest", "analytics"):
        login = (state / "secrets" / f"health-{name}").read_text().replace(":1883", f":{broker.port}")
        (tmp_path / "login").write_text(login)
        health = [sys.executable, str(ROOT / "deploy" / "health"), name, str(tmp_path / "login")]
        said = subprocess.run(health, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
    device.close()
