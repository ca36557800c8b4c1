"""Each link of the path broken once, with real programs: the doctor's sentence names it."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.accelerator.cli import network, resilian, start
from tests.deploy.broker import DeployedBroker
from tests.deploy.conftest import devices, secrets
from tests.servers import InfluxServer, find_mosquitto

pytestmark = [pytest.mark.mosquitto, pytest.mark.influxd, pytest.mark.faults]

PATIENCE_S = 90.0
TOPIC = "m/zorn/cabine-1/reading"
ONE = '[[machines]]\nid = "{}"\nname = "{}"\nevery = 60\nrated_w = 45_000\n'
MEMBER = 'slug = "zorn"\nname = "Zorn"\nplace = { commune = "Brumath" }\n' + "".join(
    ONE.format(name, name) for name in ("cabine-1", "silent", "late", "ahead", "kilo", "nan")
)


class World:
    """The deployed broker, an InfluxDB, collector and worker; and the doctor that looks at them."""

    def __init__(self, broker: DeployedBroker, influxd: InfluxServer, state: Path) -> None:
        self.broker, self.influxd, self.state = broker, influxd, state
        place = influxd.organisation()
        self.store = {"RESILIAN_STORE": place.url, "RESILIAN_STORE_TOKEN": place.token}
        self.programs: dict[str, subprocess.Popen[bytes]] = {}
        self.device = broker.client("zorn.cabine-1")

    def settings(self, login: str, password: str = "") -> dict[str, str]:
        secret = password or self.broker.passwords[login]
        url = f"mqtt://{login}:{secret}@127.0.0.1:{self.broker.port}"
        return {"RESILIAN_BROKER": url, "RESILIAN_FLEET": str(self.state / "fleet"), **self.store}

    def start(self, name: str) -> None:
        folder = self.state / name
        self.programs[name] = start(name, data=folder, log=self.state / "programs.log", **self.settings(name))

    def end(self, name: str) -> None:
        program = self.programs.pop(name)
        program.kill()
        program.wait()

    def doctor(self, *words: str, machine: str = "cabine-1", password: str = "") -> str:
        """The last line: the one sentence."""
        more = self.settings("operator", password)
        done = resilian("doctor", "--member", "zorn", "--machine", machine, *words, data=self.state / "data", **more)
        assert "Traceback" not in done.stderr
        return done.stdout.strip().splitlines()[-1]

    def until(self, said: str, machine: str = "cabine-1") -> str:
        """Ask until the doctor says so: what devices sent and what programs say of themselves takes its time."""
        deadline = time.monotonic() + PATIENCE_S
        while said not in (found := self.doctor(machine=machine)):
            assert time.monotonic() < deadline, found + (self.state / "programs.log").read_text()[-2000:]
        return found

    def send(self, machine: str = "cabine-1", **fields: Any) -> None:
        body = {"at": round(time.time() * 1000), "power_w": 30_000, **fields}
        self.device.publish(f"m/zorn/{machine}/reading", json.dumps(body).encode())


@pytest.fixture
def world(own_influxd: InfluxServer, tmp_path: Path) -> Iterator[World]:
    """Everything runs, and a reading of cabine-1 has come through."""
    program = find_mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed; scripts/test installs it where it may: apt install mosquitto")
    state = tmp_path / "state"
    secrets(state)
    network(state / "fleet", MEMBER)
    said = dict(line.split(" ", 1) for line in devices(state, "add", "zorn", "cabine-1").stdout.splitlines())
    broker = DeployedBroker(program, state, {said["login"]: said["password"]})
    broker.start()
    one = World(broker, own_influxd, state)
    for name in ("ingest", "analytics"):
        one.start(name)
    deadline = time.monotonic() + PATIENCE_S
    while "All is well" not in (found := one.doctor()):
        assert time.monotonic() < deadline, found + (state / "programs.log").read_text()[-2000:]
        one.send()
    yield one
    for name in list(one.programs):
        one.end(name)
    one.device.client.loop_stop()
    broker.kill()


def test_the_doctor_names_what_a_device_does_wrong(world: World) -> None:
    now = round(time.time() * 1000)
    world.send("late", at=now - 3_600_000)
    world.send("ahead", at=now + 3_600_000)
    world.send("kilo", power_w=30.2)
    world.device.publish("m/zorn/nan/reading", b'{"power_w": "NaN"}')
    world.device.publish("m/zorn/silnet/tele/SENSOR", b'{"ENERGY": {"Power": 3120, "Total": 2}}')
    assert "clock is 1 h behind" in world.until("its clock is", "late")
    ahead = world.until("refused", "ahead")
    assert "field at" in ahead
    assert "the device's clock is 1 h ahead. Do this: set the device's clock by NTP" in ahead
    settings = world.settings("operator")
    words = ("machine", "feed", "zorn", "ahead", "--clock-ahead", "3600")
    done = resilian(*words, data=world.state / "data", **settings)
    assert done.returncode == 0, done.stderr
    world.until("field at", "ahead")  # the collector has read it: no other link is broken before
    world.send("ahead", at=round(time.time() * 1000) + 3_600_000)
    world.until("All is well", "ahead")
    retried = resilian("rejects", "retry", "--member", "zorn", data=world.state / "data", **settings)
    assert retried.stdout == "1 messages tried again\n", retried.stderr
    kilo = world.until("kW sent for W?", "kilo")
    assert kilo.endswith("Do this: resilian machine feed zorn kilo --scale-w 1000.")
    refused = world.until("refused", "nan")
    assert "field power_w = NaN" in refused
    topic = world.until("speaks and belongs to no machine", "silent")
    assert "--topic m/zorn/silnet/tele/SENSOR --format tasmota" in topic

    url = f"mqtt://zorn.cabine-1:{{}}@127.0.0.1:{world.broker.port}"
    right = world.broker.passwords["zorn.cabine-1"]
    assert "device's credentials" in world.doctor("--as-device", url.format("wrong"))
    assert "All is well" in world.doctor("--as-device", url.format(right))
    devices(world.state, "add", "ulm", "tour")
    text = (world.state / "mosquitto" / "secrets" / "acl").read_text().replace("write m/zorn", "write m/elsewhere")
    (world.state / "mosquitto" / "secrets" / "acl").write_text(text)
    world.broker.reload()
    deadline = time.monotonic() + PATIENCE_S
    while "device's ACL" not in (found := world.doctor("--as-device", url.format(right))):
        assert time.monotonic() < deadline, found
    assert "may not publish to m/zorn/cabine-1/reading: nothing is delivered" in found


def test_the_doctor_names_the_part_that_is_away(world: World) -> None:
    assert world.doctor(password="wrong").startswith("credentials: ")
    world.end("ingest")
    assert world.until("ingest: does not run").endswith("Do this: start `resilian ingest`, or `resilian up`.")
    world.start("ingest")
    world.until("All is well")
    (world.state / "fleet" / "members" / "zorn.toml").write_text(MEMBER.replace("every = 60", "every = soon"))
    assert world.doctor().startswith("registry: ")
    (world.state / "fleet" / "members" / "zorn.toml").write_text(MEMBER)
    world.until("All is well")
    world.influxd.kill()
    world.send()
    away = world.until("store")
    assert "Do this: start the store" in away
    world.influxd.start()
    world.until("All is well")
    world.broker.kill()
    broken = world.doctor()
    assert broken.startswith("broker: ")
    assert "nothing listens there" in broken
